// What blocks held before the operations that no flush has covered yet: what a power cut can bring
// back.
//
//   UnflushedLog log(geometry.block_bytes, geometry.atomic_write);
//   log.Record(range, old_contents);              // then the operation changes it
//   const uint64_t covered = log.operations();    // a flush is submitted ...
//   log.Flushed(covered);                         // ... and completes
//   log.Cut(random, [&](DeviceBlock block, const char* contents) { ... });
//
// Thread-compatible. Memory: a block for each block that an operation changed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/random.h"
#include "base/types.h"
#include "device/geometry.h"

namespace gleaner {

class UnflushedLog {
 public:
  UnflushedLog(uint32_t block_bytes, DeviceBlockCount atomic_write)
      : block_bytes_(block_bytes), atomic_write_(atomic_write) {}

  // The next operation changes `range`, which holds `before` now.
  void Record(DeviceRange range, const char* before);
  // How many operations have been recorded.
  uint64_t operations() const { return operations_; }
  // The first so many operations are never undone.
  void Flushed(uint64_t operations);
  // Old contents that are kept.
  uint64_t bytes() const { return blocks_kept_ * block_bytes_; }

  // Draws what is left of the operations, and calls `restore` for each block that goes back to what
  // it held before some of them. One draw for as many blocks as are written atomically: of an
  // operation within them all is undone, or nothing. Then the log is empty.
  void Cut(Random& random,
           absl::FunctionRef<void(DeviceBlock, const char* contents)> restore);

 private:
  struct Version {
    uint64_t operation;  // that ended it; they count from 1
    std::unique_ptr<char[]> contents;
  };
  using Blocks = std::map<uint64_t, std::vector<Version>>;  // ordered: draws come in it

  // The operation from which on all of [first, last) is undone; too large: none.
  uint64_t DrawFirstUndone(Blocks::const_iterator first, Blocks::const_iterator last,
                           Random& random) const;

  const uint32_t block_bytes_;
  const DeviceBlockCount atomic_write_;
  Blocks blocks_;
  uint64_t blocks_kept_ = 0;
  uint64_t operations_ = 0;
};

}  // namespace gleaner
