#include "device/marker.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"

namespace gleaner {
namespace {

enum class Contents { kZeroes, kOurs, kForeign };

Contents Classify(const AlignedBuffer& buffer, uint32_t block_bytes) {
  bool zeroes = true;
  for (size_t at = 0; at < buffer.size(); at += block_bytes) {
    const char* block = buffer.data() + at;
    if (std::memcmp(block, kGleanerMarker, kGleanerMarkerBytes) == 0)
      return Contents::kOurs;
    // All zeroes: the first byte is, and every byte equals the one after it.
    zeroes =
        zeroes && block[0] == 0 && std::memcmp(block, block + 1, block_bytes - 1) == 0;
  }
  return zeroes ? Contents::kZeroes : Contents::kForeign;
}

}  // namespace

absl::Status CheckOverwritable(Device& device) {
  const Geometry& g = device.geometry();
  const DeviceBlockCount n(
      std::min<uint64_t>((1 << 20) / g.block_bytes, g.capacity.value()));
  GLEANER_ASSIGN_OR_RETURN(const auto queue, device.OpenQueue(1));
  AlignedBuffer buffer(n.value() * g.block_bytes);
  GLEANER_RETURN_IF_ERROR(ReadBlocks(*queue, {DeviceBlock(0), n}, buffer.data()));
  const Contents first = Classify(buffer, g.block_bytes);
  const DeviceBlock last_start = DeviceBlock(g.capacity.value()) - n;
  GLEANER_RETURN_IF_ERROR(ReadBlocks(*queue, {last_start, n}, buffer.data()));
  const Contents last = Classify(buffer, g.block_bytes);
  if (first == Contents::kOurs || last == Contents::kOurs ||
      (first == Contents::kZeroes && last == Contents::kZeroes)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(device.name(), " holds data that is not Gleaner's (in its ",
                   first == Contents::kForeign ? "first" : "last",
                   " MiB); it is overwritten only with --force"));
}

}  // namespace gleaner
