#include "gc/cleaner.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <vector>

#include "absl/status/status.h"
#include "base/types.h"
#include "gc/placement.h"
#include "gc/victim_policy.h"
#include "tests/gc/fake_store.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {

void PrintTo(Cleaner::State state, std::ostream* os) { *os << CleanerStateName(state); }

namespace {

using ::gleaner::testing::FakeStore;
using ::gleaner::testing::Gate;
using ::gleaner::testing::StatusIs;
using Budget = Cleaner::Budget;
using Goal = Cleaner::Goal;
using State = Cleaner::State;

// Leaves no stale block in a sealed segment.
constexpr Goal kNoGarbage{.garbage_share = 0};

// A store with 24 lbas in segments 0 to 2, eight to each, and a cleaner: greedy, survivors in
// their own log, one victim a round unless told otherwise.
struct Bench {
  struct Options {
    FakeStore::Options store = {};
    CleanerOptions cleaner = {.max_batch_victims = 1};
    std::unique_ptr<VictimPolicy> policy = MakeGreedyPolicy();
    std::unique_ptr<Placement> placement = MakeGcLogPlacement();
  };
  Bench() : Bench(Options()) {}
  explicit Bench(Options options)
      : store(options.store),
        policy(std::move(options.policy)),
        placement(std::move(options.placement)),
        cleaner({&store.table, &store, &store, policy.get(), nullptr, placement.get()},
                options.cleaner) {
    for (uint64_t lba = 0; lba < 24; ++lba) EXPECT_TRUE(store.Write(Lba(lba)));
    cleaner.set_victim_observer(
        [this](SegmentId id, uint32_t) { victims.push_back(id.value()); });
  }

  void Overwrite(std::initializer_list<uint64_t> lbas) {
    for (const uint64_t lba : lbas) EXPECT_TRUE(store.Write(Lba(lba)));
  }
  Cleaner::StepResult Step(const Goal& goal, Budget budget = {}) {
    budget.now_blocks = store.now_blocks();
    return cleaner.Step(goal, budget);
  }

