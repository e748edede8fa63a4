#include "extent_map/segment_liveness.h"

#include <algorithm>

namespace gleaner {

SegmentLiveness::SegmentLiveness(SegmentGeometry geometry, uint32_t segments)
    : geometry_(geometry),
      words_per_segment_((geometry.segment_blocks().value() + 63) / 64) {
  Grow(segments);
}

void SegmentLiveness::Grow(uint32_t segments) {
  GLEANER_CHECK(segments >= live_.size());
  words_.resize(segments * words_per_segment_);
  live_.resize(segments);
}

void SegmentLiveness::Flip(SegmentId segment, PhysicalRange part, uint64_t was) {
  GLEANER_CHECK(segment.value() < live_.size());
  uint64_t* words = words_.data() + segment.value() * words_per_segment_;
  uint64_t at = (part.start - geometry_.first_block(segment)).value();
  const uint64_t end = at + part.count.value();
  while (at < end) {
    const uint64_t n = std::min(end - at, 64 - at % 64);
    const uint64_t mask = (~uint64_t{0} >> (64 - n)) << (at % 64);
    GLEANER_CHECK((words[at / 64] & mask) == (was & mask));
    words[at / 64] ^= mask;
    at += n;
  }
}

void SegmentLiveness::Clear(SegmentId segment) {
  GLEANER_CHECK(segment.value() < live_.size());
  std::fill_n(words_.begin() + segment.value() * words_per_segment_, words_per_segment_,
              0);
  live_[segment.value()] = 0;
}

uint64_t SegmentLiveness::memory_bytes() const {
  return words_.capacity() * sizeof(words_[0]) + live_.capacity() * sizeof(live_[0]);
}

}  // namespace gleaner
