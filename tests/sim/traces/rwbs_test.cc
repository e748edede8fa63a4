#include "sim/traces/rwbs.h"

#include <gtest/gtest.h>

#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using testing::IsOk;
using testing::StatusIs;

TEST(RwbsTest, TellsOperations) {
  const struct {
    const char* rwbs;
    std::optional<RequestOp> expected;
  } kCases[] = {
      {"R", RequestOp::kRead},     {"RA", RequestOp::kRead},
      {"RSM", RequestOp::kRead},   {"FR", RequestOp::kRead},
      {"W", RequestOp::kWrite},    {"WS", RequestOp::kWrite},
      {"WFSM", RequestOp::kWrite}, {"FWFS", RequestOp::kWrite},
      {"WSU", RequestOp::kWrite},  {"D", RequestOp::kTrim},
      {"DS", RequestOp::kTrim},    {"DE", RequestOp::kTrim},
      {"NS", RequestOp::kTrim},    {"F", std::nullopt},
      {"FF", std::nullopt},        {"FS", std::nullopt},
      {"ZO", std::nullopt},        {"ZC", std::nullopt},
      {"ZFS", std::nullopt},
  };
  for (const auto& c : kCases) {
    const auto op = ParseRwbs(c.rwbs);
    ASSERT_THAT(op, IsOk()) << c.rwbs;
    EXPECT_EQ(*op, c.expected) << c.rwbs;
  }
}

TEST(RwbsTest, RefusesTheRest) {
  for (const char* bad :
       {"", "w", "X", "WX", "WRS", "FX", "ZA", "ZR", "ZRA", "Z", "ZX", "S"}) {
    EXPECT_THAT(ParseRwbs(bad), StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

}  // namespace
}  // namespace gleaner
