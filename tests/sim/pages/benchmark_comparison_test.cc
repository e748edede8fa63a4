#include "sim/pages/benchmark_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "sim/pages/benchmark_findings.h"

namespace gleaner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

BenchmarkCase Case(const std::string& live, const std::string& run,
                   const std::string& copy, Spread wall) {
  BenchmarkCase c;
  c.family = "relocation";
  c.dimensions = {{"live", live}, {"run", run}, {"copy", copy}, {"depth", "8"}};
  c.repetitions = 3;
  c.figures[kWallSeconds] = wall;
  return c;
}

std::vector<BenchmarkCase> Sample() {
  std::vector<BenchmarkCase> cases = {Case("50", "1", "native", {3, 2.9, 3.1}),
                                      Case("50", "1", "emulated", {2, 1.9, 2.1}),
                                      Case("50", "1", "auto", {2.5, 2.4, 2.6}),
                                      Case("50", "16", "native", {1, 0.9, 1.1}),
                                      Case("50", "16", "emulate", {4, 3.9, 4.1}),
                                      Case("50", "16", "auto", {1, 0.9, 1.1})};
  return cases;
}

TEST(ComparisonTest, GroupsWithoutWhatDoesNotVary) {
  const std::vector<BenchmarkCase> cases = Sample();
  const std::vector<ComparisonGroup> groups = GroupComparisons(cases);
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].others, "");
  EXPECT_THAT(groups[0].runs, ElementsAre("1", "16"));
  EXPECT_THAT(groups[0].lives, ElementsAre("50"));
  EXPECT_EQ(groups[0].Find("50", "1")->paths.size(), 3u);
  EXPECT_EQ(groups[0].Find("50", "4"), nullptr);
}

TEST(ComparisonTest, GroupsByWhatElseVaries) {
  std::vector<BenchmarkCase> cases = Sample();
  cases.push_back(Case("50", "1", "native", {1, 1, 1}));
  cases.back().dimensions.back().second = "1";
  const std::vector<ComparisonGroup> groups = GroupComparisons(cases);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].others, "depth 8");
  EXPECT_EQ(groups[1].others, "depth 1");
}

TEST(ComparisonTest, Ratios) {
  const std::vector<BenchmarkCase> cases = Sample();
  const std::vector<ComparisonGroup> groups = GroupComparisons(cases);
  const Comparison& one = *groups[0].Find("50", "1");
  const auto wall = NativeToEmulated(one, Cost::kWall);
  ASSERT_TRUE(wall.has_value());
  EXPECT_EQ(wall->median, 1.5);
  EXPECT_DOUBLE_EQ(wall->low, 2.9 / 2.1);
  EXPECT_DOUBLE_EQ(wall->high, 3.1 / 1.9);
  EXPECT_EQ(AutoToFaster(one)->median, 1.25);
  EXPECT_EQ(AutoToFaster(*groups[0].Find("50", "16"))->median, 1);
  EXPECT_FALSE(NativeToEmulated(one, Cost::kCpu).has_value());
}

TEST(ComparisonTest, CostsAreForEachByteMoved) {
  BenchmarkCase a = Case("1", "1", "native", {2, 2, 2});
  BenchmarkCase b = Case("1", "1", "emulate", {2, 2, 2});
  a.figures["relocated_bytes"] = {200, 200, 200};
  b.figures["relocated_bytes"] = {100, 100, 100};
  EXPECT_EQ(CostRatio(a, b, Cost::kWall)->median, 0.5);
  a.figures["cpu_seconds_per_gib"] = {3, 3, 3};
  b.figures["cpu_seconds_per_gib"] = {4, 4, 4};
  EXPECT_EQ(CostRatio(a, b, Cost::kCpu)->median, 0.75);
  b.figures["host_bytes"] = {0, 0, 0};
  a.figures["host_bytes"] = {1, 1, 1};
  EXPECT_FALSE(CostRatio(a, b, Cost::kHostBytes).has_value());
  EXPECT_EQ(Throughput(a)->median, 100);
}

TEST(FindingsTest, InNumbers) {
  const std::vector<BenchmarkCase> cases = Sample();
  const ComparisonGroup group = GroupComparisons(cases)[0];
  EXPECT_EQ(
      FindingsText(group),
      "2 states of live share and run length, each the median of 3 repetitions. At "
      "the median, native relocation took 0.875 times the wall time (1.5 at runs of "
      "1 block, 0.25 at 16). Native was slower beyond the spread in 1 of 2, most at "
      "50 % live, runs of 1 block: 1.5 times as long; faster in 1, most at 50 % "
      "live, runs of 16 blocks: 0.25 times. Automatic choice came within 5 % of the "
      "faster path in 1 of 2; it took 1.12 times as long as that path at the median, "
      "and 1.25 times at worst, at 50 % live, runs of 1 block.");
  EXPECT_THAT(
      FindingsTiles(group),
      ElementsAre(::testing::Pair("0.875 ×", "wall time, native / emulated"),
                  ::testing::Pair("1.12 ×", "wall time, automatic / faster path")));
}

TEST(FindingsTest, NothingToCompare) {
  const std::vector<BenchmarkCase> cases = {Case("50", "1", "native", {1, 1, 1})};
  EXPECT_THAT(FindingsText(GroupComparisons(cases)[0]), HasSubstr("nothing to compare"));
}

}  // namespace
}  // namespace gleaner
