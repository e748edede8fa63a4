#include "sim/traces/block_numbering.h"

#include "absl/status/status.h"

namespace gleaner {

uint32_t* BlockNumbering::Find(uint32_t volume, uint64_t region) {
  if (volume >= volumes_.size()) return nullptr;
  const auto it = volumes_[volume].find(region);
  if (it == volumes_[volume].end()) return nullptr;
  return (*chunks_[it->second / kChunkRegions])[it->second % kChunkRegions].data();
}

uint32_t* BlockNumbering::FindOrAdd(uint32_t volume, uint64_t region) {
  if (volume >= volumes_.size()) volumes_.resize(volume + 1);
  const auto [it, is_new] = volumes_[volume].try_emplace(region, regions_);
  if (is_new) {
    if (regions_ % kChunkRegions == 0) {
      chunks_.push_back(std::make_unique<std::array<Region, kChunkRegions>>());
      for (Region& fresh : *chunks_.back()) fresh.fill(kNone);
    }
    ++regions_;  // cannot overflow: a region that is added gets a number, and they run
                 // out first
  }
  return (*chunks_[it->second / kChunkRegions])[it->second % kChunkRegions].data();
}

absl::StatusOr<uint32_t> BlockNumbering::New() {
  if (next_ == kNone) {
    return absl::ResourceExhaustedError(
        "the trace writes more than 2^32 - 1 distinct blocks");
  }
  return next_++;
}

}  // namespace gleaner
