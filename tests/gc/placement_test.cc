#include "gc/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/types.h"
#include "gc/segment_table.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::IsOk;
using ::gleaner::testing::StatusIs;
using ::testing::HasSubstr;

constexpr PlacementOptions kOptions{.volume_blocks = 1000, .segment_blocks = 512};

TEST(PlacementTest, NoneHasOneLog) {
  ASSERT_OK_AND_ASSIGN(const auto none, MakePlacement("none", kOptions));
  EXPECT_EQ(none->classes(), 1u);
  EXPECT_EQ(none->relocation_classes(), 1u);
  EXPECT_EQ(none->ForUserWrite(Lba(7), 1), ClassId(0));
  EXPECT_EQ(none->ForVictim({}, 1), ClassId(0));
  EXPECT_EQ(none->ForRelocation({}, Lba(7), 1), ClassId(0));
  EXPECT_FALSE(none->needs_modified());
  EXPECT_EQ(none->memory_bytes(), 0u);
}

TEST(PlacementTest, GcLogSeparatesWhatIsRelocated) {
  ASSERT_OK_AND_ASSIGN(const auto gc_log, MakePlacement("gc-log", kOptions));
  EXPECT_EQ(gc_log->classes(), 2u);
  EXPECT_EQ(gc_log->relocation_classes(), 1u);
  EXPECT_EQ(gc_log->ForUserWrite(Lba(7), 1), ClassId(0));
  EXPECT_EQ(gc_log->ForVictim({.log_class = ClassId(0)}, 1), ClassId(1));
  EXPECT_EQ(gc_log->ForVictim({.log_class = ClassId(1)}, 1), ClassId(1));
  EXPECT_EQ(gc_log->ForRelocation({}, Lba(7), 1), ClassId(1));
}

// -- temperature: hot 0, warm 1, cold 2 -------------------------------------------------------

TEST(TemperaturePlacementTest, SortsByTheTimeBetweenOverwrites) {
  ASSERT_OK_AND_ASSIGN(const auto placement,
                       MakePlacement("temperature:128:640", kOptions));
  EXPECT_EQ(placement->classes(), 3u);
  EXPECT_EQ(placement->ForUserWrite(Lba(5), 0), ClassId(1));    // no age is known
  EXPECT_EQ(placement->ForUserWrite(Lba(5), 640), ClassId(2));  // 640
  EXPECT_EQ(placement->ForUserWrite(Lba(5), 704), ClassId(1));  // 0.7 * 64 + 0.3 * 640
  EXPECT_EQ(placement->ForUserWrite(Lba(5), 768), ClassId(0));  // 0.7 * 64 + 0.3 * 192
  EXPECT_EQ(placement->ForUserWrite(Lba(6), 768), ClassId(1));  // another block
  EXPECT_EQ(placement->ForUserWrite(Lba(6), 895), ClassId(0));  // rounds to 64
  EXPECT_EQ(placement->ForUserWrite(Lba(7), 1000), ClassId(1));
  EXPECT_EQ(placement->ForUserWrite(Lba(1007), 1010),
            ClassId(0));  // lba modulo the volume
}

TEST(TemperaturePlacementTest, DefaultThresholdsAreF2fss) {
  ASSERT_OK_AND_ASSIGN(const auto placement, MakePlacement("temperature", kOptions));
  const struct {
    uint64_t interval;
    uint8_t log_class;
  } kCases[] = {{262'143, 0}, {262'144, 1}, {2'621'439, 1}, {2'621'440, 2}};
  uint64_t lba = 0;
  for (const auto& c : kCases) {
    EXPECT_EQ(placement->ForUserWrite(Lba(++lba), 0), ClassId(1));
    EXPECT_EQ(placement->ForUserWrite(Lba(lba), c.interval), ClassId(c.log_class))
        << c.interval;
  }
}

