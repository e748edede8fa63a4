#include "gc/open_logs.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "base/types.h"
#include "extent_map/segment_geometry.h"
#include "gc/segment_table.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::IsOk;
using ::gleaner::testing::StatusIs;

constexpr ClassId kUser(0);
constexpr ClassId kRelocated(1);

// Segments of 10 blocks, 8 of them data.
class OpenLogsTest : public ::testing::Test {
 protected:
  SegmentTable table_{{.segments = 4, .capacity_blocks = 8}};
  OpenLogs logs_{
      &table_, SegmentGeometry(BlockCount(10)), {.classes = 2, .reserved_segments = 2}};

  static PhysicalRange Blocks(uint64_t start, uint64_t count) {
    return {PhysicalBlock(start), BlockCount(count)};
  }
  SegmentState state(uint32_t id) const { return table_.info(SegmentId(id)).state; }
  void AppendAll(uint32_t blocks) {
    for (uint32_t left = blocks; left > 0;) {
      ASSERT_OK_AND_ASSIGN(const PhysicalRange run,
                           logs_.Append(kUser, BlockCount(left), 5));
      const auto n = static_cast<uint32_t>(run.count.value());
      table_.OnLive(SegmentId(static_cast<uint32_t>(run.start.value() / 10)), n);
      logs_.SealIfFull(run, 5);
      left -= n;
    }
  }
};

TEST_F(OpenLogsTest, AppendsUpToTheCapacityNotTheSize) {
  ASSERT_OK_AND_ASSIGN(PhysicalRange run, logs_.Append(kUser, BlockCount(5), 0));
  EXPECT_EQ(run, Blocks(0, 5));
  EXPECT_EQ(logs_.room(kUser), BlockCount(3));
  EXPECT_EQ(logs_.open_segment(kUser), SegmentId(0));
  table_.OnLive(SegmentId(0), 5);
  ASSERT_OK_AND_ASSIGN(run, logs_.Append(kUser, BlockCount(5), 0));
  EXPECT_EQ(run, Blocks(5, 3));
  EXPECT_EQ(logs_.open_segment(kUser), SegmentId());
  table_.OnLive(SegmentId(0), 3);
  EXPECT_EQ(state(0), SegmentState::kOpen);
  logs_.SealIfFull(run, 8);
  EXPECT_EQ(state(0), SegmentState::kSealed);
  EXPECT_EQ(table_.info(SegmentId(0)).sealed_at_blocks, 8u);
  ASSERT_OK_AND_ASSIGN(run, logs_.Append(kUser, BlockCount(1), 8));
  EXPECT_EQ(run, Blocks(10, 1));
}

