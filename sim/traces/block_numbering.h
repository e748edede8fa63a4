// Numbers the blocks of a trace's volumes densely, 0, 1, 2, …, in order of first
// assignment.
//
//   BlockNumbering numbering;
//   uint32_t* numbers = numbering.FindOrAdd(volume, block /
//   BlockNumbering::kRegionBlocks); uint32_t& number = numbers[block %
//   BlockNumbering::kRegionBlocks]; if (number == BlockNumbering::kNone)
//   GLEANER_ASSIGN_OR_RETURN(number, numbering.New());
//
// Numbers live in regions of 16 neighbouring blocks, found by a hash table per volume:
// about 6 bytes per block where whole regions are written, about 90 for a block alone in
// its region. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"

namespace gleaner {

class BlockNumbering {
 public:
  static constexpr uint32_t kRegionBlocks = 8;
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

  // The numbers of the region's kRegionBlocks blocks, kNone where a block has none yet.
  // Valid as long as this object. O(1). Find returns nullptr where FindOrAdd was not
  // called.
  uint32_t* Find(uint32_t volume, uint64_t region);
  uint32_t* FindOrAdd(uint32_t volume, uint64_t region);

  // The next number, for the caller to store. ResourceExhausted after 2^32 - 1.
  absl::StatusOr<uint32_t> New();

  // How many numbers there are.
  uint64_t size() const { return next_; }

 private:
  using Region = std::array<uint32_t, kRegionBlocks>;
  static constexpr uint32_t kChunkRegions = 1024;

  std::vector<absl::flat_hash_map<uint64_t, uint32_t>>
      volumes_;  // region -> index in chunks_
  std::vector<std::unique_ptr<std::array<Region, kChunkRegions>>> chunks_;
  uint32_t regions_ = 0;
  uint32_t next_ = 0;
};

}  // namespace gleaner
