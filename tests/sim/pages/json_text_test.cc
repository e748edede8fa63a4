#include "sim/pages/json_text.h"

#include <string>

#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

TEST(JsonTextTest, NumbersThatJsonLacks) {
  ASSERT_OK_AND_ASSIGN(
      const auto json,
      ParseJson(R"({"a":NaN,"b":-NaN,"c":Infinity,"d":-Infinity,"NaN":"\"NaN","e":-1})"));
  EXPECT_EQ(json.dump(), R"({"a":"","b":"","c":"","d":"","NaN":"\"NaN","e":-1})");
}

TEST(JsonTextTest, ErrorsSayWhere) {
  EXPECT_THAT(ParseJson("{\"a\": NaN,\n \"b\" 1}"),
              StatusIs(kInvalid, StartsWith("line 2, column 6: syntax error")));
  EXPECT_THAT(ParseJson(""), StatusIs(kInvalid, StartsWith("line 1, column 1: ")));
  EXPECT_THAT(ParseJson("\"\xff\""), StatusIs(kInvalid, HasSubstr("UTF-8")));
  EXPECT_THAT(ParseJson("1e999"), StatusIs(kInvalid, HasSubstr("1e999")));
  EXPECT_THAT(ParseJson("[1] x"), StatusIs(kInvalid, StartsWith("line 1, column 5: ")));
}

TEST(JsonTextTest, ErrorsAreShort) {
  const auto json = ParseJson("\"" + std::string(100'000, 'x'));
  ASSERT_THAT(json, StatusIs(kInvalid));
  EXPECT_LT(json.status().message().size(), 250u);
}

TEST(JsonTextTest, Depth) {
  EXPECT_THAT(ParseJson(std::string(30, '[') + std::string(30, ']')),
              ::gleaner::testing::IsOk());
  for (int depth : {40, 1'000'000})
    EXPECT_THAT(ParseJson(std::string(depth, '[') + std::string(depth, ']')),
                StatusIs(kInvalid, HasSubstr("deeper than 32")));
}

}  // namespace
}  // namespace gleaner
