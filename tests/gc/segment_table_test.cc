#include "gc/segment_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::IsOk;
using ::gleaner::testing::StatusIs;

constexpr SegmentId k0(0);
constexpr SegmentId k1(1);
constexpr SegmentId k2(2);

class SegmentTableTest : public ::testing::Test {
 protected:
  SegmentTable table_{{.segments = 4, .capacity_blocks = 8}};

  SegmentState state(SegmentId id) const { return table_.info(id).state; }
  // Opens the next free segment and writes `live` live blocks to it.
  SegmentId OpenWith(uint32_t live) {
    const absl::StatusOr<SegmentId> id = table_.Open(ClassId(0));
    EXPECT_THAT(id, IsOk());
    table_.OnWritten(*id, live, 0);
    table_.OnLive(*id, live);
    return *id;
  }
  SegmentId SealedWith(uint32_t live, uint64_t now_blocks) {
    const SegmentId id = OpenWith(live);
    table_.Seal(id, now_blocks);
    return id;
  }
  std::vector<SegmentId> Released(uint64_t before) {
    std::vector<SegmentId> released;
    table_.ForEachReleased(before, [&](SegmentId id) { released.push_back(id); });
    return released;
  }
};

// -- Transitions ------------------------------------------------------------------------------

TEST_F(SegmentTableTest, AWholeLife) {
  EXPECT_EQ(state(k0), SegmentState::kFree);
  EXPECT_EQ(table_.free_segments(), 4u);
  ASSERT_OK_AND_ASSIGN(const SegmentId id, table_.Open(ClassId(3)));
  EXPECT_EQ(id, k0);
  EXPECT_EQ(state(k0), SegmentState::kOpen);
  EXPECT_EQ(table_.info(k0).log_class, ClassId(3));
  EXPECT_EQ(table_.free_segments(), 3u);
  table_.OnWritten(k0, 5, 0);
  table_.OnLive(k0, 4);
  EXPECT_EQ(table_.remaining_blocks(k0), 3u);
  EXPECT_FALSE(table_.IsCandidate(k0));

  table_.Seal(k0, 77);
  EXPECT_EQ(state(k0), SegmentState::kSealed);
  EXPECT_TRUE(table_.IsCandidate(k0));
  EXPECT_EQ(table_.info(k0).sealed_at_blocks, 77u);
  EXPECT_EQ(table_.sealed_stale_blocks(), 1u);
  EXPECT_EQ(table_.reclaimable_blocks(), 4u);  // what was never written, too
  table_.OnStale(k0, 1, 80);
  EXPECT_EQ(table_.sealed_stale_blocks(), 2u);
  EXPECT_EQ(table_.reclaimable_blocks(), 5u);

  table_.StartCleaning(k0);
  EXPECT_EQ(state(k0), SegmentState::kCleaning);
  EXPECT_FALSE(table_.IsCandidate(k0));
  EXPECT_EQ(table_.sealed_stale_blocks(), 0u);
  EXPECT_EQ(table_.reclaimable_blocks(), 0u);
  table_.OnStale(k0, 3, 81);
  EXPECT_EQ(state(k0), SegmentState::kCleaning);  // the cleaner says when it is done
  EXPECT_EQ(table_.written_blocks(), 5u);
  EXPECT_EQ(table_.live_blocks(), 0u);

  table_.Release(k0);
  EXPECT_EQ(state(k0), SegmentState::kReleased);
  EXPECT_EQ(table_.written_blocks(), 0u);
  EXPECT_EQ(table_.released_segments(), 1u);
  EXPECT_EQ(table_.release_count(), 1u);
  EXPECT_EQ(table_.free_segments(), 3u);
  table_.FreeReleased(1);
  EXPECT_EQ(state(k0), SegmentState::kFree);
  EXPECT_EQ(table_.free_segments(), 4u);
  EXPECT_EQ(table_.released_segments(), 0u);
}

TEST_F(SegmentTableTest, TheLongestFreeSegmentIsOpenedFirst) {
  SealedWith(1, 1);
  table_.OnStale(k0, 1, 1);
  table_.FreeReleased(1);
  for (const uint32_t expected : {1, 2, 3, 0})
    EXPECT_EQ(table_.Open(ClassId(0)).value(), SegmentId(expected));
  EXPECT_THAT(table_.Open(ClassId(0)), StatusIs(absl::StatusCode::kResourceExhausted));
  // Nothing of its former life is left.
  EXPECT_EQ(table_.info(k0).sealed_at_blocks, 0u);
  EXPECT_EQ(table_.info(k0).written_blocks, 0u);
}

