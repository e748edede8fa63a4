// Where segments lie in physical blocks: segment s is the range of `size` from s * size.
//
//   SegmentGeometry geometry(BlockCount(512));
//   geometry.segment_of(PhysicalBlock(1030));  // segment(2)
//   geometry.offset_of(PhysicalBlock(1030));   // 6 blocks into it
//   geometry.first_block(SegmentId(2));        // block(1024)
//
// Immutable, so thread-safe. Nothing here divides: a power of two shifts, any other size
// multiplies by its reciprocal.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

#include "base/check.h"
#include "base/types.h"

namespace gleaner {

class SegmentGeometry {
 public:
  // At most 2^32 - 1 blocks: a segment is a zone at its largest, and those are of a few
  // GiB.
  static constexpr uint64_t kMaxSegmentBlocks = std::numeric_limits<uint32_t>::max();

  // `segment_blocks` is the size of a segment, from 1 to kMaxSegmentBlocks; its capacity,
  // the blocks that may hold data, is the segment table's business.
  explicit SegmentGeometry(BlockCount segment_blocks)
      : segment_blocks_(segment_blocks.value()) {
    GLEANER_CHECK(segment_blocks_ > 0 && segment_blocks_ <= kMaxSegmentBlocks);
    shift_ = std::countr_zero(segment_blocks_);
    if (!std::has_single_bit(segment_blocks_))
      reciprocal_ = ~uint64_t{0} / (segment_blocks_ >> shift_) + 1;
  }

  BlockCount segment_blocks() const { return BlockCount(segment_blocks_); }

  // Precondition of all three: the block lies in a segment whose number is a valid
  // SegmentId.
  SegmentId segment_of(PhysicalBlock block) const {
    return SegmentId(static_cast<uint32_t>(Divide(block.value())));
  }
  BlockCount offset_of(PhysicalBlock block) const {
    return BlockCount(block.value() - Divide(block.value()) * segment_blocks_);
  }
  PhysicalBlock first_block(SegmentId segment) const {
    return PhysicalBlock(segment.value() * segment_blocks_);
  }

  PhysicalRange range_of(SegmentId segment) const {
    return {first_block(segment), segment_blocks()};
  }

  // Calls visit(SegmentId, PhysicalRange part) for the part of `range` in each segment,
  // in order.
  template <typename Visitor>
  void ForEachSegment(PhysicalRange range, Visitor&& visit) const {
    while (!range.empty()) {
      const SegmentId segment = segment_of(range.start);
      const BlockCount part =
          std::min(range.count, range_of(segment).end() - range.start);
      visit(segment, PhysicalRange{range.start, part});
      range = {range.start + part, range.count - part};
    }
  }

 private:
  uint64_t Divide(uint64_t block) const {
    const uint64_t n = block >> shift_;
    if (reciprocal_ == 0) return n;
    // reciprocal = (2^64 + e) / d with 0 < e < d, so the product exceeds n / d by less
    // than n / 2^64 < 1: the quotient is right or one too large, and then the remainder
    // is negative.
    const uint64_t d = segment_blocks_ >> shift_;
    const auto quotient =
        static_cast<uint64_t>((static_cast<unsigned __int128>(reciprocal_) * n) >> 64);
    return quotient - (n - quotient * d >= d);
  }

  uint64_t segment_blocks_;
  uint64_t reciprocal_ =
      0;       // of the odd part of the size; 0 where the size is a power of two
  int shift_;  // of the power of two in the size
};

}  // namespace gleaner
