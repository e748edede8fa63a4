#include "extent_map/packed_extents.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <tuple>
#include <vector>

namespace gleaner {
namespace {

using Runs =
    std::vector<std::tuple<uint64_t, uint64_t, uint64_t>>;  // key, physical, count

template <typename Packed>
Runs All(const Packed& extents) {
  Runs runs;
  for (size_t i = 0; i < extents.size(); ++i) {
    const PackedRun run = extents.At(i);
    runs.emplace_back(run.key, run.physical, run.count);
  }
  return runs;
}

template <typename Packed>
Runs Replace(Packed& extents, uint64_t first, uint64_t end, uint64_t physical) {
  Runs displaced;
  extents.Replace(first, end, physical, [&displaced](const PackedRun& run) {
    displaced.emplace_back(run.key, run.physical, run.count);
  });
  return displaced;
}

class PackedExtentsTest : public ::testing::Test {
 protected:
  ~PackedExtentsTest() override { extents_.Free(); }
  PackedExtents<uint16_t> extents_;
};

TEST_F(PackedExtentsTest, CutsWhatReachesBeyond) {
  EXPECT_EQ(Replace(extents_, 10, 20, 700), Runs{});
  EXPECT_EQ(Replace(extents_, 12, 13, kUnmapped), (Runs{{12, 702, 1}}));
  EXPECT_EQ(All(extents_), (Runs{{10, 700, 2}, {13, 703, 7}}));
  EXPECT_EQ(Replace(extents_, 11, 15, 30), (Runs{{11, 701, 1}, {13, 703, 2}}));
  EXPECT_EQ(All(extents_), (Runs{{10, 700, 1}, {11, 30, 4}, {15, 705, 5}}));
}

TEST_F(PackedExtentsTest, JoinsWhatMeetsOnEitherSide) {
  Replace(extents_, 10, 12, 700);
  Replace(extents_, 14, 16, 704);
  Replace(extents_, 12, 13, 702);
  EXPECT_EQ(All(extents_), (Runs{{10, 700, 3}, {14, 704, 2}}));
  Replace(extents_, 13, 14, 703);
  EXPECT_EQ(All(extents_), (Runs{{10, 700, 6}}));
  EXPECT_EQ(Replace(extents_, 11, 13, 701), (Runs{{11, 701, 2}}));  // as it was
  EXPECT_EQ(All(extents_), (Runs{{10, 700, 6}}));
}

TEST_F(PackedExtentsTest, WritesOnInPlace) {
  Replace(extents_, 0, 100, 700);
  Replace(extents_, 0, 8, 30);
  EXPECT_EQ(Replace(extents_, 8, 16, 38), (Runs{{8, 708, 8}}));
  EXPECT_EQ(All(extents_), (Runs{{0, 30, 16}, {16, 716, 84}}));
  EXPECT_EQ(Replace(extents_, 16, 100, 46), (Runs{{16, 716, 84}}));
  EXPECT_EQ(All(extents_), (Runs{{0, 30, 100}}));
}

TEST_F(PackedExtentsTest, FindsTheExtentOrTheNext) {
  EXPECT_EQ(extents_.FirstEndingAfter(0), 0u);
  Replace(extents_, 10, 12, 700);
  Replace(extents_, 20, 21, 30);
  EXPECT_EQ(extents_.FirstEndingAfter(9), 0u);
  EXPECT_EQ(extents_.FirstEndingAfter(11), 0u);
  EXPECT_EQ(extents_.FirstEndingAfter(12), 1u);
  EXPECT_EQ(extents_.FirstEndingAfter(20), 1u);
  EXPECT_EQ(extents_.FirstEndingAfter(21), 2u);
}

// 100 extents and a few; an eighth of slack at most, and malloc's share of 23 bytes at most.
TEST_F(PackedExtentsTest, TakesOnlyTheColumnsItNeeds) {
  const auto at_most = [](uint64_t bytes_each) { return 116 * bytes_each + 23; };
  for (uint64_t i = 0; i < 100; ++i) Replace(extents_, 10 * i, 10 * i + 1, i);
  EXPECT_LE(extents_.memory_bytes(), at_most(2 + 4));
  Replace(extents_, 2, 5, 77);  // a count
  EXPECT_GT(extents_.memory_bytes(), 100u * (2 + 4 + 2));
  EXPECT_LE(extents_.memory_bytes(), at_most(2 + 4 + 2));
  Replace(extents_, 6, 7, uint64_t{1} << 32);  // a physical block of more than 32 bits
  EXPECT_GT(extents_.memory_bytes(), 100u * (2 + 8 + 2));
  EXPECT_LE(extents_.memory_bytes(), at_most(2 + 8 + 2));
  EXPECT_EQ(extents_.At(2).physical, uint64_t{1} << 32);
  EXPECT_EQ(extents_.At(3).physical, 1u);
  Replace(extents_, 0, 500, kUnmapped);
  EXPECT_LE(extents_.memory_bytes(), 116u * (2 + 4 + 2));
  Replace(extents_, 0, 1000, kUnmapped);
  EXPECT_EQ(extents_.memory_bytes(), 0u);
}

TEST_F(PackedExtentsTest, ASequelPastThe32BitsWidens) {
  Replace(extents_, 0, 100, 0xfffffff0);
  Replace(extents_, 0, 20, 5);  // what is left starts at 2^32 + 4
  EXPECT_EQ(All(extents_), (Runs{{0, 5, 20}, {20, 0x100000004, 80}}));
}

TEST(PackedExtentsOfLongKeysTest, HoldsAll64Bits) {
  PackedExtents<uint64_t> extents;
  constexpr uint64_t kTop = kUnmapped - 1;
  Replace(extents, 0, uint64_t{1} << 62, 9);
  Replace(extents, kTop, kUnmapped, kTop);
  EXPECT_EQ(All(extents), (Runs{{0, 9, uint64_t{1} << 62}, {kTop, kTop, 1}}));
  extents.Free();
}

}  // namespace
}  // namespace gleaner