TEST_F(SegmentTableTest, ASegmentWithNothingLiveIsReleasedWhenSealed) {
  const SegmentId id = OpenWith(3);
  table_.OnStale(id, 3, 5);
  EXPECT_EQ(state(id), SegmentState::kOpen);
  table_.Seal(id, 5);
  EXPECT_EQ(state(id), SegmentState::kReleased);
  EXPECT_EQ(table_.sealed_stale_blocks(), 0u);
  EXPECT_EQ(table_.candidate_count(), 0u);
}

TEST_F(SegmentTableTest, ASealedSegmentIsReleasedWithItsLastLiveBlock) {
  SealedWith(3, 1);
  table_.OnStale(k0, 2, 2);
  EXPECT_EQ(state(k0), SegmentState::kSealed);
  table_.OnStale(k0, 1, 3);
  EXPECT_EQ(state(k0), SegmentState::kReleased);
  EXPECT_EQ(table_.sealed_stale_blocks(), 0u);
  EXPECT_EQ(table_.reclaimable_blocks(), 0u);
  EXPECT_EQ(table_.release_count(), 1u);
}

TEST_F(SegmentTableTest, AnAbortedVictimKeepsItsPlaceInSealOrder) {
  SealedWith(4, 1);
  SealedWith(4, 2);
  table_.StartCleaning(k0);
  EXPECT_EQ(table_.OldestCandidate(), k1);
  SealedWith(4, 3);
  table_.AbortCleaning(k0);
  EXPECT_EQ(state(k0), SegmentState::kSealed);
  EXPECT_EQ(table_.OldestCandidate(), k0);
  EXPECT_EQ(table_.FewestLiveCandidate(), k0);
  EXPECT_LT(table_.seal_rank_of(k0), table_.seal_rank_of(k1));
  EXPECT_EQ(table_.reclaimable_blocks(), 12u);
}

TEST_F(SegmentTableTest, AnAbortedVictimWithNothingLiveIsReleased) {
  SealedWith(2, 1);
  table_.StartCleaning(k0);
  table_.OnStale(k0, 2, 2);
  table_.AbortCleaning(k0);
  EXPECT_EQ(state(k0), SegmentState::kReleased);
}

TEST_F(SegmentTableTest, FreesInOrderOfReleaseUpToANumber) {
  for (int i = 0; i < 3; ++i) SealedWith(1, 1);
  table_.OnStale(k2, 1, 2);
  table_.OnStale(k0, 1, 2);
  table_.OnStale(k1, 1, 2);
  table_.FreeReleased(0);
  EXPECT_EQ(table_.released_segments(), 3u);
  table_.FreeReleased(2);
  EXPECT_EQ(state(k2), SegmentState::kFree);
  EXPECT_EQ(state(k0), SegmentState::kFree);
  EXPECT_EQ(state(k1), SegmentState::kReleased);
  table_.FreeReleased(1);  // long done
  EXPECT_EQ(table_.released_segments(), 1u);
  EXPECT_EQ(Released(3), std::vector<SegmentId>{k1});
  EXPECT_EQ(Released(2), std::vector<SegmentId>{});
  EXPECT_EQ(table_.release_count(), 3u);
}

TEST_F(SegmentTableTest, GrowAddsFreeSegmentsAtTheEnd) {
  for (int i = 0; i < 4; ++i) SealedWith(4, 1);
  EXPECT_THAT(table_.Open(ClassId(0)), StatusIs(absl::StatusCode::kResourceExhausted));
  table_.Grow(200);
  EXPECT_EQ(table_.segments(), 204u);
  EXPECT_EQ(table_.free_segments(), 200u);
  // More than there were slots in seal order.
  for (uint64_t i = 4; i < 204; ++i)
    EXPECT_EQ(SealedWith(5, i), SegmentId(static_cast<uint32_t>(i)));
  EXPECT_EQ(table_.candidate_count(), 204u);
  EXPECT_EQ(table_.OldestCandidate(), k0);
}

