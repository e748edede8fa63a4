// The compiler against hand-written cases and against dynamic programming.
#include "device/copy_compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <ostream>
#include <utility>
#include <vector>

#include "base/random.h"
#include "device/geometry.h"

namespace gleaner {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

DeviceRange Blocks(uint64_t start, uint64_t count) {
  return {DeviceBlock(start), DeviceBlockCount(count)};
}

struct Move {
  DeviceRange source;
  DeviceBlock target;
};

struct Command {
  std::vector<DeviceRange> sources;
  uint64_t target;
  friend bool operator==(const Command&, const Command&) = default;
  friend std::ostream& operator<<(std::ostream& os, const Command& c) {
    os << "to " << c.target << ":";
    for (const DeviceRange& source : c.sources) os << " " << source;
    return os;
  }
};

std::vector<Command> Compile(const std::vector<Move>& moves, const CopyLimits& limits,
                             const CopyWindows& windows = {}) {
  std::vector<Command> commands;
  const auto emit = [&](const CopyCommand& c) {
    uint64_t blocks = 0;
    for (const DeviceRange& source : c.sources) blocks += source.count.value();
    EXPECT_EQ(blocks, c.blocks.value());
    commands.push_back({{c.sources.begin(), c.sources.end()}, c.target.value()});
  };
  CopyCompiler compiler(limits, windows);
  for (const Move& move : moves) compiler.Add(move.source, move.target, emit);
  compiler.Finish(emit);
  return commands;
}

// Moves to consecutive blocks from `target` on.
std::vector<Move> Gather(const std::vector<DeviceRange>& sources, uint64_t target) {
  std::vector<Move> moves;
  for (const DeviceRange& source : sources) {
    moves.push_back({source, DeviceBlock(target)});
    target += source.count.value();
  }
  return moves;
}

constexpr CopyLimits kWide = {
    .max_copy_blocks = 1024, .max_copy_ranges = 128, .max_range_blocks = 128};

TEST(CopyCompilerTest, NothingGivesNothing) {
  EXPECT_THAT(Compile({}, kWide), IsEmpty());
  EXPECT_THAT(Compile(Gather({Blocks(5, 0)}, 100), kWide), IsEmpty());
}

TEST(CopyCompilerTest, SeveralSourcesShareACommand) {
  EXPECT_THAT(Compile(Gather({Blocks(10, 2), Blocks(20, 3), Blocks(5, 1)}, 100), kWide),
              ElementsAre(Command{{Blocks(10, 2), Blocks(20, 3), Blocks(5, 1)}, 100}));
}

TEST(CopyCompilerTest, AdjacentSourcesAreMerged) {
  EXPECT_THAT(Compile(Gather({Blocks(10, 2), Blocks(12, 3), Blocks(16, 1)}, 100), kWide),
              ElementsAre(Command{{Blocks(10, 5), Blocks(16, 1)}, 100}));
}

TEST(CopyCompilerTest, ATargetThatDoesNotFollowBeginsACommand) {
  EXPECT_THAT(
      Compile({{Blocks(10, 2), DeviceBlock(100)}, {Blocks(12, 2), DeviceBlock(103)}},
              kWide),
      ElementsAre(Command{{Blocks(10, 2)}, 100}, Command{{Blocks(12, 2)}, 103}));
}

TEST(CopyCompilerTest, ALongRangeIsSplit) {
  const CopyLimits limits = {
      .max_copy_blocks = 10, .max_copy_ranges = 4, .max_range_blocks = 4};
  EXPECT_THAT(Compile(Gather({Blocks(0, 13)}, 100), limits),
              ElementsAre(Command{{Blocks(0, 4), Blocks(4, 4), Blocks(8, 2)}, 100},
                          Command{{Blocks(10, 3)}, 110}));
}

TEST(CopyCompilerTest, RangesAreLimited) {
  const CopyLimits limits = {
      .max_copy_blocks = 99, .max_copy_ranges = 2, .max_range_blocks = 9};
  EXPECT_THAT(Compile(Gather({Blocks(0, 1), Blocks(2, 1), Blocks(4, 1)}, 100), limits),
              ElementsAre(Command{{Blocks(0, 1), Blocks(2, 1)}, 100},
                          Command{{Blocks(4, 1)}, 102}));
  // The second range is full when the third begins, but the third still lengthens it.
  EXPECT_THAT(Compile(Gather({Blocks(0, 1), Blocks(2, 1), Blocks(3, 2)}, 100), limits),
              ElementsAre(Command{{Blocks(0, 1), Blocks(2, 3)}, 100}));
}

// The odd limits of a controller that takes one range of one block.
TEST(CopyCompilerTest, LimitsOfOne) {
  const CopyLimits limits = {
      .max_copy_blocks = 1, .max_copy_ranges = 1, .max_range_blocks = 1};
  EXPECT_THAT(Compile(Gather({Blocks(7, 2)}, 100), limits),
              ElementsAre(Command{{Blocks(7, 1)}, 100}, Command{{Blocks(8, 1)}, 101}));
}

TEST(CopyCompilerTest, CommandsEndWithTheTargetsWindow) {
  EXPECT_THAT(Compile(Gather({Blocks(0, 5)}, 30), kWide,
                      CopyWindows::Every(DeviceBlockCount(16))),
              ElementsAre(Command{{Blocks(0, 2)}, 30}, Command{{Blocks(2, 3)}, 32}));
}

TEST(CopyCompilerTest, RangesEndWithTheSourcesWindow) {
  EXPECT_THAT(Compile(Gather({Blocks(14, 4)}, 32), kWide,
                      CopyWindows::Every(DeviceBlockCount(16))),
              ElementsAre(Command{{Blocks(14, 2), Blocks(16, 2)}, 32}));
  EXPECT_THAT(Compile(Gather({Blocks(14, 2), Blocks(16, 2)}, 32), kWide,
                      CopyWindows::Every(DeviceBlockCount(16))),
              ElementsAre(Command{{Blocks(14, 2), Blocks(16, 2)}, 32}));
}

TEST(CopyCompilerTest, WindowsOfDifferentLengths) {
  const CopyWindows windows = CopyWindows::At({DeviceBlock(10), DeviceBlock(13)});
  EXPECT_EQ(windows.Around(DeviceBlock(9)), Blocks(0, 10));
  EXPECT_EQ(windows.Around(DeviceBlock(10)), Blocks(10, 3));
  EXPECT_EQ(windows.Around(DeviceBlock(12)), Blocks(10, 3));
  EXPECT_EQ(windows.Around(DeviceBlock(13)).start, DeviceBlock(13));
  EXPECT_EQ(CopyWindows().Around(DeviceBlock(77)).start, DeviceBlock(0));
  EXPECT_THAT(Compile(Gather({Blocks(100, 5)}, 8), kWide, windows),
              ElementsAre(Command{{Blocks(100, 2)}, 8}, Command{{Blocks(102, 3)}, 10}));
}

TEST(CopyCompilerTest, SourceAndTargetOnDevicesWithUnlikeWindows) {
  CopyCompiler compiler(kWide, CopyWindows::Every(DeviceBlockCount(4)),
                        CopyWindows::Of([](DeviceBlock block) {
                          return block < DeviceBlock(10) ? Blocks(0, 10) : Blocks(10, 90);
                        }));
  std::vector<Command> commands;
  const auto emit = [&commands](const CopyCommand& c) {
    commands.push_back({{c.sources.begin(), c.sources.end()}, c.target.value()});
  };
  compiler.Add(Blocks(2, 8), DeviceBlock(7), emit);
  compiler.Finish(emit);
  EXPECT_THAT(commands, ElementsAre(Command{{Blocks(2, 2), Blocks(4, 1)}, 7},
                                    Command{{Blocks(5, 3), Blocks(8, 2)}, 10}));
}

TEST(CopyCompilerTest, CanBeUsedAgainAfterFinish) {
  int commands = 0;
  const auto emit = [&](const CopyCommand& c) {
    ++commands;
    EXPECT_THAT(c.sources, ElementsAre(Blocks(0, 2)));
  };
  CopyCompiler compiler(kWide);
  for (int i = 0; i < 2; ++i) {
    compiler.Add(Blocks(0, 2), DeviceBlock(100), emit);
    compiler.Finish(emit);
    compiler.Finish(emit);
  }
  EXPECT_EQ(commands, 2);
}

// One block of a job: where it comes from and goes to.
struct Step {
  uint64_t source;
  uint64_t target;
};

// Whether one command can carry these steps, checked block by block without regard to how
// the compiler does it.
bool FitsOneCommand(absl::Span<const Step> steps, const CopyLimits& limits,
                    const CopyWindows& windows) {
  if (steps.size() > limits.max_copy_blocks) return false;
  uint64_t ranges = 0;
  uint64_t in_range = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (i > 0 && steps[i].target != steps[i - 1].target + 1) return false;
    if (windows.Around(DeviceBlock(steps[i].target)) !=
        windows.Around(DeviceBlock(steps[0].target))) {
      return false;
    }
    const bool continues = i > 0 && steps[i].source == steps[i - 1].source + 1 &&
                           in_range < limits.max_range_blocks &&
                           windows.Around(DeviceBlock(steps[i].source)) ==
                               windows.Around(DeviceBlock(steps[i - 1].source));
    if (!continues) {
      ++ranges;
      in_range = 0;
    }
    ++in_range;
  }
  return ranges <= limits.max_copy_ranges;
}

