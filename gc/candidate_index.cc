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

uint64_t CandidateIndex::memory_bytes() const {
  uint64_t bytes = nonempty_.capacity() * sizeof(uint64_t);
  for (const auto& level : levels_) bytes += level.capacity() * sizeof(uint64_t);
  return bytes;
}

}  // namespace gleaner
