#include "gc/victim_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/types.h"
#include "gc/segment_table.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::IsOk;
using ::gleaner::testing::StatusIs;
using ::testing::HasSubstr;

// -- Populations ------------------------------------------------------------------------------

// Segments of random ages and live blocks, some open, pinned, cleaning or released. Few different
// ages and live counts, so that there are ties.
struct Population {
  Population(uint64_t seed, uint32_t capacity_blocks)
      : table({.segments = 120,
               .capacity_blocks = capacity_blocks,
               .track_modified = true}) {
    Random random(seed);
    for (uint32_t i = 0; i < 120; ++i) {
      const SegmentId id = *table.Open(ClassId(0));
      now_blocks += random.Below(2) * random.Below(1000);
      table.OnWritten(id, capacity_blocks,
                      static_cast<double>(now_blocks) * random.NextDouble());
      table.OnLive(id, capacity_blocks);
      if (random.Below(20) == 0) continue;  // stays open
      table.Seal(id, now_blocks);
      sealed.push_back(id);
      if (random.Below(20) == 0) table.Pin(id);
    }
    for (const SegmentId id : sealed) {
      const uint64_t stale = random.Below(2) == 0 ? random.Below(capacity_blocks + 1)
                                                  : random.Below(4) * capacity_blocks / 4;
      table.OnStale(id, static_cast<uint32_t>(stale), now_blocks);
      if (table.IsCandidate(id) && random.Below(10) == 0) table.StartCleaning(id);
    }
    now_blocks += random.Below(100);
  }

  // Of all candidates the one with the highest score, of equals the one sealed first.
  SegmentId Best(const std::function<double(SegmentId)>& score) const {
    SegmentId best;
    double best_score = 0;
    for (const SegmentId id : sealed) {  // in the order of their seals
      if (!table.IsCandidate(id)) continue;
      const double s = score(id);
      if (best.valid() && s <= best_score) continue;
      best = id;
      best_score = s;
    }
    return best;
  }
  SegmentId Oldest() const {
    const auto it = std::find_if(sealed.begin(), sealed.end(),
                                 [&](SegmentId id) { return table.IsCandidate(id); });
    return it == sealed.end() ? SegmentId() : *it;
  }
  double Live(SegmentId id) const { return table.info(id).live_blocks; }
  double U(SegmentId id) const { return Live(id) / table.capacity_blocks(); }
  double Age(SegmentId id) const {
    return static_cast<double>(now_blocks - table.info(id).sealed_at_blocks);
  }

  SegmentTable table;
  std::vector<SegmentId> sealed;
  uint64_t now_blocks = 0;
};

// Compares `policy` with the best of all candidates. Up to 512 blocks a segment has a bucket for
// each number of live blocks, and the choice is exact. Beyond, candidates of one bucket differ by
// up to `width` - 1 live blocks and the oldest stands for all: the choice must score as high as
// the best candidate would with so many blocks more.
template <typename Score>
void ExpectBest(const VictimPolicy& policy, const Score& score) {
  for (const uint32_t capacity : {16, 64, 512, 513, 3000}) {
    const uint32_t width = (capacity + 511) / 512;
    for (uint64_t seed = 0; seed < 200; ++seed) {
      SCOPED_TRACE(absl::StrCat("capacity ", capacity, " seed ", seed));
      const Population p(seed, capacity);
      Random random(seed);
      const SegmentId picked = policy.Pick(p.table, p.now_blocks, &random);
      const SegmentId best =
          p.Best([&](SegmentId id) { return score(p, id, p.Live(id)); });
      ASSERT_EQ(picked.valid(), best.valid());
      if (!best.valid()) continue;
      if (width == 1) {
        ASSERT_EQ(picked, best);
      } else {
        ASSERT_TRUE(p.table.IsCandidate(picked));
        ASSERT_GE(score(p, picked, p.Live(picked)),
                  score(p, best, p.Live(best) + width - 1));
      }
    }
  }
}

// -- Each policy against its formula ----------------------------------------------------------

TEST(VictimPolicyTest, GreedyTakesTheFewestLive) {
  ExpectBest(*MakeGreedyPolicy(),
             [](const Population&, SegmentId, double live) { return -live; });
}

TEST(VictimPolicyTest, CostBenefitTakesTheBestRatio) {
  // (1-u) age / (1+u), times the capacity above and below: then it is exact.
  ExpectBest(*MakeCostBenefitPolicy(),
             [](const Population& p, SegmentId id, double live) {
               const double capacity = p.table.capacity_blocks();
               return (capacity - live) * p.Age(id) / (capacity + live);
             });
}