size_t FewestCommands(const std::vector<Step>& steps, const CopyLimits& limits,
                      const CopyWindows& windows) {
  // fewest[i]: for the first i blocks.
  std::vector<size_t> fewest(steps.size() + 1, std::numeric_limits<size_t>::max());
  fewest[0] = 0;
  for (size_t i = 1; i <= steps.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (FitsOneCommand(absl::MakeConstSpan(steps).subspan(j, i - j), limits, windows)) {
        fewest[i] = std::min(fewest[i], fewest[j] + 1);
      }
    }
  }
  return fewest.back();
}

std::vector<Step> StepsOf(const std::vector<Move>& moves) {
  std::vector<Step> steps;
  for (const Move& move : moves) {
    for (uint64_t i = 0; i < move.source.count.value(); ++i) {
      steps.push_back({move.source.start.value() + i, move.target.value() + i});
    }
  }
  return steps;
}

std::vector<Move> RandomMoves(Random& random) {
  std::vector<Move> moves;
  uint64_t source = random.Below(20);
  uint64_t target = 1000 + random.Below(10);
  const uint64_t count = random.Below(9);
  for (uint64_t i = 0; i < count; ++i) {
    const DeviceRange range = Blocks(source, random.Below(6));
    moves.push_back({range, DeviceBlock(target)});
    // Often adjacent, sometimes backwards.
    source =
        random.Below(3) == 0 ? random.Below(40) : range.end().value() + random.Below(2);
    target += range.count.value() + (random.Below(8) == 0 ? 1 : 0);
  }
  return moves;
}

