#include "gc/copy_planner.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/types.h"
#include "extent_map/extent.h"
#include "gc/relocation_sink.h"

namespace gleaner {
namespace {

Extent E(uint64_t lba, uint64_t physical, uint64_t count) {
  return {Lba(lba), PhysicalBlock(physical), BlockCount(count)};
}
Move M(uint64_t lba, uint64_t from, uint64_t to, uint64_t count) {
  return {Lba(lba), PhysicalBlock(from), PhysicalBlock(to), BlockCount(count)};
}
PhysicalRange Blocks(uint64_t start, uint64_t count) {
  return {PhysicalBlock(start), BlockCount(count)};
}

TEST(OrderSurvivorsTest, VictimOrderIsKept) {
  std::vector<Extent> survivors = {E(9, 0, 1), E(3, 5, 2), E(6, 7, 1)};
  OrderSurvivors(SurvivorOrder::kVictim, &survivors);
  EXPECT_EQ(survivors, (std::vector{E(9, 0, 1), E(3, 5, 2), E(6, 7, 1)}));
}

TEST(OrderSurvivorsTest, LbaOrderSorts) {
  std::vector<Extent> survivors = {E(9, 0, 1), E(3, 5, 2), E(6, 7, 1)};
  OrderSurvivors(SurvivorOrder::kLba, &survivors);
  EXPECT_EQ(survivors, (std::vector{E(3, 5, 2), E(6, 7, 1), E(9, 0, 1)}));
}

TEST(CopyPlannerTest, NoSurvivorsAreDone) {
  CopyPlanner planner({});
  EXPECT_TRUE(planner.done());
  EXPECT_EQ(planner.remaining(), BlockCount(0));
}

TEST(CopyPlannerTest, LaysOneAfterTheOther) {
  const std::vector<Extent> survivors = {E(10, 100, 3), E(50, 107, 2)};
  CopyPlanner planner(survivors);
  EXPECT_EQ(planner.remaining(), BlockCount(5));
  std::vector<Move> moves;
  planner.LayOver(Blocks(512, 5), &moves);
  EXPECT_TRUE(planner.done());
  EXPECT_EQ(planner.remaining(), BlockCount(0));
  EXPECT_EQ(moves, (std::vector{M(10, 100, 512, 3), M(50, 107, 515, 2)}));
}

TEST(CopyPlannerTest, CutsWhereARunEnds) {
  const std::vector<Extent> survivors = {E(10, 100, 3), E(50, 107, 4)};
  CopyPlanner planner(survivors);
  std::vector<Move> moves;
  planner.LayOver(Blocks(510, 2), &moves);
  EXPECT_FALSE(planner.done());
  EXPECT_EQ(planner.remaining(), BlockCount(5));
  planner.LayOver(Blocks(1024, 2), &moves);
  planner.LayOver(Blocks(2048, 3), &moves);
  EXPECT_TRUE(planner.done());
  EXPECT_EQ(moves, (std::vector{M(10, 100, 510, 2), M(12, 102, 1024, 1),
                                M(50, 107, 1025, 1), M(51, 108, 2048, 3)}));
}

TEST(CopyPlannerTest, LeavesTheRestOfALongRun) {
  const std::vector<Extent> survivors = {E(1, 2, 1)};
  CopyPlanner planner(survivors);
  std::vector<Move> moves;
  planner.LayOver(Blocks(8, 100), &moves);
  EXPECT_EQ(moves, (std::vector{M(1, 2, 8, 1)}));
}

}  // namespace
}  // namespace gleaner
