#include "extent_map/sparse_extents.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "extent_map/extent.h"

namespace gleaner {
namespace {

constexpr uint64_t kArea = uint64_t{1} << SparseExtents::kAreaBits;

class SparseExtentsTest : public ::testing::Test {
 protected:
  std::optional<uint64_t> Replace(uint64_t first, uint64_t end, uint64_t physical) {
    displaced_.clear();
    const auto visit = [this](const Extent& e) { displaced_.push_back(e); };
    ExtentMerger merger(visit);
    const std::optional<uint64_t> crowded =
        extents_.Replace(first, end, physical, merger);
    merger.Finish();
    return crowded;
  }

  SparseExtents extents_;
  std::vector<Extent> displaced_;
};

TEST_F(SparseExtentsTest, PiecesOfNothing) {
  EXPECT_EQ(extents_.PieceAt(7).physical, kUnmapped);
  EXPECT_EQ(extents_.PieceAt(7).count, kUnmapped - 7);
  EXPECT_EQ(Replace(0, kUnmapped, kUnmapped), std::nullopt);
  EXPECT_EQ(extents_.memory_bytes(), 0u);
}

TEST_F(SparseExtentsTest, LongRangesCrossBuckets) {
  for (uint64_t i = 0; i < 5000; ++i)  // an area each, so none is crowded
    EXPECT_EQ(Replace(i * kArea, i * kArea + 1, i), std::nullopt);
  EXPECT_EQ(Replace(100 * kArea, 4000 * kArea, 9), std::nullopt);
  EXPECT_EQ(displaced_.size(), 3900u);
  EXPECT_EQ(displaced_.back(),
            (Extent{Lba(3999 * kArea), PhysicalBlock(3999), BlockCount(1)}));
  // In the middle, where buckets started before.
  const PackedRun piece = extents_.PieceAt(2000 * kArea + 5);
  EXPECT_EQ(piece.physical, 9 + 1900 * kArea + 5);
  EXPECT_EQ(piece.end(), 4000 * kArea);
  EXPECT_EQ(extents_.PieceAt(4000 * kArea).physical, 4000u);
  EXPECT_EQ(extents_.PieceAt(99 * kArea).physical, 99u);
}

TEST_F(SparseExtentsTest, TellsACrowdedArea) {
  for (uint64_t i = 0; i < 255; ++i)
    EXPECT_EQ(Replace(7 * kArea + 2 * i, 7 * kArea + 2 * i + 1, i), std::nullopt);
  EXPECT_EQ(Replace(7 * kArea + 1000, 7 * kArea + 1001, 0), std::optional<uint64_t>(7));
}

TEST_F(SparseExtentsTest, BucketsJoinAsTheyEmpty) {
  constexpr uint64_t kSingles = 100000;
  for (uint64_t i = 0; i < kSingles; ++i) Replace(i * kArea, i * kArea + 1, i);
  EXPECT_LT(extents_.memory_bytes(), kSingles * 14);
  for (uint64_t i = 0; i < kSingles; ++i)
    if (i % 100 != 0) Replace(i * kArea, i * kArea + 1, kUnmapped);
  EXPECT_LT(extents_.memory_bytes(), kSingles / 100 * 20);
  for (uint64_t i = 0; i < kSingles; i += 100)
    EXPECT_EQ(extents_.PieceAt(i * kArea).physical, i);
}

}  // namespace
}  // namespace gleaner
