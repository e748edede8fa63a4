#include "sim/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// All blocks that the workload writes, asked for in batches of `batch`.
std::vector<uint64_t> Blocks(absl::string_view spec, const WorkloadOptions& options,
                             size_t batch = 256) {
  auto source = MakeWorkload(spec, options);
  EXPECT_TRUE(source.ok()) << source.status();
  std::vector<uint64_t> blocks;
  std::vector<Request> requests(batch);
  while (source.ok()) {
    const absl::StatusOr<size_t> n = (*source)->Next(absl::MakeSpan(requests));
    EXPECT_TRUE(n.ok()) << n.status();
    if (!n.ok() || *n == 0) break;
    for (const Request& request : absl::MakeSpan(requests).first(*n)) {
      EXPECT_EQ(request,
                (Request{.lba = request.lba, .blocks = 1, .op = RequestOp::kWrite}));
      EXPECT_LT(request.lba, options.volume_blocks);
      blocks.push_back(request.lba);
    }
  }
  EXPECT_EQ(blocks.size(), options.writes);
  return blocks;
}

std::vector<int> Counts(const std::vector<uint64_t>& blocks, uint64_t volume_blocks) {
  std::vector<int> counts(volume_blocks);
  for (uint64_t block : blocks) ++counts[block];
  return counts;
}

// How often the hottest, the second hottest and so on were written.
std::vector<int> Hottest(std::vector<int> counts) {
  std::sort(counts.rbegin(), counts.rend());
  return counts;
}

TEST(WorkloadTest, SequentialWrapsAround) {
  EXPECT_THAT(Blocks("sequential", {.volume_blocks = 3, .writes = 7, .seed = 1}),
              ElementsAre(0, 1, 2, 0, 1, 2, 0));
}

TEST(WorkloadTest, EndsAfterItsWritesWhateverTheBatch) {
  const WorkloadOptions options{.volume_blocks = 1000, .writes = 1000, .seed = 3};
  EXPECT_EQ(Blocks("zipf:1", options, 1), Blocks("zipf:1", options, 1024));
  EXPECT_THAT(Blocks("uniform", {.volume_blocks = 10, .writes = 0, .seed = 1}),
              ElementsAre());
}

TEST(WorkloadTest, UniformIsUniform) {
  for (int count :
       Counts(Blocks("uniform", {.volume_blocks = 100, .writes = 1000000}), 100))
    EXPECT_NEAR(count, 10000, 500);
}

TEST(WorkloadTest, ZipfLaysRanksOverTheVolume) {
  constexpr uint64_t kBlocks = 1000;
  const std::vector<int> counts =
      Counts(Blocks("zipf:1", {.volume_blocks = kBlocks, .writes = 1000000, .seed = 9}),
             kBlocks);
  const std::vector<int> hottest = Hottest(counts);
  for (int rank : {1, 2, 3, 10})  // the thousandth harmonic number is 7.485
    EXPECT_NEAR(hottest[rank - 1], 1e6 / 7.4855 / rank,
                5 * std::sqrt(1e6 / 7.4855 / rank));
  // No drift along the volume: either half has its share of the hundred hottest.
  const int hot = hottest[100];
  EXPECT_NEAR(std::count_if(counts.begin(), counts.begin() + kBlocks / 2,
                            [hot](int count) { return count > hot; }),
              50, 20);
}

TEST(WorkloadTest, HotcoldSplitsWritesAndSpace) {
  constexpr uint64_t kBlocks = 1000;
  const std::vector<int> counts = Counts(
      Blocks("hotcold:0.9:0.1", {.volume_blocks = kBlocks, .writes = 1000000}), kBlocks);
  const std::vector<int> hottest = Hottest(counts);
  // 100 blocks with 9000 writes each, 900 with 111.
  EXPECT_NEAR(hottest[0], 9000, 500);
  EXPECT_NEAR(hottest[99], 9000, 500);
  EXPECT_NEAR(hottest[100], 111, 55);
  EXPECT_NEAR(hottest[999], 111, 55);
  EXPECT_NEAR(std::count_if(counts.begin(), counts.begin() + kBlocks / 2,
                            [](int count) { return count > 1000; }),
              50, 20);
}

