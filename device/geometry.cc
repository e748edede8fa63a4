#include "device/geometry.h"

#include <algorithm>

namespace gleaner {
namespace {

// What the fields of an NVMe Copy can say: 16 bits of blocks in a range, 8 bits of ranges. In all
// no more than in one range: larger commands gain nothing, and hold up others for longer.
constexpr uint64_t kMostBlocks = uint64_t{1} << 16;
constexpr uint32_t kMostRanges = 256;

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
  result.unknown = hardware.unknown;
  return result;
}

CopyLimits WithCaps(const CopyLimits& hardware) {
  CopyLimits result = hardware;
  if (!hardware.unknown) return result;
  if (result.max_copy_blocks == 0) result.max_copy_blocks = kMostBlocks;
  if (result.max_copy_ranges == 0) result.max_copy_ranges = kMostRanges;
  if (result.max_range_blocks == 0) result.max_range_blocks = kMostBlocks;
  return result;
}

DeviceBlockCount TotalBlocks(absl::Span<const DeviceRange> ranges) {
  DeviceBlockCount blocks;
  for (const DeviceRange& range : ranges) blocks += range.count;
  return blocks;
}

bool KeepsLimits(absl::Span<const DeviceRange> sources, const CopyLimits& limits) {
  return limits.can_copy() && sources.size() <= limits.max_copy_ranges &&
         TotalBlocks(sources).value() <= limits.max_copy_blocks &&
         std::all_of(sources.begin(), sources.end(), [&limits](const DeviceRange& range) {
           return range.count.value() <= limits.max_range_blocks;
         });
}

}  // namespace gleaner
