#include "gc/fitted_logs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/types.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::StatusIs;
using ::testing::HasSubstr;

constexpr ClassShape kNone{1, 1, 1};
constexpr ClassShape kGcLog{2, 1, 1};
constexpr ClassShape kTemperature{3, 3, 1};
constexpr ClassShape kAgeMatch{5, 1, 5};  // age-match:4

// "0 0 1-2": the logs of each class.
std::string Fit(const ClassShape& shape, const LogOptions& options) {
  const absl::StatusOr<LogMap> map = FitLogs(shape, options);
  if (!map.ok()) return std::string(map.status().message());
  return absl::StrJoin(map->classes, " ", [](std::string* out, const ClassLogs& logs) {
    absl::StrAppend(out, logs.first.value());
    if (logs.count > 1) absl::StrAppend(out, "-", logs.first.value() + logs.count - 1);
  });
}

TEST(FitLogsTest, WithoutALimitEachClassIsALog) {
  EXPECT_EQ(Fit(kNone, {}), "0");
  EXPECT_EQ(Fit(kGcLog, {}), "0 1");
  EXPECT_EQ(Fit(kTemperature, {}), "0 1 2");
  EXPECT_EQ(Fit(kAgeMatch, {.most = 5}), "0 1 2 3 4");
}

TEST(FitLogsTest, UserWritesJoinBeforeTheyMeetRelocatedBlocks) {
  EXPECT_EQ(Fit(kTemperature, {.most = 2}), "0 0 1");
}

TEST(FitLogsTest, TheColdestNeighboursJoinFirst) {
  EXPECT_EQ(Fit(kAgeMatch, {.most = 4}), "0 1 2 3 3");
  EXPECT_EQ(Fit(kAgeMatch, {.most = 3}), "0 1 2 2 2");
  EXPECT_EQ(Fit(kAgeMatch, {.most = 2}), "0 1 1 1 1");
}

TEST(FitLogsTest, TheKindWithMostLogsShrinksFirst) {
  const ClassShape shape{
      7, 4, 5};  // two for user writes only, two for both, three for the rest
  EXPECT_EQ(Fit(shape, {.most = 6}), "0 1 2 3 4 5 5");
  EXPECT_EQ(Fit(shape, {.most = 5}), "0 1 2 3 4 4 4");
  EXPECT_EQ(Fit(shape, {.most = 4}), "0 1 2 2 3 3 3");
  EXPECT_EQ(Fit(shape, {.most = 3}), "0 0 1 1 2 2 2");
  EXPECT_EQ(Fit(shape, {.most = 2}),
            "0 0 1 1 1 1 1");  // user writes still have their own
}

TEST(FitLogsTest, TheLeastIsALogForEachOfTheTwoOrOneForBoth) {
  EXPECT_EQ(Fit(kNone, {.most = 1}), "0");
  for (const ClassShape& shape : {kGcLog, kTemperature, kAgeMatch}) {
    EXPECT_THAT(FitLogs(shape, {.most = 1}),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         HasSubstr("2 open segments are needed, 1 can be")));
  }
}

TEST(FitLogsTest, RelocatedBlocksHaveSeveralLogsWhereThereIsRoom) {
  EXPECT_EQ(Fit(kNone, {.logs_per_relocation_class = 3}), "0-2");
  EXPECT_EQ(Fit(kGcLog, {.logs_per_relocation_class = 4}), "0 1-4");
  EXPECT_EQ(Fit(kGcLog, {.most = 4, .logs_per_relocation_class = 4}), "0 1-3");
  EXPECT_EQ(Fit(kGcLog, {.most = 2, .logs_per_relocation_class = 4}), "0 1");
  EXPECT_EQ(Fit(kTemperature, {.logs_per_relocation_class = 2}), "0 1 2-3");
  EXPECT_EQ(Fit(kAgeMatch, {.most = 10, .logs_per_relocation_class = 8}),
            "0-1 2-3 4-5 6-7 8-9");
  EXPECT_EQ(Fit(kAgeMatch, {.most = 9, .logs_per_relocation_class = 8}), "0 1 2 3 4");
}

