#include "gc/pacing.h"

#include <gtest/gtest.h>

#include <optional>

#include "absl/time/time.h"

namespace gleaner {
namespace {

constexpr PacingOptions kOptions{.foreground_segments = 2,
                                 .background_share = 0.05,
                                 .idle_share = 0.10,
                                 .idle_after = absl::Seconds(1),
                                 .foreground_max_blocks = 64,
                                 .background_max_blocks = 16};

PacingInput Input(uint32_t free, uint32_t released) {
  return {.free_segments = free,
          .released_segments = released,
          .total_segments = 100,
          .reclaimable_blocks = 1,
          .idle = absl::ZeroDuration()};
}
PacingDecision Background(uint32_t spare) {
  return {.goal = {.spare_segments = spare}, .max_blocks = 16, .foreground = false};
}
PacingDecision Foreground(uint32_t spare) {
  return {.goal = {.spare_segments = spare, .free_segments = 1},
          .max_blocks = 64,
          .foreground = true};
}

TEST(PacingTest, NothingToDoAboveTheWatermark) {
  EXPECT_EQ(Pace(Input(5, 0), kOptions), std::nullopt);
  EXPECT_EQ(Pace(Input(1, 4), kOptions), std::nullopt);
}

TEST(PacingTest, BackgroundBelowTheWatermark) {
  EXPECT_EQ(Pace(Input(4, 0), kOptions), Background(5));
  EXPECT_EQ(Pace(Input(1, 1), kOptions), Background(5));
}

TEST(PacingTest, IdleTimeRaisesTheWatermark) {
  PacingInput input = Input(9, 0);
  input.idle = absl::Milliseconds(999);
  EXPECT_EQ(Pace(input, kOptions), std::nullopt);
  input.idle = absl::Seconds(1);
  EXPECT_EQ(Pace(input, kOptions), Background(10));
  input.free_segments = 10;
  EXPECT_EQ(Pace(input, kOptions), std::nullopt);
}

TEST(PacingTest, ForegroundWhenSpaceIsNearlyOut) {
  EXPECT_EQ(Pace(Input(1, 0), kOptions), Foreground(2));
  EXPECT_EQ(Pace(Input(0, 0), kOptions), Foreground(2));
  // Plenty released, none free: the user waits for a commit.
  EXPECT_EQ(Pace(Input(0, 50), kOptions), Foreground(2));
}

TEST(PacingTest, NothingToDoWhereNothingCanBeWon) {
  PacingInput input = Input(1, 0);
  input.reclaimable_blocks = 0;
  EXPECT_EQ(Pace(input, kOptions), std::nullopt);
  input = Input(3, 0);
  input.reclaimable_blocks = 0;
  EXPECT_EQ(Pace(input, kOptions), std::nullopt);
}

TEST(PacingTest, ACommitAloneMayHelp) {
  PacingInput input = Input(0, 1);
  input.reclaimable_blocks = 0;
  EXPECT_EQ(Pace(input, kOptions), Foreground(0));
}

TEST(PacingTest, BackgroundStartsBeforeTheForegroundInASmallStore) {
  PacingInput input = Input(2, 0);
  input.total_segments = 6;
  EXPECT_EQ(Pace(input, kOptions), Background(3));
}

}  // namespace
}  // namespace gleaner