TEST_F(SegmentTableTest, WhatWasReservedInVainIsUnwritten) {
  const SegmentId id = OpenWith(2);
  table_.OnWritten(id, 6, 0);
  EXPECT_EQ(table_.remaining_blocks(id), 0u);
  table_.OnUnwritten(id, 6);
  EXPECT_EQ(table_.remaining_blocks(id), 6u);
  EXPECT_EQ(table_.written_blocks(), 2u);
}

// -- Pinned -----------------------------------------------------------------------------------

TEST_F(SegmentTableTest, APinnedSegmentIsNoCandidateAndNotReleased) {
  SealedWith(2, 1);
  SealedWith(4, 2);
  table_.Pin(k0);
  EXPECT_FALSE(table_.IsCandidate(k0));
  EXPECT_EQ(table_.FewestLiveCandidate(), k1);
  EXPECT_EQ(table_.OldestCandidate(), k1);
  EXPECT_EQ(table_.reclaimable_blocks(), 4u);
  table_.OnStale(k0, 2, 3);
  EXPECT_EQ(state(k0), SegmentState::kSealed);
  EXPECT_EQ(table_.sealed_stale_blocks(), 2u);
  table_.Unpin(k0);
  EXPECT_EQ(state(k0), SegmentState::kReleased);
  EXPECT_EQ(table_.sealed_stale_blocks(), 0u);
}

TEST_F(SegmentTableTest, AnUnpinnedSegmentIsACandidateAgain) {
  SealedWith(2, 1);
  SealedWith(4, 2);
  table_.Pin(k0);
  table_.Pin(k0);
  table_.OnStale(k0, 1, 3);
  table_.Unpin(k0);
  table_.Unpin(k0);
  EXPECT_EQ(table_.FewestLiveCandidate(), k0);
  EXPECT_EQ(table_.OldestCandidate(), k0);
  EXPECT_EQ(table_.candidate_count(), 2u);
  EXPECT_EQ(table_.reclaimable_blocks(), 11u);
  EXPECT_EQ(table_.sealed_stale_blocks(), 1u);
}

TEST_F(SegmentTableTest, PinnedWhileOpenOrBeingCleaned) {
  const SegmentId open = OpenWith(2);
  table_.Pin(open);
  table_.Seal(open, 1);
  EXPECT_FALSE(table_.IsCandidate(open));
  const SegmentId cleaning = SealedWith(3, 2);
  table_.StartCleaning(cleaning);
  table_.Pin(cleaning);
  table_.AbortCleaning(cleaning);
  EXPECT_EQ(table_.candidate_count(), 0u);
  EXPECT_EQ(state(cleaning), SegmentState::kSealed);
  table_.Unpin(cleaning);
  EXPECT_EQ(table_.OldestCandidate(), cleaning);
}

// -- Retired ----------------------------------------------------------------------------------

