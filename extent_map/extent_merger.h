// Joins a series of extents, told in lba order, into the longest ones: two that meet both
// in lba and in physical blocks become one. The map stores long extents in pieces (per
// leaf, per packed array) and its callers must not see where the cuts are.
//
//   const auto visit = [](const Extent& e) { ... };
//   ExtentMerger merger(visit);
//   merger.Add(100, 7, 4);   // lba, physical, count
//   merger.Add(104, 11, 2);
//   merger.Finish();         // one call: lba(100)+6 at block(7)
//
// Thread-compatible. It keeps a reference to the callback, which must outlive it.
#pragma once

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "base/types.h"
#include "extent_map/extent.h"

namespace gleaner {

class ExtentMerger {
 public:
  explicit ExtentMerger(absl::FunctionRef<void(const Extent&)> visit) : visit_(visit) {}

  void Add(uint64_t lba, uint64_t physical, uint64_t count) {
    blocks_ += count;
    if (lba == lba_ + count_ && physical == physical_ + count_) {
      count_ += count;
      return;
    }
    Finish();
    lba_ = lba;
    physical_ = physical;
    count_ = count;
  }

  // Must follow the last Add.
  void Finish() {
    if (count_ != 0) visit_({Lba(lba_), PhysicalBlock(physical_), BlockCount(count_)});
    count_ = 0;
  }

  // All blocks added so far.
  uint64_t blocks() const { return blocks_; }

 private:
  absl::FunctionRef<void(const Extent&)> visit_;
  uint64_t lba_ = 0;
  uint64_t physical_ = 0;
  uint64_t count_ = 0;
  uint64_t blocks_ = 0;
};

}  // namespace gleaner
