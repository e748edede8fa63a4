// User writes and trims that race with the relocation of the same blocks: the user's data wins.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <tuple>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/types.h"
#include "gc/cleaner.h"
#include "gc/placement.h"
#include "gc/victim_policy.h"
#include "tests/gc/fake_store.h"

namespace gleaner {
namespace {

using ::gleaner::testing::FakeStore;
using ::gleaner::testing::Gate;
using State = Cleaner::State;
using Moving = FakeStore::Moving;

// -- One race in each phase -------------------------------------------------------------------

// When the user interferes.
enum class Moment {
  kWhileExtentsAreRead,
  kBeforeCopy,
  kDuringCopy,
  kBeforeCommit,
  kDuringCommit,
  kBeforeRelease,
};

void PrintTo(Moment moment, std::ostream* os) { *os << static_cast<int>(moment); }

// 24 lbas in segments 0 to 2; segment 0 has the fewest live blocks, lbas 4 to 7.
class RaceBench {
 public:
  explicit RaceBench(Moving moving) : store({.moving = moving}) {
    for (uint64_t lba = 0; lba < 24; ++lba) EXPECT_TRUE(store.Write(Lba(lba)));
    for (uint64_t lba = 0; lba < 4; ++lba) EXPECT_TRUE(store.Write(Lba(lba)));
    for (Gate* gate : {&store.extents, &store.copy, &store.commit}) gate->hold = true;
  }

  // Cleaning segment 0 and no other is enough for this: it holds all the stale blocks.
  State Step(uint64_t max_blocks = UINT64_MAX) {
    return cleaner
        .Step({.garbage_share = 0.1},
              {.now_blocks = store.now_blocks(), .max_blocks = max_blocks})
        .state;
  }

  void Interfere() {
    EXPECT_TRUE(store.Write(Lba(5)));
    store.Trim(Lba(6));
  }

  // A whole round, with the user's doings at `moment`.
  void Run(Moment moment) {
    EXPECT_EQ(Step(), State::kWaitsForExtents);
    if (moment == Moment::kWhileExtentsAreRead) Interfere();
    store.extents.Finish();
    if (moment == Moment::kBeforeCopy) {
      EXPECT_EQ(Step(0), State::kMoreWork);  // the destination is reserved
      Interfere();
    }
    EXPECT_EQ(Step(), State::kWaitsForCopy);
    if (moment == Moment::kDuringCopy) Interfere();
    store.copy.Finish();
    if (moment == Moment::kBeforeCommit) Interfere();
    EXPECT_EQ(Step(), State::kWaitsForCommit);
    if (moment == Moment::kDuringCommit) Interfere();
    store.commit.Finish();
    if (moment == Moment::kBeforeRelease) Interfere();
  }

  FakeStore store;
  const std::unique_ptr<VictimPolicy> policy = MakeGreedyPolicy();
  const std::unique_ptr<Placement> placement = MakeGcLogPlacement();
  Cleaner cleaner{{&store.table, &store, &store, policy.get(), nullptr, placement.get()},
                  {}};
};

class RaceTest : public ::testing::TestWithParam<Moment> {};

TEST_P(RaceTest, TheUsersDataWins) {
  RaceBench bench(Moving::kCompareAndMove);
  bench.Run(GetParam());
  EXPECT_EQ(bench.Step(), State::kGoalReached);
  EXPECT_EQ(bench.store.Problem(), "");
  EXPECT_EQ(bench.store.state(0), SegmentState::kReleased);
  // Lbas 4 and 7 were moved, in the order of the victim's blocks; 5 is the user's, 6 is gone.
  EXPECT_EQ(bench.store.where(Lba(4)), PhysicalBlock(40));
  EXPECT_EQ(bench.store.where(Lba(5)), PhysicalBlock(34));
  EXPECT_FALSE(bench.store.where(Lba(6)).valid());
  const bool read_late = GetParam() > Moment::kWhileExtentsAreRead;
  EXPECT_EQ(bench.store.where(Lba(7)), PhysicalBlock(43)) << read_late;
  EXPECT_EQ(bench.cleaner.counters().relocated_blocks, 4u);
  EXPECT_EQ(bench.cleaner.counters().segments_cleaned, 1u);
}

TEST_P(RaceTest, NothingLiveIsLostWhenTheVictimIsReused) {
  RaceBench bench(Moving::kCompareAndMove);
  bench.Run(GetParam());
  EXPECT_EQ(bench.Step(), State::kGoalReached);
  EXPECT_EQ(bench.cleaner.Step({.free_segments = 4}, {}).state, State::kGoalReached);
  EXPECT_EQ(bench.store.state(0), SegmentState::kFree);
  for (int i = 0; bench.store.state(0) == SegmentState::kFree; ++i)
    ASSERT_TRUE(bench.store.Write(Lba(20)) && i < 100);
  EXPECT_EQ(bench.store.Problem(), "");
}

// The check of the tests above can fail: it does for a store that just applies what was moved.
TEST_P(RaceTest, AStoreThatDoesNotCompareLosesData) {
  RaceBench bench(Moving::kBlindly);
  bench.Run(GetParam());
  if (GetParam() == Moment::kBeforeRelease) {
    EXPECT_EQ(bench.store.Problem(), "");  // the moves were applied before
  } else {
    EXPECT_EQ(bench.store.Problem(), "lba 5 reads 6, not 29");
  }
}

INSTANTIATE_TEST_SUITE_P(Moments, RaceTest,
                         ::testing::Values(Moment::kWhileExtentsAreRead,
                                           Moment::kBeforeCopy, Moment::kDuringCopy,
                                           Moment::kBeforeCommit, Moment::kDuringCommit,
                                           Moment::kBeforeRelease));

// -- Random interleavings ---------------------------------------------------------------------

// Survivors in two logs, by lba.
class TwoLogs : public Placement {
 public:
  uint32_t classes() const override { return 3; }
  uint32_t relocation_classes() const override { return 2; }
  ClassId ForUserWrite(Lba, uint64_t) override { return ClassId(0); }
  std::optional<ClassId> ForVictim(const SegmentInfo& victim, uint64_t) override {
    if (victim.live_blocks % 2 == 0) return ClassId(1);
    return std::nullopt;
  }
  ClassId ForRelocation(const SegmentInfo&, Lba lba, uint64_t) override {
    return ClassId(lba.value() % 3 == 0 ? 1 : 2);
  }
};

// User writes, trims, steps, completions and errors, in any order.
class RandomRun {
 public:
  RandomRun(uint64_t seed, Moving moving, Placement* placement, uint32_t commit_segments)
      : random_(seed),
        store_({.segments = 12 + commit_segments,
                .lbas = kLbas,
                .classes = placement->classes(),
                .reserved_segments = placement->relocation_classes() + commit_segments,
                .moving = moving}),
        cleaner_({&store_.table, &store_, &store_, policy_.get(), nullptr, placement},
                 {.order = seed % 2 == 0 ? SurvivorOrder::kVictim : SurvivorOrder::kLba,
                  .max_batch_victims = 1 + static_cast<uint32_t>(seed % 4),
                  .commit_segments = commit_segments}) {
    for (Gate* gate : gates_) gate->hold = true;
  }

