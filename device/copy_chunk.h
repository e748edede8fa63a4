// The plan of one emulated copy: reads that fill a buffer, and the one write that empties
// it.
//
//   CopyChunk chunk;
//   chunk.Begin(target->geometry(), buffer_bytes);
//   while (more) {
//     DeviceBlockCount n = chunk.Take(source, {from, left}, to);
//     if (n.value() == 0) break;  // the chunk is complete
//     ...
//   }
//
// Small ranges that land next to each other share the write; ranges that are next to each
// other share a read. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "base/types.h"
#include "device/device.h"
#include "device/geometry.h"

namespace gleaner {

class CopyChunk {
 public:
  struct Read {
    Device* source;
    DeviceRange range;       // in the source's blocks
    uint64_t buffer_offset;  // bytes
  };

  // Starts anew. `target` must outlive the chunk; the buffer starts at a page.
  void Begin(const Geometry& target, uint64_t buffer_bytes);

  // Adds as much of a run as fits and returns how much that is; zero if the chunk is
  // complete: full, at a zone's end, or `to` does not follow what it has. `range` starts
  // in blocks of the source and counts in the target's. What is left fits into the next
  // chunk.
  DeviceBlockCount Take(Device* source, DeviceRange range, DeviceBlock to);

  const std::vector<Read>& reads() const { return reads_; }
  DeviceRange target() const { return target_; }

 private:
  uint64_t Room(DeviceBlock to) const;
  void AddRead(Device* source, DeviceRange range);

  const Geometry* geometry_ = nullptr;
  uint64_t buffer_bytes_ = 0;
  uint64_t used_bytes_ = 0;
  bool complete_ = false;  // the last read ends inside a block: nothing can follow it
  DeviceRange target_;
  std::vector<Read> reads_;
};

}  // namespace gleaner