TEST(VictimPolicyTest, FifoTakesTheFirstSealed) {
  ExpectBest(*MakeFifoPolicy(), [](const Population& p, SegmentId id, double) {
    return p.Age(id);  // equal ages were sealed at one time, in the order of `sealed`
  });
}

TEST(VictimPolicyTest, AgeThresholdTakesTheBestScoreOfTheOld) {
  for (const uint64_t threshold : {0, 1000, 20'000, 1'000'000}) {
    SCOPED_TRACE(absl::StrCat("threshold ", threshold));
    ExpectBest(*MakeAgeThresholdPolicy(threshold),
               [threshold](const Population& p, SegmentId id, double live) {
                 const double longest = std::max(1.0, p.Age(p.Oldest()));
                 const auto least = static_cast<double>(threshold);
                 if (longest >= least && p.Age(id) < least) return -1.0;
                 const double stale = 1.0 - live / p.table.capacity_blocks();
                 return 0.6 * p.Age(id) / longest + (1 - 0.6) * stale;
               });
  }
}

// F2FS's ages do not follow the order of seals, and only the 8 oldest seals of each number of live
// blocks are looked at: the choice is the best of those.
TEST(VictimPolicyTest, CostBenefitF2fsTakesTheBestOfTheEightOldestOfEachLiveCount) {
  const std::unique_ptr<VictimPolicy> policy = MakeCostBenefitModifiedPolicy();
  EXPECT_TRUE(policy->needs_modified());
  EXPECT_FALSE(MakeCostBenefitPolicy()->needs_modified());
  int differ = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    const Population p(seed, 16);
    const auto score = [&](SegmentId id) {
      const double age =
          static_cast<double>(p.now_blocks) - p.table.info(id).modified_at_blocks;
      return (16 - p.Live(id)) * age / (16 + p.Live(id));
    };
    std::map<double, int> seen;
    SegmentId best;
    for (const SegmentId id : p.sealed) {
      if (!p.table.IsCandidate(id) || ++seen[p.Live(id)] > 8) continue;
      if (!best.valid() || score(id) > score(best)) best = id;
    }
    ASSERT_EQ(policy->Pick(p.table, p.now_blocks, nullptr), best);
    if (best != p.Best(score)) ++differ;
  }
  EXPECT_LT(differ, 250);  // what looking at eight costs
}

// -- Policies that draw -----------------------------------------------------------------------

TEST(VictimPolicyTest, RandomTakesEachCandidateEquallyOften) {
  const Population p(1, 16);
  const std::unique_ptr<VictimPolicy> policy = MakeRandomPolicy();
  Random random(7);
  std::map<SegmentId, int> picked;
  constexpr int kDrawsEach = 1000;
  const int candidates = static_cast<int>(p.table.candidate_count());
  for (int i = 0; i < kDrawsEach * candidates; ++i)
    ++picked[policy->Pick(p.table, p.now_blocks, &random)];
  EXPECT_EQ(picked.size(), p.table.candidate_count());
  for (const auto& [id, count] : picked) {
    EXPECT_TRUE(p.table.IsCandidate(id)) << id;
    EXPECT_NEAR(count, kDrawsEach, 5 * std::sqrt(kDrawsEach)) << id;
  }
}

// The same draws give the same choice: of K candidates the one with the fewest live blocks, of
// equals the one sealed first.
TEST(VictimPolicyTest, DChoicesTakesTheFewestLiveOfItsDraws) {
  for (const uint32_t choices : {1, 2, 10, 1000}) {
    const std::unique_ptr<VictimPolicy> policy = MakeDChoicesPolicy(choices);
    for (uint64_t seed = 0; seed < 100; ++seed) {
      SCOPED_TRACE(absl::StrCat("choices ", choices, " seed ", seed));
      const Population p(seed, 16);
      Random random(seed), same(seed);
      std::vector<SegmentId> drawn;
      for (uint32_t i = 0; i < choices; ++i) {
        drawn.push_back(p.table.candidate(
            static_cast<uint32_t>(same.Below(p.table.candidate_count()))));
      }
      const SegmentId best = p.Best([&](SegmentId id) {
        const bool is_drawn = std::find(drawn.begin(), drawn.end(), id) != drawn.end();
        return is_drawn ? -p.Live(id) : -1000;
      });
      ASSERT_EQ(policy->Pick(p.table, p.now_blocks, &random), best);
      EXPECT_EQ(random.Next(), same.Next());
    }
  }
}

TEST(VictimPolicyTest, NoCandidateNoVictim) {
  SegmentTable table({.segments = 2, .capacity_blocks = 8});
  Random random(1);
  for (const PolicyName& policy : VictimPolicyNames()) {
    const std::string spec =
        policy.name == "d-choices" ? "d-choices:3" : std::string(policy.name);
    ASSERT_OK_AND_ASSIGN(const auto made, MakeVictimPolicy(spec, {.volume_blocks = 16}));
    EXPECT_FALSE(made->Pick(table, 0, &random).valid()) << spec;
  }
}