TEST(FitLogsTest, CountsTheLogsOfRelocatedBlocks) {
  ASSERT_OK_AND_ASSIGN(const LogMap few, FitLogs(kAgeMatch, {.most = 2}));
  EXPECT_EQ(few.logs, 2u);
  EXPECT_EQ(few.relocation_logs, 2u);
  ASSERT_OK_AND_ASSIGN(const LogMap many,
                       FitLogs(kTemperature, {.logs_per_relocation_class = 4}));
  EXPECT_EQ(many.logs, 6u);
  EXPECT_EQ(many.relocation_logs, 4u);
}

TEST(FitLogsTest, EveryMapKeepsItsLimitAndUsesEveryLog) {
  for (uint32_t user = 1; user <= 4; ++user) {
    for (uint32_t relocated = 1; relocated <= 4; ++relocated) {
      for (uint32_t classes = std::max(user, relocated); classes <= user + relocated;
           ++classes) {
        for (uint32_t most = 2; most <= 12; ++most) {
          ASSERT_OK_AND_ASSIGN(
              const LogMap map,
              FitLogs({classes, user, relocated},
                      {.most = most, .logs_per_relocation_class = most % 4 + 1}));
          EXPECT_LE(map.logs, most);
          ASSERT_EQ(map.classes.size(), classes);
          uint32_t next = 0;  // each class begins where the one before it does, or ends
          for (const ClassLogs& logs : map.classes) {
            if (logs.first.value() + logs.count != next) {
              EXPECT_EQ(logs.first.value(), next);
            }
            next = logs.first.value() + logs.count;
          }
          EXPECT_EQ(next, map.logs);
          EXPECT_EQ(map.logs - map.relocation_logs,
                    map.classes[classes - relocated].first.value());
        }
      }
    }
  }
}

// -- FitPlacement -----------------------------------------------------------------------------

std::unique_ptr<Placement> Fitted(const char* placement, const LogOptions& options) {
  return *FitPlacement(*MakePlacement(placement, {.volume_blocks = 1000}), options);
}

TEST(FitPlacementTest, TellsOfItsLogsAsClasses) {
  const auto placement = Fitted("temperature:128:640", {.most = 2});
  EXPECT_EQ(placement->classes(), 2u);
  EXPECT_EQ(placement->user_classes(), 2u);
  EXPECT_EQ(placement->relocation_classes(), 1u);
  EXPECT_EQ(placement->ForUserWrite(Lba(5), 0), ClassId(0));    // warm
  EXPECT_EQ(placement->ForUserWrite(Lba(5), 640), ClassId(1));  // cold
  EXPECT_EQ(placement->ForUserWrite(Lba(6), 700), ClassId(0));
  EXPECT_EQ(placement->ForUserWrite(Lba(6), 764), ClassId(0));  // hot
  EXPECT_EQ(placement->ForVictim({}, 800), ClassId(1));
  EXPECT_EQ(placement->memory_bytes(), 8000u);
  EXPECT_FALSE(placement->needs_modified());
  EXPECT_TRUE(Fitted("age-match", {.most = 2})->needs_modified());
}

TEST(FitPlacementTest, VictimsTakeTurns) {
  const auto placement = Fitted("gc-log", {.logs_per_relocation_class = 3});
  EXPECT_EQ(placement->classes(), 4u);
  EXPECT_EQ(placement->user_classes(), 1u);
  EXPECT_EQ(placement->relocation_classes(), 3u);
  EXPECT_EQ(placement->ForUserWrite(Lba(5), 0), ClassId(0));
  for (const uint8_t log : {1, 2, 3, 1, 2})
    EXPECT_EQ(placement->ForVictim({}, 0), ClassId(log));
}

TEST(FitPlacementTest, OneThatFitsIsLeftAlone) {
  auto placement = MakeGcLogPlacement();
  const Placement* const before = placement.get();
  ASSERT_OK_AND_ASSIGN(const auto after, FitPlacement(std::move(placement), {.most = 2}));
  EXPECT_EQ(after.get(), before);
}

}  // namespace
}  // namespace gleaner
