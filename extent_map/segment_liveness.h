// The truth about liveness: one bitmap per segment, a bit per block, set while the block
// is live (the map points to it). Counts of live blocks are kept alongside, never derived
// by others.
//
//   SegmentLiveness liveness(SegmentGeometry(BlockCount(512)), /*segments=*/1024);
//   liveness.MarkLive(PhysicalBlock(1030));
//   liveness.live_blocks(SegmentId(2));  // 1 blocks
//   liveness.ForEachLiveRun(SegmentId(2), [](PhysicalRange run) { ... });
//   liveness.MarkStale(PhysicalBlock(1030));
//
// Thread-compatible. Every block starts stale. To mark a live block live, or a stale one
// stale, is a bug of the caller's and stops the process. Blocks past the last segment are
// one too.
//
// Cost: 1 bit per block and 4 bytes per segment. Marking one block is a read and a write
// of its word and of its segment's count; a range costs a word per 64 blocks.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/huge_pages.h"
#include "base/types.h"
#include "extent_map/segment_geometry.h"

namespace gleaner {

class SegmentLiveness {
 public:
  SegmentLiveness(SegmentGeometry geometry, uint32_t segments);

  const SegmentGeometry& geometry() const { return geometry_; }
  uint32_t segments() const { return static_cast<uint32_t>(live_.size()); }

  // Adds segments, all stale, until there are `segments`; never fewer than there are.
  void Grow(uint32_t segments);

  // One block: the hot path. Returns its segment, whose count has changed.
  SegmentId MarkLive(PhysicalBlock block) {
    const Bit bit = BitOf(block);
    GLEANER_CHECK((words_[bit.word] & bit.mask) == 0);
    words_[bit.word] |= bit.mask;
    ++live_[bit.segment.value()];
    return bit.segment;
  }
  SegmentId MarkStale(PhysicalBlock block) {
    const Bit bit = BitOf(block);
    GLEANER_CHECK((words_[bit.word] & bit.mask) != 0);
    words_[bit.word] &= ~bit.mask;
    --live_[bit.segment.value()];
    return bit.segment;
  }

  // A range, which may span segments. Calls changed(SegmentId, uint32_t blocks) for each of them.
  template <typename Changed>
  void MarkLive(PhysicalRange range, Changed&& changed) {
    geometry_.ForEachSegment(range, [&](SegmentId segment, PhysicalRange part) {
      const auto n = static_cast<uint32_t>(part.count.value());
      Flip(segment, part, 0);
      live_[segment.value()] += n;
      changed(segment, n);
    });
  }
  template <typename Changed>
  void MarkStale(PhysicalRange range, Changed&& changed) {
    geometry_.ForEachSegment(range, [&](SegmentId segment, PhysicalRange part) {
      const auto n = static_cast<uint32_t>(part.count.value());
      Flip(segment, part, ~uint64_t{0});
      live_[segment.value()] -= n;
      changed(segment, n);
    });
  }
  // Those of the 64 blocks from `start` whose bit is set in `mask`, the lowest being start's. For
  // blocks that come in rising order, but in short runs.
  template <typename Changed>
  void MarkStale(PhysicalBlock start, uint64_t mask, Changed&& changed);
  void MarkLive(PhysicalRange range) {
    MarkLive(range, [](SegmentId, uint32_t) {});
  }
  void MarkStale(PhysicalRange range) {
    MarkStale(range, [](SegmentId, uint32_t) {});
  }

  // Makes every block of the segment stale, whatever it was.
  void Clear(SegmentId segment);

  bool IsLive(PhysicalBlock block) const {
    const Bit bit = BitOf(block);
    return (words_[bit.word] & bit.mask) != 0;
  }
  // Starts loading what MarkStale of this block will touch; returns its segment.
  SegmentId Prefetch(PhysicalBlock block) const {
    const Bit bit = BitOf(block);
    __builtin_prefetch(&words_[bit.word]);
    __builtin_prefetch(&live_[bit.segment.value()]);
    return bit.segment;
  }
  BlockCount live_blocks(SegmentId segment) const {
    return BlockCount(live_[segment.value()]);
  }

  // Calls visit(PhysicalRange) for each maximal run of live blocks of the segment, in
  // address order. The visitor may mark blocks of other segments, not of this one.
  template <typename Visitor>
  void ForEachLiveRun(SegmentId segment, Visitor&& visit) const;

  // The heap memory that this object holds.
  uint64_t memory_bytes() const;

 private:
  struct Bit {
    SegmentId segment;
    uint64_t word;
    uint64_t mask;
  };
  Bit BitOf(PhysicalBlock block) const {
    const SegmentId segment = geometry_.segment_of(block);
    GLEANER_DCHECK(segment.value() < live_.size());
    const uint64_t offset = (block - geometry_.first_block(segment)).value();
    return {segment, segment.value() * words_per_segment_ + offset / 64,
            uint64_t{1} << (offset % 64)};
  }

  // Flips the bits of a range inside one segment. Each must be as in `was` now: all or
  // none.
  void Flip(SegmentId segment, PhysicalRange part, uint64_t was);

  SegmentGeometry geometry_;
  uint64_t words_per_segment_;
  std::vector<uint64_t, HugePageAllocator<uint64_t>>
      words_;                   // words_per_segment_ for each segment
  std::vector<uint32_t> live_;  // by segment
};

template <typename Changed>
void SegmentLiveness::MarkStale(PhysicalBlock start, uint64_t mask, Changed&& changed) {
  while (mask != 0) {
    const SegmentId segment = geometry_.segment_of(start);
    GLEANER_CHECK(segment.value() < live_.size());
    const uint64_t at = geometry_.offset_of(start).value();
    const uint64_t left = geometry_.segment_blocks().value() - at;
    const uint64_t here = left < 64 ? mask & ((uint64_t{1} << left) - 1) : mask;
    uint64_t* word = words_.data() + segment.value() * words_per_segment_ + at / 64;
    const uint64_t low = here << (at % 64);
    const uint64_t high = at % 64 == 0 ? 0 : here >> (64 - at % 64);
    GLEANER_CHECK((word[0] & low) == low);
    word[0] ^= low;
    if (high != 0) {
      GLEANER_CHECK((word[1] & high) == high);
      word[1] ^= high;
    }
    const auto n = static_cast<uint32_t>(std::popcount(here));
    live_[segment.value()] -= n;
    if (n != 0) changed(segment, n);
    if (left >= 64) return;
    mask >>= left;
    start += BlockCount(left);
  }
}

template <typename Visitor>
void SegmentLiveness::ForEachLiveRun(SegmentId segment, Visitor&& visit) const {
  const PhysicalBlock first = geometry_.first_block(segment);
  const uint64_t* words = words_.data() + segment.value() * words_per_segment_;
  uint64_t run = 0;  // where the open run starts, if one is open
  bool open = false;
  for (uint64_t w = 0; w < words_per_segment_; ++w) {
    // Each turn goes on to the next change of liveness in this word, or past its end.
    for (int at = 0; at < 64;) {
      const uint64_t rest = (open ? ~words[w] : words[w]) >> at;
      if (rest == 0) break;
      at += std::countr_zero(rest);
      const uint64_t change = w * 64 + at;
      if (open) visit(PhysicalRange{first + BlockCount(run), BlockCount(change - run)});
      run = change;
      open = !open;
    }
  }
  if (open) {
    const uint64_t end = geometry_.segment_blocks().value();
    visit(PhysicalRange{first + BlockCount(run), BlockCount(end - run)});
  }
}

}  // namespace gleaner