TEST(VictimPolicyTest, TiesGoToTheFirstSealed) {
  SegmentTable table({.segments = 4, .capacity_blocks = 8});
  for (int i = 0; i < 3; ++i) {
    const SegmentId id = *table.Open(ClassId(0));
    table.OnWritten(id, 8, 0);
    table.OnLive(id, 4);
  }
  // All at one time and with as many live blocks.
  for (const uint32_t id : {1, 2, 0}) table.Seal(SegmentId(id), 100);
  for (const char* spec : {"greedy", "cost-benefit", "cost-benefit:f2fs", "age-threshold",
                           "fifo", "d-choices:200"}) {
    Random random(1);
    ASSERT_OK_AND_ASSIGN(const auto policy, MakeVictimPolicy(spec, {.volume_blocks = 8}));
    EXPECT_EQ(policy->Pick(table, 200, &random), SegmentId(1)) << spec;
    EXPECT_EQ(policy->Pick(table, 100, &random), SegmentId(1)) << spec << ", no age";
  }
}

// -- Specs ------------------------------------------------------------------------------------

TEST(VictimPolicySpecTest, EveryNameIsMade) {
  for (const char* spec :
       {"greedy", "cost-benefit", "cost-benefit:f2fs", "age-threshold", "age-threshold:0",
        "age-threshold:2.5", "fifo", "random", "d-choices:1", "d-choices:100000"})
    EXPECT_THAT(MakeVictimPolicy(spec, {.volume_blocks = 100}), IsOk()) << spec;
  std::vector<std::string> names;
  for (const PolicyName& policy : VictimPolicyNames()) {
    names.emplace_back(policy.name);
    EXPECT_FALSE(policy.help.empty());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"greedy", "cost-benefit", "age-threshold",
                                             "fifo", "random", "d-choices"}));
}

TEST(VictimPolicySpecTest, VolumesAreMeasuredInTheVolumesBlocks) {
  SegmentTable table({.segments = 2, .capacity_blocks = 8});
  for (const uint64_t now_blocks : {100, 140}) {
    const SegmentId id = *table.Open(ClassId(0));
    table.OnWritten(id, 8, 0);
    table.OnLive(id, now_blocks == 100 ? 8 : 1);
    table.Seal(id, now_blocks);
  }
  // Ages 160 and 120: the younger one is empty enough to win unless it is below the threshold.
  const auto pick = [&](const char* spec) {
    return (*MakeVictimPolicy(spec, {.volume_blocks = 40}))->Pick(table, 260, nullptr);
  };
  EXPECT_EQ(pick("age-threshold:3"), SegmentId(1));    // 120 blocks
  EXPECT_EQ(pick("age-threshold:3.1"), SegmentId(0));  // 124 blocks
  EXPECT_EQ(pick("age-threshold:9"), SegmentId(1));    // none is as old: all count
}

TEST(VictimPolicySpecTest, BadArguments) {
  const struct {
    const char* spec;
    const char* message;
  } kCases[] = {
      {"greedy:1", "victim policy \"greedy:1\": takes no argument"},
      {"fifo:", "victim policy \"fifo:\": takes no argument"},
      {"cost-benefit:f3fs",
       "victim policy \"cost-benefit:f3fs\": its only argument is f2fs"},
      {"cost-benefit:f2fs:1", "its only argument is f2fs"},
      {"age-threshold:-1", "\"-1\" is not a number from 0 to 1e+06"},
      {"age-threshold:nan", "\"nan\" is not a number"},
      {"age-threshold:1e7", "\"1e7\" is not a number"},
      {"age-threshold:1:2", "takes at most 1 argument(s)"},
      {"d-choices", "needs 1 argument(s) after a colon"},
      {"d-choices:0", "\"0\" is not a whole number from 1 to 100000"},
      {"d-choices:100001", "\"100001\" is not a whole number"},
      {"d-choices:2.5", "\"2.5\" is not a whole number"},
      {"d-choices:", "\"\" is not a whole number"},
      {"gredy", "unknown victim policy \"gredy\"; did you mean \"greedy\"?"},
      {"cost-benfit:f2fs", "did you mean \"cost-benefit\"?"},
      {"dchoices:3", "did you mean \"d-choices\"?"},
      {"",
       "unknown victim policy \"\"; known: greedy, cost-benefit, age-threshold, fifo, "
       "random, d-choices"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(MakeVictimPolicy(c.spec, {.volume_blocks = 100}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)))
        << c.spec;
  }
}

}  // namespace
}  // namespace gleaner
