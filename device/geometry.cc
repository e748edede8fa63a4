#include "device/geometry.h"

#include <algorithm>

namespace gleaner {
namespace {

template <typename T>
T LowerOne(T hardware, T wish) {
  return wish == 0 ? hardware : std::min(hardware, wish);
}

}  // namespace

CopyLimits Lowered(const CopyLimits& hardware, const CopyLimits& wish) {
  CopyLimits result;
  result.max_copy_blocks = LowerOne(hardware.max_copy_blocks, wish.max_copy_blocks);
  result.max_copy_ranges = LowerOne(hardware.max_copy_ranges, wish.max_copy_ranges);
  result.max_range_blocks = LowerOne(hardware.max_range_blocks, wish.max_range_blocks);
  result.copy_offload = hardware.copy_offload && wish.copy_offload;
  return result;
}

}  // namespace gleaner
