#include "device/copy_chunk.h"

#include <algorithm>

namespace gleaner {

void CopyChunk::Begin(const Geometry& target, uint64_t buffer_bytes) {
  geometry_ = &target;
  buffer_bytes_ = buffer_bytes;
  used_bytes_ = 0;
  complete_ = false;
  target_ = {};
  reads_.clear();
}

// Bytes that the target takes from `to` on, in this chunk.
uint64_t CopyChunk::Room(DeviceBlock to) const {
  if (complete_ || (!reads_.empty() && to != target_.end())) return 0;
  const uint64_t room = buffer_bytes_ - used_bytes_;
  if (!geometry_->zoned()) return room;
  const DeviceBlock first = reads_.empty() ? to : target_.start;
  const DeviceBlock zone_end = geometry_->ZoneStart(first) + geometry_->zone_size;
  return std::min(room, (zone_end - to).value() * geometry_->block_bytes);
}

DeviceBlockCount CopyChunk::Take(Device* source, DeviceRange range, DeviceBlock to) {
  const Geometry& from = source->geometry();
  const uint64_t block = geometry_->block_bytes;
  if (used_bytes_ % from.buffer_alignment != 0) return DeviceBlockCount(0);
  // Whole blocks of the source; only the end of the run may lie inside one, and is read
  // with the rest of that block if the buffer has room for it.
  uint64_t bytes = std::min(Room(to), range.count.value() * block);
  const uint64_t excess = bytes % from.block_bytes;
  const bool is_end = bytes == range.count.value() * block;
  if (excess != 0 && is_end &&
      used_bytes_ + bytes - excess + from.block_bytes <= buffer_bytes_) {
    complete_ = true;
  } else {
    bytes -= excess;
  }
  if (bytes == 0) return DeviceBlockCount(0);
  const uint64_t blocks_read = (bytes + from.block_bytes - 1) / from.block_bytes;
  AddRead(source, {range.start, DeviceBlockCount(blocks_read)});
  if (target_.empty()) target_.start = to;
  target_.count += DeviceBlockCount(bytes / block);
  used_bytes_ += bytes;
  return DeviceBlockCount(bytes / block);
}

void CopyChunk::AddRead(Device* source, DeviceRange range) {
  if (!reads_.empty() && reads_.back().source == source &&
      reads_.back().range.end() == range.start) {
    reads_.back().range.count += range.count;
  } else {
    reads_.push_back({source, range, used_bytes_});
  }
}

}  // namespace gleaner