TEST(WorkloadTest, ZipfShiftSwapsTheHottestAmongThemselves) {
  // A shift every 200,000 writes, of the 20 hottest of 100 blocks.
  const std::vector<uint64_t> blocks = Blocks(
      "zipf-shift:1:0.2:2000", {.volume_blocks = 100, .writes = 1000000, .seed = 5});
  std::set<std::set<uint64_t>> hot_sets;
  std::set<uint64_t> hottest_blocks;
  std::vector<std::vector<int>> cold_counts;
  for (uint64_t period = 0; period < 5; ++period) {
    const std::vector<int> counts = Counts(
        {blocks.begin() + period * 200000, blocks.begin() + (period + 1) * 200000}, 100);
    const std::vector<int> hottest = Hottest(counts);
    EXPECT_NEAR(hottest[0], 200000 / 5.1874, 1000);
    EXPECT_NEAR(hottest[4], 200000 / 5.1874 / 5, 500);
    hottest_blocks.insert(std::max_element(counts.begin(), counts.end()) -
                          counts.begin());
    // The ten hottest are among the same twenty, so ten periods see no more than twenty.
    std::set<uint64_t> hot;
    for (uint64_t block = 0; block < 100; ++block)
      if (counts[block] > hottest[10]) hot.insert(block);
    hot_sets.insert(hot);
    cold_counts.push_back(counts);
  }
  EXPECT_GT(hottest_blocks.size(), 2u);
  EXPECT_GT(hot_sets.size(), 2u);
  std::set<uint64_t> ever_hot;
  for (const std::set<uint64_t>& hot : hot_sets) ever_hot.insert(hot.begin(), hot.end());
  EXPECT_LE(ever_hot.size(), 20u);
  // A block that was never hot has the same rank in every period.
  for (uint64_t block = 0; block < 100; ++block) {
    if (ever_hot.count(block) > 0 || cold_counts[0][block] > 1500) continue;
    for (const std::vector<int>& counts : cold_counts)
      EXPECT_NEAR(counts[block], cold_counts[0][block], 300) << block;
  }
}

TEST(WorkloadTest, ZipfShiftsAtTheEndOfThePeriod) {
  // Two blocks swap, or not, every 4 writes; alpha so high that only the hotter is
  // written.
  const std::vector<uint64_t> blocks =
      Blocks("zipf-shift:20:0.5:1", {.volume_blocks = 4, .writes = 4000, .seed = 5});
  int swaps = 0;
  for (size_t i = 1; i < blocks.size(); ++i) {
    if (blocks[i] == blocks[i - 1]) continue;
    ++swaps;
    EXPECT_EQ(i % 4, 0u);
  }
  EXPECT_NEAR(swaps, 500, 100);
}

// Part of the contract: published results carry seeds.
TEST(WorkloadTest, SequencesAreFixed) {
  const WorkloadOptions options{.volume_blocks = 445644, .writes = 4, .seed = 1};
  EXPECT_THAT(Blocks("uniform", options), ElementsAre(319598, 312560, 90071, 55474));
  EXPECT_THAT(Blocks("zipf:0.99", options), ElementsAre(191227, 302761, 271996, 144303));
  EXPECT_THAT(Blocks("hotcold:0.9:0.1", options),
              ElementsAre(69835, 168483, 85525, 293643));
  EXPECT_THAT(Blocks("zipf-shift:1.0:0.2:0.01", options),
              ElementsAre(4177, 310527, 79231, 229494));
}

