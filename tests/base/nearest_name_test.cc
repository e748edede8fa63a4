#include "base/nearest_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::StatusIs;

constexpr absl::string_view kPolicies[] = {"greedy", "cost-benefit", "age-threshold",
                                           "fifo",   "random",       "d-choices"};

TEST(NearestNameTest, FindsMisspellings) {
  EXPECT_EQ(NearestName("gredy", kPolicies), "greedy");    // a letter lost
  EXPECT_EQ(NearestName("grreedy", kPolicies), "greedy");  // a letter doubled
  EXPECT_EQ(NearestName("ffio", kPolicies), "fifo");       // neighbours swapped
  EXPECT_EQ(NearestName("costbenefit", kPolicies), "cost-benefit");
  EXPECT_EQ(NearestName("cost_benefit", kPolicies), "cost-benefit");
  EXPECT_EQ(NearestName("RANDOM", kPolicies), "random");
}

TEST(NearestNameTest, FindsAbbreviations) {
  EXPECT_EQ(NearestName("cost", kPolicies), "cost-benefit");
  EXPECT_EQ(NearestName("d", kPolicies), "d-choices");
}

TEST(NearestNameTest, KeepsSilentWhereNothingIsNear) {
  EXPECT_EQ(NearestName("lru", kPolicies), "");
  EXPECT_EQ(NearestName("", kPolicies), "");
  EXPECT_EQ(NearestName(std::string(100000, 'g'), kPolicies), "");
  EXPECT_EQ(NearestName("greedy", {}), "");
}

TEST(NearestNameTest, PrefersTheNearerAndThenTheFirst) {
  constexpr absl::string_view kNames[] = {"abcx", "abcd", "abcy"};
  EXPECT_EQ(NearestName("abce", kNames), "abcx");
  EXPECT_EQ(NearestName("abdc", kNames), "abcd");
}

TEST(UnknownNameErrorTest, SuggestsOneOrListsAll) {
  EXPECT_THAT(UnknownNameError("victim policy", "gredy", kPolicies),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "unknown victim policy \"gredy\"; did you mean \"greedy\"?"));
  EXPECT_THAT(UnknownNameError("victim policy", "lru", kPolicies),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "unknown victim policy \"lru\"; known: greedy, cost-benefit, "
                       "age-threshold, fifo, random, d-choices"));
}

}  // namespace
}  // namespace gleaner