TEST(TemperaturePlacementTest, RelocatedBlocksAreCold) {
  ASSERT_OK_AND_ASSIGN(const auto placement, MakePlacement("temperature", kOptions));
  EXPECT_EQ(placement->ForVictim({.log_class = ClassId(0)}, 5), ClassId(2));
  EXPECT_EQ(placement->relocation_classes(), 1u);
  EXPECT_EQ(placement->memory_bytes(), 8'000u);
}

// -- age-match --------------------------------------------------------------------------------

SegmentInfo Victim(uint32_t live_blocks, double modified_at_blocks) {
  SegmentInfo info;
  info.live_blocks = live_blocks;
  info.modified_at_blocks = modified_at_blocks;
  return info;
}

TEST(AgeMatchPlacementTest, RelocatedBlocksJoinTheNearestAge) {
  ASSERT_OK_AND_ASSIGN(const auto placement, MakePlacement("age-match", kOptions));
  EXPECT_EQ(placement->classes(), 3u);
  EXPECT_EQ(placement->relocation_classes(), 3u);
  EXPECT_TRUE(placement->needs_modified());
  EXPECT_EQ(placement->ForUserWrite(Lba(1), 9'999), ClassId(0));
  const auto for_victim = [&](double modified_at_blocks) {
    return placement->ForVictim(Victim(512, modified_at_blocks), 10'000);
  };
  // The user's log stands at 10,000 less half a segment, the others at 5,000 and 0 at first.
  EXPECT_EQ(for_victim(7'373), ClassId(0));
  EXPECT_EQ(for_victim(7'371), ClassId(1));  // which moves half of the way, to 6185.5
  EXPECT_EQ(for_victim(3'000), ClassId(2));  // nearer to 0 now; to 1500
  EXPECT_EQ(for_victim(3'842), ClassId(2));  // to 2671
  EXPECT_EQ(for_victim(4'429), ClassId(1));
}

TEST(AgeMatchPlacementTest, ASmallVictimMovesTheMeanLess) {
  ASSERT_OK_AND_ASSIGN(const auto placement, MakePlacement("age-match:1", kOptions));
  EXPECT_EQ(placement->classes(), 2u);
  // One log beside the user's, at 0 at first.
  EXPECT_EQ(placement->ForVictim(Victim(128, 1000), 2'304),
            ClassId(1));  // a fifth of the way: to 200
  const auto small = [&](double modified_at_blocks) {
    return placement->ForVictim(Victim(0, modified_at_blocks), 2'304);
  };
  EXPECT_EQ(small(1'123), ClassId(1));  // the user's stands at 2048
  EXPECT_EQ(small(1'125), ClassId(0));
  EXPECT_EQ(small(1'124), ClassId(0));  // of equals the first
}

// -- Specs ------------------------------------------------------------------------------------

TEST(PlacementSpecTest, EveryNameIsMade) {
  for (const char* spec : {"none", "gc-log", "temperature", "temperature:1:2",
                           "age-match", "age-match:1", "age-match:16"})
    EXPECT_THAT(MakePlacement(spec, kOptions), IsOk()) << spec;
  std::vector<std::string> names;
  for (const PolicyName& placement : PlacementNames()) {
    names.emplace_back(placement.name);
    EXPECT_FALSE(placement.help.empty());
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"none", "gc-log", "temperature", "age-match"}));
}

TEST(PlacementSpecTest, BadArguments) {
  const struct {
    const char* spec;
    const char* message;
  } kCases[] = {
      {"none:1", "placement \"none:1\": takes no argument"},
      {"gc-log:", "placement \"gc-log:\": takes no argument"},
      {"temperature:1", "needs 2 argument(s) after a colon"},
      {"temperature:1:2:3", "takes at most 2 argument(s)"},
      {"temperature:0:2", "\"0\" is not a whole number from 1 to 1099511627776"},
      {"temperature:1:x", "\"x\" is not a whole number"},
      {"temperature:2:2", "placement \"temperature:2:2\": HOT must be less than COLD"},
      {"age-match:0", "\"0\" is not a whole number from 1 to 16"},
      {"age-match:17", "\"17\" is not a whole number from 1 to 16"},
      {"gclog", "unknown placement \"gclog\"; did you mean \"gc-log\"?"},
      {"temprature:1:2", "did you mean \"temperature\"?"},
      {"zebra",
       "unknown placement \"zebra\"; known: none, gc-log, temperature, age-match"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(MakePlacement(c.spec, kOptions),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)))
        << c.spec;
  }
}

}  // namespace
}  // namespace gleaner