TEST(WorkloadTest, SeedsDiffer) {
  const WorkloadOptions one{.volume_blocks = 445644, .writes = 1000, .seed = 1};
  const WorkloadOptions two{.volume_blocks = 445644, .writes = 1000, .seed = 2};
  for (absl::string_view spec : {"uniform", "zipf:0.99", "hotcold:0.9:0.1"})
    EXPECT_NE(Blocks(spec, one), Blocks(spec, two)) << spec;
}

TEST(WorkloadTest, NamesAreListed) {
  EXPECT_THAT(WorkloadNames(),
              ElementsAre("uniform", "sequential", "zipf:ALPHA", "hotcold:WRITES:SPACE",
                          "zipf-shift:ALPHA:SHARE:PERIOD"));
}

void ExpectRefused(absl::string_view spec, absl::string_view said,
                   uint64_t volume_blocks = 1000) {
  EXPECT_THAT(MakeWorkload(spec, {.volume_blocks = volume_blocks, .writes = 1}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(std::string(said))))
      << spec;
}

TEST(WorkloadTest, RefusesUnknownNames) {
  ExpectRefused("zpif:1", "unknown workload \"zpif\"; did you mean \"zipf\"?");
  ExpectRefused("hot-cold:0.9:0.1", "did you mean \"hotcold\"?");
  ExpectRefused("", "known: uniform, sequential, zipf, hotcold, zipf-shift");
}

TEST(WorkloadTest, RefusesAWrongNumberOfArguments) {
  ExpectRefused("uniform:1", "\"uniform:1\" does not read uniform");
  ExpectRefused("zipf", "does not read zipf:ALPHA");
  ExpectRefused("zipf:1:2", "does not read zipf:ALPHA");
  ExpectRefused("hotcold:0.9", "does not read hotcold:WRITES:SPACE");
  ExpectRefused("zipf-shift:1:0.2:0.01:4", "does not read zipf-shift:ALPHA:SHARE:PERIOD");
}

TEST(WorkloadTest, RefusesArgumentsOutOfRange) {
  for (absl::string_view alpha :
       {"0", "-1", "20.1", "1e300", "nan", "inf", "x", "", "1x"})
    ExpectRefused("zipf:" + std::string(alpha),
                  "ALPHA is \"" + std::string(alpha) + "\"");
  for (absl::string_view share : {"0", "1", "-0.5", "1.5", "nan", "inf", "x", ""}) {
    ExpectRefused("hotcold:" + std::string(share) + ":0.1",
                  "WRITES is \"" + std::string(share) + "\"");
    ExpectRefused("hotcold:0.9:" + std::string(share),
                  "SPACE is \"" + std::string(share) + "\"");
    ExpectRefused("zipf-shift:1:" + std::string(share) + ":1",
                  "SHARE is \"" + std::string(share) + "\"");
  }
  for (absl::string_view period : {"0", "-1", "nan", "inf", "x", ""})
    ExpectRefused("zipf-shift:1:0.2:" + std::string(period),
                  "PERIOD is \"" + std::string(period) + "\"");
}

TEST(WorkloadTest, RefusesWhatLeavesNoBlock) {
  ExpectRefused("uniform", "a volume of 0 blocks", 0);
  ExpectRefused("uniform", "a volume of 18446744073709551615 blocks", ~uint64_t{0});
  ExpectRefused("hotcold:0.9:0.0001", "of 1000 blocks that is none");
  ExpectRefused("hotcold:0.9:0.9999", "of 1000 blocks that is all");
  ExpectRefused("zipf-shift:1:0.2:0.0001", "less than one block");
}

TEST(WorkloadTest, OneBlockIsAVolume) {
  const WorkloadOptions options{.volume_blocks = 1, .writes = 3, .seed = 1};
  for (absl::string_view spec : {"uniform", "sequential", "zipf:0.99"})
    EXPECT_THAT(Blocks(spec, options), ElementsAre(0, 0, 0)) << spec;
}

}  // namespace
}  // namespace gleaner