TEST_F(SegmentTableTest, RetireFromEachState) {
  table_.Retire(SegmentId(3));  // free
  EXPECT_EQ(table_.free_segments(), 3u);
  const SegmentId open = OpenWith(2);
  table_.OnStale(open, 2, 1);
  table_.Retire(open);
  EXPECT_EQ(table_.written_blocks(), 0u);
  const SegmentId sealed = OpenWith(2);
  table_.Pin(sealed);
  table_.Seal(sealed, 1);
  table_.OnStale(sealed, 2, 2);
  table_.Retire(sealed);
  EXPECT_EQ(table_.sealed_stale_blocks(), 0u);
  const SegmentId cleaning = SealedWith(2, 3);
  table_.StartCleaning(cleaning);
  table_.OnStale(cleaning, 2, 3);
  table_.Retire(cleaning);
  for (uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(state(SegmentId(i)), SegmentState::kRetired) << i;
    table_.Retire(SegmentId(i));
    EXPECT_EQ(table_.info(SegmentId(i)).written_blocks, 0u);
  }
  EXPECT_EQ(table_.written_blocks(), 0u);
  EXPECT_EQ(table_.free_segments(), 0u);
  EXPECT_THAT(table_.Open(ClassId(0)), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(SegmentTableTest, AReleasedSegmentThatIsRetiredIsNeverFreed) {
  for (int i = 0; i < 3; ++i) SealedWith(1, 1);
  for (const SegmentId id : {k0, k1, k2}) table_.OnStale(id, 1, 2);
  table_.Retire(k1);
  EXPECT_EQ(table_.released_segments(), 2u);
  EXPECT_EQ(Released(3), (std::vector<SegmentId>{k0, k2}));
  EXPECT_EQ(Released(2), std::vector<SegmentId>{k0});
  EXPECT_EQ(Released(0), std::vector<SegmentId>{});
  table_.FreeReleased(2);  // the numbers go on counting it
  EXPECT_EQ(state(k0), SegmentState::kFree);
  EXPECT_EQ(state(k2), SegmentState::kReleased);
  EXPECT_EQ(table_.released_segments(), 1u);
  table_.FreeReleased(3);
  EXPECT_EQ(state(k1), SegmentState::kRetired);
  EXPECT_EQ(table_.free_segments(), 3u);
}

// -- Mean time of change ----------------------------------------------------------------------

TEST(SegmentTableModifiedTest, IsTheMeanOfWhatWasWrittenAndMovesWithWhatBecomesStale) {
  SegmentTable table({.segments = 2, .capacity_blocks = 8, .track_modified = true});
  ASSERT_OK_AND_ASSIGN(const SegmentId id, table.Open(ClassId(0)));
  table.OnWritten(id, 1, 10);
  EXPECT_EQ(table.modified_at_of(id), 10);
  table.OnWritten(id, 3, 30);
  EXPECT_EQ(table.modified_at_of(id), 25);
  table.OnLive(id, 4);
  table.Seal(id, 40);
  table.OnStale(id, 1, 75);  // a fifth of the way
  EXPECT_EQ(table.modified_at_of(id), 35);
  EXPECT_EQ(table.info(id).modified_at_blocks, 35);
}

// -- Wrong use --------------------------------------------------------------------------------

TEST_F(SegmentTableTest, IllegalTransitionsStopTheProcess) {
  const SegmentId open = OpenWith(1);
  const SegmentId sealed = SealedWith(1, 1);
  const SegmentId cleaning = SealedWith(1, 1);
  table_.StartCleaning(cleaning);
  const SegmentId free(3);
  for (const SegmentId id : {sealed, cleaning, free})
    EXPECT_DEATH(table_.Seal(id, 2), "CHECK");
  for (const SegmentId id : {open, cleaning, free})
    EXPECT_DEATH(table_.StartCleaning(id), "CHECK");
  for (const SegmentId id : {open, sealed, free}) {
    EXPECT_DEATH(table_.AbortCleaning(id), "CHECK");
    EXPECT_DEATH(table_.Release(id), "CHECK");
  }
  // With something live.
  for (const SegmentId id : {open, sealed, cleaning})
    EXPECT_DEATH(table_.Retire(id), "CHECK");
  EXPECT_DEATH(table_.Release(cleaning), "CHECK");
  EXPECT_DEATH(table_.FreeReleased(1), "CHECK");  // not yet released
  table_.Pin(sealed);
  EXPECT_DEATH(table_.StartCleaning(sealed), "CHECK");
}

TEST_F(SegmentTableTest, AReleasedOrRetiredSegmentGoesNowhereElse) {
  SealedWith(1, 1);
  table_.OnStale(k0, 1, 1);
  table_.Retire(k1);
  for (const SegmentId id : {k0, k1}) {
    EXPECT_DEATH(table_.Seal(id, 2), "CHECK");
    EXPECT_DEATH(table_.StartCleaning(id), "CHECK");
    EXPECT_DEATH(table_.AbortCleaning(id), "CHECK");
    EXPECT_DEATH(table_.Release(id), "CHECK");
  }
}

TEST(SegmentStateTest, Names) {
  EXPECT_EQ(SegmentStateName(SegmentState::kFree), "free");
  EXPECT_EQ(SegmentStateName(SegmentState::kOpen), "open");
  EXPECT_EQ(SegmentStateName(SegmentState::kSealed), "sealed");
  EXPECT_EQ(SegmentStateName(SegmentState::kCleaning), "cleaning");
  EXPECT_EQ(SegmentStateName(SegmentState::kReleased), "released");
  EXPECT_EQ(SegmentStateName(SegmentState::kRetired), "retired");
}

}  // namespace
}  // namespace gleaner
