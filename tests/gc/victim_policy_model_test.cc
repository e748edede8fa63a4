// The policies against their definitions, computed over all candidates.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "gc/victim_policy.h"

namespace gleaner {
namespace {

struct Candidate {
  SegmentId id;
  double live;
  double age;           // since the seal
  double modified_age;  // since the mean change
};

// In seal order.
std::vector<Candidate> Candidates(const SegmentTable& table, uint64_t now) {
  std::vector<Candidate> all;
  for (uint32_t i = 0; i < table.candidate_count(); ++i) {
    const SegmentInfo info = table.info(table.candidate(i));
    all.push_back({table.candidate(i), static_cast<double>(info.live_blocks),
                   static_cast<double>(now - info.sealed_at_blocks),
                   static_cast<double>(now) - info.modified_at_blocks});
  }
  std::sort(all.begin(), all.end(), [&](const Candidate& a, const Candidate& b) {
    return table.seal_rank_of(a.id) < table.seal_rank_of(b.id);
  });
  return all;
}

// The first of the highest.
SegmentId Highest(const std::vector<Candidate>& all,
                  const std::function<double(const Candidate&)>& score) {
  SegmentId best;
  double best_score = -1;
  for (const Candidate& c : all) {
    if (score(c) <= best_score) continue;
    best_score = score(c);
    best = c.id;
  }
  return best;
}

// A table in some state that a cleaner could bring about; each step may check it.
void Drive(uint64_t seed, uint32_t segments, uint32_t capacity, int steps,
           const std::function<void(const SegmentTable&, uint64_t now)>& check) {
  Random random(seed);
  SegmentTable table(
      {.segments = segments, .capacity_blocks = capacity, .track_modified = true});
  uint64_t now = 0;
  for (int step = 0; step < steps; ++step) {
    now += random.Below(capacity);
    if (table.free_segments() > 0) {
      const SegmentId id = *table.Open(ClassId(0));
      table.OnWritten(id, capacity, static_cast<double>(now - random.Below(now / 2 + 1)));
      table.OnLive(id, capacity - static_cast<uint32_t>(random.Below(capacity / 8)));
      table.Seal(id, now);
    }
    for (uint32_t i = 0; i < capacity / 4 && table.candidate_count() > 0; ++i) {
      // Low numbers more often, so that live shares differ.
      const uint64_t below = random.Below(table.candidate_count()) + 1;
      table.OnStale(table.candidate(static_cast<uint32_t>(random.Below(below))), 1,
                    ++now);
    }
    check(table, now);
    if (::testing::Test::HasFatalFailure()) return;
    if (table.free_segments() == 0 && table.candidate_count() > 0) {
      const SegmentId id =
          table.candidate(static_cast<uint32_t>(random.Below(table.candidate_count())));
      table.StartCleaning(id);
      table.OnStale(id, table.live_blocks_of(id), now);
      table.Release(id);
    }
    table.FreeReleased(table.release_count());
  }
}

TEST(VictimPolicyModelTest, CostBenefitIsTheHighestScore) {
  const auto policy = MakeCostBenefitPolicy();
  for (const uint64_t seed : {1, 2, 3}) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Drive(seed, 60, 64, 2000, [&](const SegmentTable& table, uint64_t now) {
      ASSERT_EQ(policy->Pick(table, now, nullptr),
                Highest(Candidates(table, now), [](const Candidate& c) {
                  return (64 - c.live) * c.age / (64 + c.live);
                }));
    });
  }
}

// So few segments that no bucket holds more than the policy looks at.
TEST(VictimPolicyModelTest, CostBenefitOfF2fsIsTheHighestScore) {
  const auto policy = MakeCostBenefitModifiedPolicy();
  for (const uint64_t seed : {1, 2, 3}) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Drive(seed, 8, 256, 2000, [&](const SegmentTable& table, uint64_t now) {
      ASSERT_EQ(policy->Pick(table, now, nullptr),
                Highest(Candidates(table, now), [](const Candidate& c) {
                  return (256 - c.live) * c.modified_age / (256 + c.live);
                }));
    });
  }
}

TEST(VictimPolicyModelTest, AgeThresholdIsTheHighestScoreOfTheOld) {
  const uint64_t threshold = 1500;
  const auto policy = MakeAgeThresholdPolicy(threshold);
  for (const uint64_t seed : {1, 2, 3}) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Drive(seed, 60, 64, 2000, [&](const SegmentTable& table, uint64_t now) {
      const std::vector<Candidate> all = Candidates(table, now);
      const double span = all.empty() ? 1 : std::max(1.0, all.front().age);
      const bool waived = span < threshold;
      ASSERT_EQ(policy->Pick(table, now, nullptr), Highest(all, [&](const Candidate& c) {
                  if (!waived && c.age < threshold) return -2.0;
                  return 0.6 * c.age / span + (1 - 0.6) * (1.0 - c.live / 64);
                }));
    });
  }
}

}  // namespace
}  // namespace gleaner