  // The first problem, or nothing.
  std::string Run(int operations) {
    for (int i = 0; i < operations; ++i) {
      Operate();
      if (const std::string problem = store_.Problem(); !problem.empty())
        return absl::StrCat(problem, " after ", i, " operations");
    }
    return Finish();
  }

  int failed_steps() const { return failed_steps_; }
  const CleanerCounters& counters() const { return cleaner_.counters(); }

 private:
  static constexpr uint32_t kLbas = 56;

  void Operate() {
    const uint64_t what = random_.Below(20);
    // Half of the writes go to an eighth of the space.
    const Lba lba(random_.Below(random_.Below(2) == 0 ? kLbas : kLbas / 8));
    if (what < 8) {
      store_.Write(lba);
    } else if (what < 9) {
      store_.Trim(lba);
    } else if (what < 15) {
      FinishOne(random_.Below(30) == 0 ? absl::UnavailableError("for a while")
                                       : absl::OkStatus());
    } else {
      Step(random_.Below(12));
    }
  }

  void FinishOne(const absl::Status& status) {
    Gate* gate = gates_[random_.Below(4)];
    if (gate->under_way()) gate->Finish(status);
  }

  State Step(uint64_t max_blocks) {
    const auto free = static_cast<uint32_t>(random_.Below(3));
    const Cleaner::StepResult result =
        cleaner_.Step({.spare_segments = 5 + free, .free_segments = free},
                      {.now_blocks = store_.now_blocks(), .max_blocks = max_blocks});
    if (result.state == State::kFailed) {
      ++failed_steps_;
      EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable) << result.status;
    }
    return result.state;
  }

  // Whatever happened before, cleaning gets to its goal once the errors are over.
  std::string Finish() {
    for (int i = 0; i < 1000; ++i) {
      for (Gate* gate : gates_)
        if (gate->under_way()) gate->Finish();
      const State state =
          cleaner_.Step({.spare_segments = 4}, {.now_blocks = store_.now_blocks()}).state;
      if (state == State::kGoalReached) return store_.Problem();
      if (state == State::kNoRoom || state == State::kNothingToCollect)
        return std::string(CleanerStateName(state));
    }
    return "cleaning does not end";
  }

  Random random_;
  FakeStore store_;
  const std::unique_ptr<VictimPolicy> policy_ = MakeCostBenefitPolicy();
  Cleaner cleaner_;
  Gate* const gates_[4] = {&store_.extents, &store_.copy, &store_.commit,
                           &store_.durable};
  int failed_steps_ = 0;
};

constexpr int kOperations = 2000;

TEST(RandomRaceTest, NothingIsEverLost) {
  TwoLogs two_logs;
  const std::unique_ptr<Placement> one_log = MakeSingleLogPlacement();
  const std::unique_ptr<Placement> gc_log = MakeGcLogPlacement();
  Placement* const placements[] = {&two_logs, one_log.get(), gc_log.get()};
  uint64_t cleaned = 0;
  int failed_steps = 0;
  for (uint64_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomRun run(seed, Moving::kCompareAndMove, placements[seed % 3],
                  static_cast<uint32_t>(seed / 3 % 3));
    ASSERT_EQ(run.Run(kOperations), "");
    cleaned += run.counters().segments_cleaned;
    failed_steps += run.failed_steps();
  }
  // It was a race at all.
  EXPECT_GT(cleaned, 150 * 10u);
  EXPECT_GT(failed_steps, 150);
}

TEST(RandomRaceTest, AStoreThatDoesNotCompareIsFoundOut) {
  const std::unique_ptr<Placement> gc_log = MakeGcLogPlacement();
  int found_out = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    RandomRun run(seed, Moving::kBlindly, gc_log.get(), 0);
    if (run.Run(kOperations) != "") ++found_out;
  }
  EXPECT_GT(found_out, 10);
}

}  // namespace
}  // namespace gleaner
