#include "extent_map/extent_merger.h"

#include <gtest/gtest.h>

#include <vector>

namespace gleaner {
namespace {

TEST(ExtentMergerTest, JoinsWhatMeetsInBoth) {
  std::vector<Extent> extents;
  const auto visit = [&extents](const Extent& e) { extents.push_back(e); };
  ExtentMerger merger(visit);
  merger.Add(0, 0, 1);
  merger.Add(1, 1, 3);
  merger.Add(4, 7, 4);    // meets in lba only
  merger.Add(10, 11, 2);  // in physical blocks only
  merger.Finish();
  merger.Finish();
  const auto extent = [](uint64_t lba, uint64_t physical, uint64_t count) {
    return Extent{Lba(lba), PhysicalBlock(physical), BlockCount(count)};
  };
  EXPECT_EQ(extents,
            (std::vector<Extent>{extent(0, 0, 4), extent(4, 7, 4), extent(10, 11, 2)}));
  EXPECT_EQ(merger.blocks(), 10u);
}

}  // namespace
}  // namespace gleaner
