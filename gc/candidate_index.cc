#include "gc/candidate_index.h"

#include <algorithm>

namespace gleaner {

CandidateIndex::CandidateIndex(uint32_t buckets, uint32_t slots) : buckets_(buckets) {
  GLEANER_CHECK(buckets > 0);
  Reset(slots);
}

void CandidateIndex::Reset(uint32_t slots) {
  GLEANER_CHECK(slots > 0);
  const bool same_size = slots == slots_;
  slots_ = slots;
  nonempty_.assign((buckets_ + 63) / 64, 0);
  if (same_size) {
    for (auto& level : levels_) std::fill(level.begin(), level.end(), 0);
    return;
  }
  levels_.clear();
  uint32_t positions = slots;
  do {
    const uint32_t groups = (positions + 63) / 64;
    levels_.emplace_back(size_t{groups} * buckets_, 0);
    positions = groups;
  } while (positions > 1);
  depth_ = levels_.size();
  for (size_t level = 0; level < depth_; ++level) base_[level] = levels_[level].data();
}

uint32_t CandidateIndex::Next(uint32_t bucket, uint32_t slot) const {
  // Climb until a word has a set bit to the right of where we came from, then descend.
  uint32_t position = slot;
  for (size_t level = 0; level < depth_; ++level) {
    const uint32_t bit = position & 63;
    const uint64_t above =
        bit == 63 ? 0
                  : WordAt(level, position >> 6, bucket) & (~uint64_t{0} << (bit + 1));
    if (above == 0) {
      position >>= 6;
      continue;
    }
    position = (position & ~63u) | static_cast<uint32_t>(std::countr_zero(above));
    while (level-- > 0) {
      const uint64_t word = WordAt(level, position, bucket);
      position = position << 6 | static_cast<uint32_t>(std::countr_zero(word));
    }
    return position;
  }
  return kNone;
}

uint64_t CandidateIndex::memory_bytes() const {
  uint64_t bytes = nonempty_.capacity() * sizeof(uint64_t);
  for (const auto& level : levels_) bytes += level.capacity() * sizeof(uint64_t);
  return bytes;
}

}  // namespace gleaner
