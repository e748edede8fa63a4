#include "extent_map/segment_geometry.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "base/random.h"

namespace gleaner {
namespace {

TEST(SegmentGeometryTest, PowerOfTwo) {
  const SegmentGeometry geometry(BlockCount(512));
  EXPECT_EQ(geometry.segment_of(PhysicalBlock(0)), SegmentId(0));
  EXPECT_EQ(geometry.segment_of(PhysicalBlock(511)), SegmentId(0));
  EXPECT_EQ(geometry.segment_of(PhysicalBlock(1030)), SegmentId(2));
  EXPECT_EQ(geometry.offset_of(PhysicalBlock(1030)), BlockCount(6));
  EXPECT_EQ(geometry.first_block(SegmentId(2)), PhysicalBlock(1024));
  EXPECT_EQ(geometry.range_of(SegmentId(2)),
            (PhysicalRange{PhysicalBlock(1024), BlockCount(512)}));
}

TEST(SegmentGeometryTest, AnySize) {
  const SegmentGeometry geometry(BlockCount(1000));
  EXPECT_EQ(geometry.segment_of(PhysicalBlock(2999)), SegmentId(2));
  EXPECT_EQ(geometry.segment_of(PhysicalBlock(3000)), SegmentId(3));
  EXPECT_EQ(geometry.offset_of(PhysicalBlock(2999)), BlockCount(999));
}

// Against the division that it avoids, at the edges of segments and at random.
TEST(SegmentGeometryTest, AgreesWithDivisionOverTheWholeDomain) {
  Random random(1);
  std::vector<uint64_t> sizes = {1, 2, 3, 5, 6, 7, 96, 487, 511, 513, 262143, 4294967295};
  for (int i = 0; i < 200; ++i) sizes.push_back(1 + (random.Next() >> (32 + i % 32)));
  for (uint64_t size : sizes) {
    const SegmentGeometry geometry{BlockCount(size)};
    for (int i = 0; i < 300; ++i) {
      const uint64_t segment = (random.Next() >> 32) % 4294967295;
      for (uint64_t block : {segment * size, segment * size + size - 1,
                             segment * size + random.Below(size)}) {
        ASSERT_EQ(geometry.segment_of(PhysicalBlock(block)).value(), segment)
            << block << " / " << size;
        ASSERT_EQ(geometry.offset_of(PhysicalBlock(block)).value(),
                  block - segment * size);
      }
    }
  }
}

TEST(SegmentGeometryTest, SplitsARangeAtSegmentEnds) {
  const SegmentGeometry geometry(BlockCount(100));
  using Parts = std::vector<std::pair<SegmentId, PhysicalRange>>;
  const auto split = [&geometry](uint64_t start, uint64_t count) {
    Parts parts;
    geometry.ForEachSegment(
        {PhysicalBlock(start), BlockCount(count)},
        [&parts](SegmentId id, PhysicalRange part) { parts.emplace_back(id, part); });
    return parts;
  };
  EXPECT_EQ(split(150, 0), Parts{});
  EXPECT_EQ(split(150, 50),
            (Parts{{SegmentId(1), {PhysicalBlock(150), BlockCount(50)}}}));
  EXPECT_EQ(split(150, 160),
            (Parts{{SegmentId(1), {PhysicalBlock(150), BlockCount(50)}},
                   {SegmentId(2), {PhysicalBlock(200), BlockCount(100)}},
                   {SegmentId(3), {PhysicalBlock(300), BlockCount(10)}}}));
}

TEST(SegmentGeometryDeathTest, RefusesAbsurdSizes) {
  EXPECT_DEATH(SegmentGeometry(BlockCount(0)), "CHECK");
  EXPECT_DEATH(SegmentGeometry(BlockCount(uint64_t{1} << 32)), "CHECK");
}

}  // namespace
}  // namespace gleaner
