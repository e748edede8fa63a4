#include "extent_map/leaf.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "extent_map/extent.h"

namespace gleaner {
namespace {

constexpr uint64_t kBase = 8192;  // the lba of the leaf's first block

class LeafTest : public ::testing::Test {
 protected:
  ~LeafTest() override { leaf_.Clear(pools_); }

  int Replace(uint64_t first, uint64_t count, uint64_t physical) {
    displaced_.clear();
    const auto visit = [this](const Extent& e) { displaced_.push_back(e); };
    ExtentMerger merger(visit);
    const int change = leaf_.Replace(kBase, {first, physical, count}, merger, pools_);
    merger.Finish();
    return change;
  }

  // Every other block mapped, none to its neighbours' neighbour.
  void MapExtents(uint64_t extents) {
    for (uint64_t i = 0; i < extents; ++i) Replace(2 * i, 1, 3 * i);
  }
  bool HasEntries() const { return leaf_.NarrowEntry(0) != nullptr; }

  EntryPools pools_;
  Leaf leaf_;
  std::vector<Extent> displaced_;
};

TEST_F(LeafTest, SaysWhenItFillsAndEmpties) {
  EXPECT_TRUE(leaf_.empty());
  EXPECT_EQ(Replace(0, 8, 700), 1);
  EXPECT_EQ(Replace(2, 1, 30), 0);
  EXPECT_EQ(Replace(0, 7, kUnmapped), 0);
  EXPECT_EQ(Replace(0, Leaf::kBlocks, kUnmapped), -1);
  EXPECT_EQ(displaced_,
            (std::vector<Extent>{{Lba(kBase + 7), PhysicalBlock(707), BlockCount(1)}}));
  EXPECT_TRUE(leaf_.empty());
  EXPECT_EQ(leaf_.memory_bytes(), 0u);
}

TEST_F(LeafTest, OneExtentNeedsNoMemory) {
  Replace(0, 8, 700);
  Replace(8, 8, 708);
  Replace(0, 4000, 700);
  EXPECT_EQ(leaf_.memory_bytes(), 0u);
  EXPECT_EQ(leaf_.PieceAt(2, 4096).count, 3998u);
  EXPECT_EQ(leaf_.PieceAt(4000, 4096).physical, kUnmapped);
  EXPECT_EQ(leaf_.Lookup(3999), 4699u);
  EXPECT_EQ(leaf_.Lookup(4000), kUnmapped);
}

TEST_F(LeafTest, TurnsToEntriesAtTheFirstExtentTooMany) {
  MapExtents(256);
  EXPECT_FALSE(HasEntries());
  EXPECT_EQ(pools_.narrow.memory_bytes(), 0u);
  Replace(2 * 256, 1, 3 * 256);
  EXPECT_TRUE(HasEntries());
  EXPECT_EQ(leaf_.memory_bytes(), 0u);
  EXPECT_EQ(pools_.narrow.memory_bytes(), 16384u);
  for (uint64_t i = 0; i <= 256; ++i) {
    EXPECT_EQ(leaf_.Lookup(2 * i), 3 * i);
    EXPECT_EQ(leaf_.Lookup(2 * i + 1), kUnmapped);
  }
}

TEST_F(LeafTest, TurnsBackWhenItHasLostMostBlocks) {
  MapExtents(257);
  for (uint64_t i = 0; i < 128; ++i) Replace(2 * i, 1, kUnmapped);
  EXPECT_TRUE(HasEntries());  // 129 blocks
  Replace(2 * 128, 1, kUnmapped);
  EXPECT_FALSE(HasEntries());
  EXPECT_EQ(pools_.narrow.memory_bytes(), 0u);
  EXPECT_EQ(leaf_.Lookup(2 * 129), 3u * 129);
}

// However fragmented it is, and wherever its count of updates stands.
TEST_F(LeafTest, TurnsBackWithinOnePassOfWritingInOrder) {
  for (uint64_t fragments : {300, 500, 700, 1000, 2000}) {
    for (uint64_t more = 0; more < 500; more += 97) {
      leaf_.Clear(pools_);
      MapExtents(fragments);
      for (uint64_t i = 0; i < more; ++i) Replace(0, 1, i);
      EXPECT_TRUE(HasEntries());
      for (uint64_t i = 0; i < Leaf::kBlocks; ++i) Replace(i, 1, 100000 + i);
      EXPECT_FALSE(HasEntries()) << fragments << " extents, " << more << " updates";
      EXPECT_EQ(leaf_.PieceAt(0, 4096).count, 4096u);
    }
  }
}

TEST_F(LeafTest, WidensForOneHighBlock) {
  MapExtents(257);
  Replace(1, 1, uint64_t{1} << 32);
  EXPECT_FALSE(HasEntries());
  EXPECT_EQ(pools_.narrow.memory_bytes(), 0u);
  EXPECT_EQ(pools_.wide.memory_bytes(), 32768u);
  EXPECT_EQ(leaf_.Lookup(1), uint64_t{1} << 32);
  EXPECT_EQ(leaf_.Lookup(2), 3u);
  EXPECT_EQ(leaf_.Lookup(3), kUnmapped);
}

TEST_F(LeafTest, ACompleteOverwriteIsOneExtent) {
  MapExtents(300);
  Replace(0, Leaf::kBlocks, 5);
  EXPECT_EQ(displaced_.size(), 300u);
  EXPECT_EQ(leaf_.PieceAt(0, 4096).count, 4096u);
  EXPECT_EQ(pools_.narrow.memory_bytes(), 0u);
}

}  // namespace
}  // namespace gleaner
