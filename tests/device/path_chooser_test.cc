#include "device/path_chooser.h"

#include <gtest/gtest.h>

#include <map>
#include <ostream>
#include <utility>

#include "absl/time/time.h"

namespace gleaner {

static std::ostream& operator<<(std::ostream& os, const PathChooser::Choice& c) {
  return os << (c.path == CopyPath::kNative ? "native" : "emulated")
            << (c.trial ? " trial" : "");
}

namespace {

using Choice = PathChooser::Choice;

constexpr Choice kTryNative = {CopyPath::kNative, true};
constexpr Choice kTryEmulated = {CopyPath::kEmulated, true};
constexpr Choice kNative = {CopyPath::kNative, false};
constexpr Choice kEmulated = {CopyPath::kEmulated, false};

TEST(PathChooserTest, SizeClassesArePowersOfTwo) {
  EXPECT_EQ(PathChooser::SizeClass(1, 1), 0);
  EXPECT_EQ(PathChooser::SizeClass(128, 128), 0);
  EXPECT_EQ(PathChooser::SizeClass(200, 100), 1);
  EXPECT_EQ(PathChooser::SizeClass(399, 100), 1);
  EXPECT_EQ(PathChooser::SizeClass(64, 1), 6);
  EXPECT_EQ(PathChooser::SizeClass(uint64_t{1} << 40, 1), PathChooser::kSizeClasses - 1);
}

TEST(PathChooserTest, TriesNativeThenEmulatedThenDecides) {
  PathChooser chooser(100);
  EXPECT_EQ(chooser.Choose(3), kTryNative);
  chooser.Admit(3, kTryNative, 60);
  EXPECT_EQ(chooser.Choose(3), kTryNative);
  chooser.Admit(3, kTryNative, 60);
  EXPECT_EQ(chooser.Choose(3),
            kTryEmulated);  // which must wait: native is still in flight
  chooser.EndSitting(3, CopyPath::kNative, 120, absl::Seconds(12));
  EXPECT_EQ(chooser.Choose(3), kTryEmulated);
  chooser.Admit(3, kTryEmulated, 100);
  chooser.EndSitting(3, CopyPath::kEmulated, 100, absl::Seconds(1));
  EXPECT_EQ(chooser.Choose(3), kEmulated);
  EXPECT_EQ(chooser.Choose(4), kTryNative);  // each class on its own
}

TEST(PathChooserTest, ATrialMayTakeSeveralSittings) {
  PathChooser chooser(100);
  for (int i = 0; i < 9; ++i) {
    chooser.Admit(0, kTryNative, 10);
    chooser.EndSitting(0, CopyPath::kNative, 10, absl::Seconds(1));
    EXPECT_EQ(chooser.Choose(0), kTryNative);
  }
  chooser.Admit(0, kTryNative, 10);
  chooser.EndSitting(0, CopyPath::kNative, 10, absl::Seconds(1));
  EXPECT_EQ(chooser.Choose(0), kTryEmulated);
}

// Runs one round of trials with the given costs per block; returns the choice after it.
Choice Round(PathChooser& chooser, absl::Duration native, absl::Duration emulated) {
  while (!chooser.Choose(0).trial) chooser.Admit(0, chooser.Choose(0), 100);
  chooser.Admit(0, kTryNative, 100);
  chooser.EndSitting(0, CopyPath::kNative, 100, 100 * native);
  chooser.Admit(0, kTryEmulated, 100);
  chooser.EndSitting(0, CopyPath::kEmulated, 100, 100 * emulated);
  return chooser.Choose(0);
}

TEST(PathChooserTest, TiesGoToNative) {
  PathChooser chooser(100);
  EXPECT_EQ(Round(chooser, absl::Seconds(1), absl::Seconds(1)), kNative);
}

TEST(PathChooserTest, AnIncumbentYieldsOnlyToSomethingClearlyBetter) {
  PathChooser chooser(100);
  EXPECT_EQ(Round(chooser, absl::Milliseconds(100), absl::Milliseconds(98)), kNative);
  EXPECT_EQ(Round(chooser, absl::Milliseconds(100), absl::Milliseconds(80)), kEmulated);
  // The medians, here means, are 100 and 89; now of three, 98 and 89.
  EXPECT_EQ(Round(chooser, absl::Milliseconds(98), absl::Milliseconds(89)), kEmulated);
  // 88 and 89: not clearly better.
  EXPECT_EQ(Round(chooser, absl::Milliseconds(80), absl::Milliseconds(89)), kEmulated);
  EXPECT_EQ(Round(chooser, absl::Milliseconds(80), absl::Milliseconds(89)), kNative);
}

TEST(PathChooserTest, OneOutlierDoesNotOverturnADifference) {
  PathChooser chooser(100);
  EXPECT_EQ(Round(chooser, absl::Seconds(6), absl::Seconds(10)), kNative);
  EXPECT_EQ(Round(chooser, absl::Seconds(6), absl::Seconds(10)), kNative);
  EXPECT_EQ(Round(chooser, absl::Seconds(60), absl::Seconds(10)), kNative);
  EXPECT_EQ(Round(chooser, absl::Seconds(6), absl::Seconds(10)), kNative);
}

TEST(PathChooserTest, AnOutlierInTheFirstRoundIsSoonForgotten) {
  PathChooser chooser(100);
  EXPECT_EQ(Round(chooser, absl::Seconds(12), absl::Seconds(10)), kEmulated);
  EXPECT_EQ(Round(chooser, absl::Seconds(6), absl::Seconds(10)), kNative);
}

// How many blocks pass between two rounds.
uint64_t SteadyBlocks(PathChooser& chooser) {
  uint64_t blocks = 0;
  for (; !chooser.Choose(0).trial; blocks += 100)
    chooser.Admit(0, chooser.Choose(0), 100);
  return blocks;
}

TEST(PathChooserTest, TrialsAreRarerTheMoreTheyCost) {
  for (const auto& [emulated, blocks] : {std::pair(1, 6400u), std::pair(5, 20000u)}) {
    PathChooser chooser(100);
    for (int round = 0; round < 2; ++round) {
      Round(chooser, absl::Seconds(1), absl::Seconds(emulated));
      EXPECT_EQ(SteadyBlocks(chooser), 400u);
    }
    Round(chooser, absl::Seconds(1), absl::Seconds(emulated));
    EXPECT_EQ(SteadyBlocks(chooser), blocks);
  }
}

TEST(PathChooserTest, ARoundThatSpeaksForTheOtherPathIsSoonRepeated) {
  PathChooser chooser(100);
  for (int round = 0; round < 3; ++round) {
    Round(chooser, absl::Seconds(1), absl::Seconds(2));
  }
  EXPECT_EQ(SteadyBlocks(chooser), 6400u);
  EXPECT_EQ(Round(chooser, absl::Seconds(4), absl::Seconds(2)), kNative);
  EXPECT_EQ(SteadyBlocks(chooser), 400u);
  EXPECT_EQ(Round(chooser, absl::Seconds(4), absl::Seconds(2)), kEmulated);
  EXPECT_EQ(SteadyBlocks(chooser), 6400u);
}

TEST(PathChooserTest, ATrialThatOnlyFailedIsRepeated) {
  PathChooser chooser(100);
  chooser.Admit(0, kTryNative, 100);
  chooser.EndSitting(0, CopyPath::kNative, 0, absl::Seconds(1));
  EXPECT_EQ(chooser.Choose(0), kTryNative);
}

}  // namespace
}  // namespace gleaner