TEST(CopyCompilerTest, NeverTakesMoreCommandsThanDynamicProgramming) {
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed);
    CopyLimits limits;
    limits.max_copy_blocks = 1 + random.Below(9);
    limits.max_copy_ranges = 1 + random.Below(4);
    limits.max_range_blocks = 1 + random.Below(5);
    CopyWindows windows;
    if (random.Below(3) == 0)
      windows = CopyWindows::Every(DeviceBlockCount(1 + random.Below(9)));
    if (random.Below(3) == 0) {
      windows = CopyWindows::At({DeviceBlock(7), DeviceBlock(12), DeviceBlock(1004)});
    }
    const std::vector<Move> moves = RandomMoves(random);
    const std::vector<Step> steps = StepsOf(moves);
    const std::vector<Command> commands = Compile(moves, limits, windows);

    std::vector<Step> compiled;
    for (const Command& command : commands) {
      const size_t first = compiled.size();
      uint64_t target = command.target;
      EXPECT_LE(command.sources.size(), limits.max_copy_ranges) << "seed " << seed;
      for (const DeviceRange& source : command.sources) {
        EXPECT_LE(source.count.value(), limits.max_range_blocks) << "seed " << seed;
        EXPECT_LE(source.end(), windows.Around(source.start).end()) << "seed " << seed;
        for (DeviceBlock b = source.start; b < source.end(); ++b) {
          compiled.push_back({b.value(), target++});
        }
      }
      EXPECT_TRUE(
          FitsOneCommand(absl::MakeConstSpan(compiled).subspan(first), limits, windows))
          << "seed " << seed << " " << command;
    }
    ASSERT_EQ(compiled.size(), steps.size()) << "seed " << seed;
    for (size_t i = 0; i < steps.size(); ++i) {
      ASSERT_EQ(compiled[i].source, steps[i].source) << "seed " << seed;
      ASSERT_EQ(compiled[i].target, steps[i].target) << "seed " << seed;
    }
    ASSERT_EQ(commands.size(), FewestCommands(steps, limits, windows)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace gleaner