  FakeStore store;
  const std::unique_ptr<VictimPolicy> policy;
  const std::unique_ptr<Placement> placement;
  Cleaner cleaner;
  std::vector<uint32_t> victims;
};

TEST(CleanerTest, RelocatesSurvivorsInTheOrderOfTheVictim) {
  Bench bench;
  bench.Overwrite({1, 4});
  EXPECT_EQ(bench.Step(kNoGarbage).state, State::kGoalReached);
  EXPECT_EQ(bench.victims, std::vector<uint32_t>{0});
  // Segments of 8 blocks stand 10 apart; the user's overwrites opened segment 3.
  const uint64_t expected[] = {40, 30, 41, 42, 31, 43, 44, 45, 10};
  for (uint64_t lba = 0; lba < 9; ++lba)
    EXPECT_EQ(bench.store.where(Lba(lba)), PhysicalBlock(expected[lba])) << lba;
  EXPECT_EQ(bench.store.state(0), SegmentState::kReleased);
  EXPECT_EQ(bench.store.Problem(), "");
  EXPECT_EQ(bench.cleaner.counters().segments_cleaned, 1u);
  EXPECT_EQ(bench.cleaner.counters().relocated_blocks, 6u);
  EXPECT_EQ(bench.cleaner.counters().victim_live_fraction_sum, 0.75);
}

// -- Errors -----------------------------------------------------------------------------------

class FailureTest : public ::testing::TestWithParam<Gate FakeStore::*> {};

TEST_P(FailureTest, TheVictimComesBackAndTheNextStepSucceeds) {
  Bench bench;
  bench.Overwrite({0, 1, 2, 3});
  Gate& gate = bench.store.*GetParam();
  gate.fails = absl::UnavailableError("for a while");
  const Cleaner::StepResult failed = bench.Step(kNoGarbage);
  EXPECT_EQ(failed.state, State::kFailed);
  EXPECT_THAT(failed.status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_FALSE(bench.cleaner.busy());
  EXPECT_TRUE(bench.store.table.IsCandidate(SegmentId(0)));
  EXPECT_EQ(bench.store.where(Lba(5)), PhysicalBlock(5));
  EXPECT_EQ(bench.store.Problem(), "");

  EXPECT_EQ(bench.Step(kNoGarbage).state, State::kGoalReached);
  EXPECT_EQ(bench.store.state(0), SegmentState::kReleased);
  // What the failed round had reserved is used by the next one.
  EXPECT_EQ(bench.store.where(Lba(4)), PhysicalBlock(40));
  EXPECT_EQ(bench.store.Problem(), "");
  EXPECT_EQ(bench.cleaner.counters().aborted_rounds, 1u);
  EXPECT_EQ(bench.cleaner.counters().segments_cleaned, 1u);
  EXPECT_EQ(bench.cleaner.counters().relocated_blocks, 4u);
}

TEST_P(FailureTest, AllVictimsOfABatchComeBack) {
  Bench bench({.cleaner = {.max_batch_victims = 2}});
  bench.Overwrite({0, 1, 2, 3, 8, 9});
  (bench.store.*GetParam()).fails = absl::DataLossError("for good");
  EXPECT_THAT(bench.Step(kNoGarbage).status, StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_TRUE(bench.store.table.IsCandidate(SegmentId(0)));
  EXPECT_TRUE(bench.store.table.IsCandidate(SegmentId(1)));
  EXPECT_EQ(bench.store.table.sealed_stale_blocks(), 6u);
  EXPECT_EQ(bench.Step(kNoGarbage).state, State::kGoalReached);
  EXPECT_EQ(bench.store.Problem(), "");
}

// Whatever fails, and however often, one spare segment suffices for 7 survivors.
TEST_P(FailureTest, RepeatedFailuresUseUpNoRoom) {
  Bench bench({.store = {.segments = 5}});
  bench.Overwrite({0, 8, 16});
  ASSERT_EQ(bench.store.table.free_segments(), 1u);
  for (int i = 0; i < 20; ++i) {
    (bench.store.*GetParam()).fails = absl::UnavailableError("for a while");
    ASSERT_EQ(bench.Step(kNoGarbage).state, State::kFailed) << i;
  }
  EXPECT_EQ(bench.Step(kNoGarbage).state, State::kGoalReached);
  EXPECT_EQ(bench.store.table.sealed_stale_blocks(), 0u);
  EXPECT_EQ(bench.store.Problem(), "");
}

INSTANTIATE_TEST_SUITE_P(Operations, FailureTest,
                         ::testing::Values(&FakeStore::extents, &FakeStore::copy,
                                           &FakeStore::commit));

TEST(CleanerTest, AFailureHalfWayKeepsWhatWasCommitted) {
  Bench bench;
  bench.Overwrite({0, 1, 2, 3});
  EXPECT_EQ(bench.Step(kNoGarbage, {.max_blocks = 3}).state, State::kMoreWork);
  bench.store.copy.fails = absl::UnavailableError("for a while");
  EXPECT_EQ(bench.Step(kNoGarbage).state, State::kFailed);
  EXPECT_EQ(bench.store.table.info(SegmentId(0)).live_blocks, 1u);
  EXPECT_TRUE(bench.store.table.IsCandidate(SegmentId(0)));
  EXPECT_EQ(bench.store.where(Lba(6)), PhysicalBlock(42));
  EXPECT_EQ(bench.store.where(Lba(7)), PhysicalBlock(7));
  EXPECT_EQ(bench.Step(kNoGarbage).state, State::kGoalReached);
  EXPECT_EQ(bench.store.where(Lba(7)), PhysicalBlock(43));
  EXPECT_EQ(bench.store.Problem(), "");
}

TEST(CleanerTest, AStoreThatCommitsTooLittleIsAnInternalError) {
  Bench bench({.store = {.moving = FakeStore::Moving::kForgetsTheFirst},
               .cleaner = {.max_batch_victims = 2}});
  bench.Overwrite({0, 1, 2, 3, 8});
  const Cleaner::StepResult failed = bench.Step(kNoGarbage);
  EXPECT_EQ(failed.state, State::kFailed);
  EXPECT_THAT(failed.status, StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(failed.status.message(),
            "segment 0 still has 4 live blocks after its relocation");
  EXPECT_TRUE(bench.store.table.IsCandidate(SegmentId(0)));
  EXPECT_EQ(bench.store.state(1), SegmentState::kReleased);  // the other one is done
  EXPECT_EQ(bench.store.Problem(), "");
}

// -- Reuse only after the commit --------------------------------------------------------------

TEST(CleanerTest, AReleasedSegmentIsFreeOnlyOnceItsCommitSucceeded) {
  Bench bench;
  bench.Overwrite({0, 1, 2, 3});
  ASSERT_EQ(bench.Step(kNoGarbage).state, State::kGoalReached);
  ASSERT_EQ(bench.store.table.free_segments(), 3u);
  EXPECT_EQ(bench.store.durable.begun, 0);

  bench.store.durable.hold = true;
  EXPECT_EQ(bench.Step({.free_segments = 4}).state, State::kWaitsForDurable);
  EXPECT_EQ(bench.Step({.free_segments = 4}).state, State::kWaitsForDurable);
  EXPECT_EQ(bench.store.state(0), SegmentState::kReleased);
  bench.store.durable.Finish(absl::UnavailableError("for a while"));
  EXPECT_EQ(bench.store.state(0), SegmentState::kReleased);
  const Cleaner::StepResult failed = bench.Step({.free_segments = 4});
  EXPECT_EQ(failed.state, State::kFailed);
  EXPECT_THAT(failed.status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(bench.store.state(0), SegmentState::kReleased);

  EXPECT_EQ(bench.Step({.free_segments = 4}).state, State::kWaitsForDurable);
  bench.store.durable.Finish();
  EXPECT_EQ(bench.store.state(0), SegmentState::kFree);
  EXPECT_EQ(bench.Step({.free_segments = 4}).state, State::kGoalReached);
  EXPECT_EQ(bench.store.Problem(), "");
}

TEST(CleanerTest, ACommitCoversOnlyWhatWasReleasedBeforeItBegan) {
  Bench bench;
  bench.Overwrite({0, 1, 2, 3, 4, 5, 6, 7});
  ASSERT_EQ(bench.store.state(0), SegmentState::kReleased);
  bench.store.durable.hold = true;
  EXPECT_EQ(bench.Step({.free_segments = 5}).state, State::kWaitsForDurable);
  bench.Overwrite({8, 9, 10, 11, 12, 13, 14, 15});
  ASSERT_EQ(bench.store.state(1), SegmentState::kReleased);
  bench.store.durable.Finish();
  EXPECT_EQ(bench.store.state(0), SegmentState::kFree);
  EXPECT_EQ(bench.store.state(1), SegmentState::kReleased);
}

TEST(CleanerTest, CommitSegmentsHoldsTheLastOnesBack) {
  Bench bench({.cleaner = {.commit_segments = 2}});
  for (uint64_t lba = 0; lba < 16; ++lba) bench.Overwrite({lba});
  ASSERT_EQ(bench.store.table.released_segments(), 2u);
  ASSERT_EQ(bench.store.table.free_segments(), 3u);
  EXPECT_EQ(bench.Step({.free_segments = 4}).state, State::kNothingToCollect);
  EXPECT_EQ(bench.store.durable.begun, 0);
  for (uint64_t lba = 16; lba < 24; ++lba) bench.Overwrite({lba});
  ASSERT_EQ(bench.store.table.free_segments(), 2u);
  EXPECT_EQ(bench.Step({.free_segments = 3}).state, State::kGoalReached);
  EXPECT_EQ(bench.store.state(0), SegmentState::kFree);
  EXPECT_EQ(bench.store.state(1), SegmentState::kReleased);
  EXPECT_EQ(bench.store.state(2), SegmentState::kReleased);
  EXPECT_EQ(bench.store.Problem(), "");
}

// -- Budget -----------------------------------------------------------------------------------

TEST(CleanerTest, SmallStepsEndLikeOneLargeStep) {
  Bench whole;
  whole.Overwrite({0, 1, 2, 8, 10, 12, 17});
  EXPECT_EQ(whole.Step(kNoGarbage).state, State::kGoalReached);
  for (const uint64_t max_blocks : {1, 2, 3, 5, 100}) {
    SCOPED_TRACE(max_blocks);
    Bench small;
    small.Overwrite({0, 1, 2, 8, 10, 12, 17});
    uint64_t steps = 1;
    State state;
    while ((state = small.Step(kNoGarbage, {.max_blocks = max_blocks}).state) ==
           State::kMoreWork) {
      ASSERT_EQ(small.store.Problem(), "");
      ASSERT_LT(++steps, 100u);
    }
    EXPECT_EQ(state, State::kGoalReached);
    EXPECT_LE(small.store.largest_copy_blocks(), max_blocks);
    EXPECT_GE(steps, 17 / max_blocks);  // survivors
    EXPECT_EQ(small.victims, whole.victims);
    EXPECT_EQ(small.store.disk(), whole.store.disk());
    EXPECT_EQ(small.cleaner.counters().relocated_blocks, 17u);
    for (uint64_t lba = 0; lba < 24; ++lba)
      EXPECT_EQ(small.store.where(Lba(lba)), whole.store.where(Lba(lba))) << lba;
  }
}

TEST(CleanerTest, AStepWithoutBudgetBeginsNothing) {
  Bench bench;
  bench.Overwrite({0});
  EXPECT_EQ(bench.Step(kNoGarbage, {.max_blocks = 0}).state, State::kMoreWork);
  EXPECT_TRUE(bench.victims.empty());
}

// -- Room -------------------------------------------------------------------------------------

TEST(CleanerTest, FullSegmentsAreNothingToCollect) {
  Bench bench;
  EXPECT_EQ(bench.Step({.spare_segments = 8}).state, State::kNothingToCollect);
  EXPECT_EQ(bench.store.extents.begun, 0);
}

TEST(CleanerTest, NoRoomForAnySurvivors) {
  Bench bench({.store = {.segments = 4}});
  for (const uint64_t lba : {0, 8, 9, 16, 17, 18, 19, 20})
    ASSERT_TRUE(bench.store.WriteFromReserve(Lba(lba)));
  EXPECT_EQ(bench.Step({.spare_segments = 1}).state, State::kNoRoom);
  EXPECT_EQ(bench.store.extents.begun, 0);
  EXPECT_EQ(bench.store.table.candidate_count(), 4u);
  EXPECT_EQ(bench.store.Problem(), "");
  // Its last blocks gone, a segment needs none.
  for (const uint64_t lba : {21, 22, 23}) bench.store.Trim(Lba(lba));
  EXPECT_EQ(bench.Step({.spare_segments = 1}).state, State::kGoalReached);
}

TEST(CleanerTest, TheUserTakesTheRoomBeforeItIsReserved) {
  Bench bench({.store = {.segments = 4}});
  bench.store.Trim(Lba(0));
  bench.store.extents.hold = true;
  EXPECT_EQ(bench.Step(kNoGarbage).state, State::kWaitsForExtents);
  ASSERT_TRUE(bench.store.WriteFromReserve(Lba(1)));
  const std::vector<uint64_t> disk = bench.store.disk();
  bench.store.extents.Finish();
  EXPECT_EQ(bench.Step(kNoGarbage).state, State::kNoRoom);
  EXPECT_FALSE(bench.cleaner.busy());
  EXPECT_EQ(bench.store.copy.begun, 0);
  EXPECT_EQ(bench.store.disk(), disk);
  EXPECT_TRUE(bench.store.table.IsCandidate(SegmentId(0)));
  EXPECT_EQ(bench.cleaner.counters().aborted_rounds, 1u);
  EXPECT_EQ(bench.store.Problem(), "");
}

TEST(CleanerTest, WhatTheUserLeavesMayDoForAnotherVictim) {
  Bench bench({.store = {.segments = 4, .classes = 1},
               .policy = MakeFifoPolicy(),
               .placement = MakeSingleLogPlacement()});
  for (const uint64_t lba : {0, 16, 17, 18, 19, 20}) bench.store.Trim(Lba(lba));
  bench.store.extents.hold = true;
  EXPECT_EQ(bench.Step({.spare_segments = 1, .garbage_share = 0}).state,
            State::kWaitsForExtents);
  ASSERT_TRUE(bench.store.WriteFromReserve(Lba(16)));
  ASSERT_TRUE(bench.store.WriteFromReserve(Lba(17)));
  bench.store.extents.Finish();
  bench.store.extents.hold = false;
  EXPECT_EQ(bench.Step({.spare_segments = 1}).state, State::kGoalReached);
  // Segment 0 has 7 live blocks for 6 of room; segment 2 has 3.
  EXPECT_EQ(bench.victims, (std::vector<uint32_t>{0, 2}));
  EXPECT_EQ(bench.store.Problem(), "");
}

// -- Batches ----------------------------------------------------------------------------------

TEST(CleanerTest, SurvivorsOfABatchShareCopiesAndCommits) {
  Bench bench({.cleaner = {.max_batch_victims = 16}});
  bench.Overwrite({0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18});
  EXPECT_EQ(bench.Step(kNoGarbage).state, State::kGoalReached);
  EXPECT_EQ(bench.victims, (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_EQ(bench.cleaner.counters().rounds, 1u);
  EXPECT_EQ(bench.store.copy.begun, 1);
  EXPECT_EQ(bench.store.commit.begun, 1);
  EXPECT_EQ(bench.store.Problem(), "");
}

TEST(CleanerTest, ABatchIsNoLargerThanAllowedOrNeeded) {
  Bench two({.cleaner = {.max_batch_victims = 2}});
  two.Overwrite({0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18});
  EXPECT_EQ(two.Step(kNoGarbage).state, State::kGoalReached);
  EXPECT_EQ(two.cleaner.counters().rounds, 2u);
  EXPECT_EQ(two.store.copy.begun, 2);

  Bench modest({.cleaner = {.max_batch_victims = 16}});
  modest.Overwrite({0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18});
  // Three are free and two would be released for the one that the survivors take.
  EXPECT_EQ(modest.Step({.spare_segments = 4}).state, State::kGoalReached);
  EXPECT_EQ(modest.victims, (std::vector<uint32_t>{0, 1}));
}

// -- Foreground -------------------------------------------------------------------------------

TEST(CleanerTest, TheForegroundPolicyServesWhenAskedFor) {
  Bench background({.policy = MakeFifoPolicy()});
  background.Overwrite({0, 16, 17});
  EXPECT_EQ(background.Step(kNoGarbage, {.max_blocks = 1}).state, State::kMoreWork);
  EXPECT_EQ(background.victims, std::vector<uint32_t>{0});
  Bench foreground({.policy = MakeFifoPolicy()});
  foreground.Overwrite({0, 16, 17});
  EXPECT_EQ(foreground.Step(kNoGarbage, {.max_blocks = 1, .foreground = true}).state,
            State::kMoreWork);
  EXPECT_EQ(foreground.victims, std::vector<uint32_t>{2});
}

TEST(CleanerTest, TheForegroundPolicyTakesOverWhereTheOtherGetsNowhere) {
  // First in, first out moves two full segments before it comes to the garbage.
  const auto victims = [](uint32_t foreground_after_segments) {
    Bench bench({.cleaner = {.max_batch_victims = 1,
                             .foreground_after_segments = foreground_after_segments},
                 .policy = MakeFifoPolicy()});
    for (uint64_t lba = 16; lba < 20; ++lba) bench.store.Trim(Lba(lba));
    EXPECT_EQ(bench.Step(kNoGarbage).state, State::kGoalReached);
    EXPECT_EQ(bench.store.Problem(), "");
    return bench.victims;
  };
  EXPECT_EQ(victims(64), (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_EQ(victims(2), (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_EQ(victims(1), (std::vector<uint32_t>{0, 2}));
}

TEST(CleanerTest, AVictimThatWaitsForRoomIsNotTheForegroundPolicysChoice) {
  // Live blocks 7, 6 and 5; there is room for the first alone.
  Bench bench({.store = {.segments = 5},
               .cleaner = {.max_batch_victims = 2},
               .policy = MakeFifoPolicy()});
  bench.Overwrite({0, 8, 9});
  for (uint64_t lba = 16; lba < 19; ++lba) bench.store.Trim(Lba(lba));
  bench.store.durable.hold = true;
  EXPECT_EQ(bench.Step(kNoGarbage, {.max_blocks = 8}).state, State::kWaitsForDurable);
  ASSERT_EQ(bench.victims, std::vector<uint32_t>{0});  // and 1 waits
  bench.store.durable.Finish();
  EXPECT_EQ(bench.Step(kNoGarbage, {.max_blocks = 1, .foreground = true}).state,
            State::kMoreWork);
  EXPECT_EQ(bench.victims, (std::vector<uint32_t>{0, 2}));
}

}  // namespace
}  // namespace gleaner