TEST_F(OpenLogsTest, UserAppendsLeaveTheReserveToTheCleaner) {
  AppendAll(16);
  EXPECT_EQ(table_.free_segments(), 2u);
  EXPECT_FALSE(logs_.CanAppend(kUser));
  EXPECT_THAT(logs_.Append(kUser, BlockCount(1), 16),
              StatusIs(absl::StatusCode::kResourceExhausted));
  ASSERT_OK_AND_ASSIGN(const PhysicalRange run,
                       logs_.Reserve(kRelocated, BlockCount(8), 0));
  EXPECT_EQ(run, Blocks(20, 8));
  ASSERT_OK_AND_ASSIGN(const PhysicalRange next,
                       logs_.Reserve(kRelocated, BlockCount(8), 0));
  EXPECT_EQ(next, Blocks(30, 8));
  EXPECT_THAT(logs_.Reserve(kRelocated, BlockCount(1), 0),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(OpenLogsTest, AReleasedSegmentCountsAgainstTheReserveButIsNotOpened) {
  AppendAll(16);
  table_.OnStale(SegmentId(0), 8, 16);
  ASSERT_EQ(state(0), SegmentState::kReleased);
  // 2 free and 1 released, 2 reserved: one of the free ones may go.
  EXPECT_TRUE(logs_.CanAppend(kUser));
  ASSERT_OK_AND_ASSIGN(const PhysicalRange run, logs_.Append(kUser, BlockCount(1), 16));
  EXPECT_EQ(run, Blocks(20, 1));
}

TEST_F(OpenLogsTest, AFullSegmentIsSealedOnlyOnceItIsSettled) {
  ASSERT_OK_AND_ASSIGN(const PhysicalRange first, logs_.Reserve(kUser, BlockCount(3), 0));
  ASSERT_OK_AND_ASSIGN(const PhysicalRange second,
                       logs_.Reserve(kUser, BlockCount(2), 0));
  AppendAll(3);  // fills it
  EXPECT_EQ(state(0), SegmentState::kOpen);
  logs_.Settle(first, 9);
  EXPECT_EQ(state(0), SegmentState::kOpen);
  logs_.Settle({second.start, BlockCount(1)}, 9);
  EXPECT_EQ(state(0), SegmentState::kOpen);
  logs_.Settle({second.start + BlockCount(1), BlockCount(1)}, 11);
  EXPECT_EQ(state(0), SegmentState::kSealed);
  EXPECT_EQ(table_.info(SegmentId(0)).sealed_at_blocks, 11u);
}

TEST_F(OpenLogsTest, SettlingAnUnfilledSegmentLeavesItOpen) {
  ASSERT_OK_AND_ASSIGN(const PhysicalRange run,
                       logs_.Reserve(kRelocated, BlockCount(3), 0));
  logs_.Settle(run, 1);
  EXPECT_EQ(state(0), SegmentState::kOpen);
  EXPECT_EQ(logs_.room(kRelocated), BlockCount(5));
}

TEST_F(OpenLogsTest, WhatIsGivenUpIsAppendedToAgain) {
  ASSERT_OK_AND_ASSIGN(const PhysicalRange kept,
                       logs_.Reserve(kRelocated, BlockCount(2), 0));
  ASSERT_OK_AND_ASSIGN(const PhysicalRange first,
                       logs_.Reserve(kRelocated, BlockCount(3), 0));
  ASSERT_OK_AND_ASSIGN(const PhysicalRange second,
                       logs_.Reserve(kRelocated, BlockCount(9), 0));
  EXPECT_EQ(second, Blocks(5, 3));
  EXPECT_EQ(logs_.room(kRelocated), BlockCount(0));
  logs_.GiveUp(second, 1);
  logs_.GiveUp(first, 1);
  EXPECT_EQ(logs_.room(kRelocated), BlockCount(6));
  EXPECT_EQ(table_.written_blocks(), 2u);
  table_.OnLive(SegmentId(0), 2);
  logs_.Settle(kept, 1);
  EXPECT_EQ(state(0), SegmentState::kOpen);
  ASSERT_OK_AND_ASSIGN(const PhysicalRange again,
                       logs_.Reserve(kRelocated, BlockCount(9), 0));
  EXPECT_EQ(again, Blocks(2, 6));
  table_.OnLive(SegmentId(0), 6);
  logs_.Settle(again, 1);
  EXPECT_EQ(state(0), SegmentState::kSealed);
}

TEST_F(OpenLogsTest, WhatIsGivenUpInTheMiddleIsLost) {
  ASSERT_OK_AND_ASSIGN(const PhysicalRange run, logs_.Reserve(kUser, BlockCount(3), 0));
  AppendAll(1);
  logs_.GiveUp(run, 1);
  EXPECT_EQ(logs_.room(kUser), BlockCount(4));
  EXPECT_EQ(table_.written_blocks(), 4u);
}

// Its segment was filled by another class before.
TEST_F(OpenLogsTest, GivingUpLeavesOtherLogsAlone) {
  AppendAll(8);
  table_.OnStale(SegmentId(0), 8, 8);
  table_.FreeReleased(1);
  for (int i = 0; i < 3; ++i)
    ASSERT_THAT(logs_.Reserve(kRelocated, BlockCount(8), 0), IsOk());
  ASSERT_OK_AND_ASSIGN(const PhysicalRange run,
                       logs_.Reserve(kRelocated, BlockCount(8), 0));
  ASSERT_EQ(run, Blocks(0, 8));
  logs_.GiveUp(run, 8);
  EXPECT_EQ(logs_.room(kRelocated), BlockCount(8));
  EXPECT_EQ(logs_.room(kUser), BlockCount(0));
}

TEST_F(OpenLogsTest, RoomThatTheCleanerOpenedIsTheUsersOnlyWhileTheReserveIsWhole) {
  AppendAll(16);
  ASSERT_THAT(logs_.Reserve(kUser, BlockCount(3), 0), IsOk());
  EXPECT_EQ(logs_.room(kUser), BlockCount(5));
  EXPECT_FALSE(logs_.HasRoom(kUser));
  EXPECT_FALSE(logs_.CanAppend(kUser));  // 1 spare, 2 reserved
  EXPECT_THAT(logs_.Append(kUser, BlockCount(1), 16),
              StatusIs(absl::StatusCode::kResourceExhausted));
  table_.OnStale(SegmentId(1), 8, 16);
  EXPECT_TRUE(logs_.CanAppend(kUser));
  ASSERT_OK_AND_ASSIGN(const PhysicalRange appended,
                       logs_.Append(kUser, BlockCount(1), 16));
  EXPECT_EQ(appended, Blocks(23, 1));
  EXPECT_TRUE(logs_.HasRoom(kUser));  // from now on like any other
}

TEST_F(OpenLogsTest, SealEarlyWaitsForReservations) {
  EXPECT_THAT(logs_.SealEarly(kRelocated, 0), IsOk());
  ASSERT_OK_AND_ASSIGN(const PhysicalRange run,
                       logs_.Reserve(kRelocated, BlockCount(3), 0));
  EXPECT_THAT(logs_.SealEarly(kRelocated, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(state(0), SegmentState::kOpen);
  table_.OnLive(SegmentId(0), 3);
  logs_.Settle(run, 1);
  EXPECT_THAT(logs_.SealEarly(kRelocated, 2), IsOk());
  EXPECT_EQ(state(0), SegmentState::kSealed);
  EXPECT_EQ(logs_.room(kRelocated), BlockCount(0));
}

TEST_F(OpenLogsTest, SealEarlyReleasesASegmentWithNothingLive) {
  ASSERT_OK_AND_ASSIGN(const PhysicalRange run,
                       logs_.Reserve(kRelocated, BlockCount(3), 0));
  logs_.Settle(run, 1);
  EXPECT_THAT(logs_.SealEarly(kRelocated, 2), IsOk());
  EXPECT_EQ(state(0), SegmentState::kReleased);
}

}  // namespace
}  // namespace gleaner
