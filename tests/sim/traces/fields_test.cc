#include "sim/traces/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

std::vector<std::string> Fields(absl::string_view line, char separator) {
  FieldCursor cursor(line, separator);
  std::vector<std::string> fields;
  absl::string_view field;
  while (cursor.Next(&field)) fields.emplace_back(field);
  return fields;
}

TEST(FieldCursorTest, SeparatesByOneCharacter) {
  EXPECT_THAT(Fields("a,b c,", ','), ElementsAre("a", "b c", ""));
  EXPECT_THAT(Fields("", ','), ElementsAre(""));
}

TEST(FieldCursorTest, SeparatesByBlanks) {
  EXPECT_THAT(Fields("  a \t b  c ", ' '), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Fields("   ", ' '), ElementsAre());
}

TEST(FieldCursorTest, RestIsWhatIsLeft) {
  FieldCursor cursor("a   b  c", ' ');
  absl::string_view field;
  ASSERT_TRUE(cursor.Next(&field));
  EXPECT_EQ(cursor.rest(), "b  c");
}

TEST(SplitFieldsTest, WantsTheExactNumber) {
  absl::string_view fields[2];
  EXPECT_TRUE(SplitFields("a,b", ',', absl::MakeSpan(fields)));
  EXPECT_EQ(fields[1], "b");
  EXPECT_FALSE(SplitFields("a", ',', absl::MakeSpan(fields)));
  EXPECT_FALSE(SplitFields("a,b,", ',', absl::MakeSpan(fields)));
}

TEST(ParseNumberTest, TakesWholeNumbersOnly) {
  uint64_t value = 0;
  EXPECT_THAT(ParseNumber("n", "18446744073709551615", &value), IsOk());
  EXPECT_EQ(value, 18446744073709551615u);
  EXPECT_THAT(ParseNumber("n", "007", &value), IsOk());
  EXPECT_EQ(value, 7u);
  for (const char* bad :
       {"", " 1", "1 ", "+1", "1.5", "0x10", "1e3", "-", "--1", "one"}) {
    EXPECT_THAT(ParseNumber("n", bad, &value),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << bad;
  }
  EXPECT_THAT(ParseNumber("n", "18446744073709551616", &value),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("too large")));
  EXPECT_THAT(ParseNumber("offset", "-4096", &value),
              StatusIs(absl::StatusCode::kOutOfRange, "offset \"-4096\" is negative"));
}

TEST(ParseTimeTest, ScalesToNanoseconds) {
  uint64_t ns = 0;
  EXPECT_THAT(ParseTime("12", 1000, &ns), IsOk());
  EXPECT_EQ(ns, 12'000u);
  EXPECT_THAT(ParseTime("2600.012833", kNanosPerSecond, &ns), IsOk());
  EXPECT_EQ(ns, 2'600'012'833'000u);
  EXPECT_THAT(ParseTime("0.1234567899", kNanosPerSecond, &ns), IsOk());
  EXPECT_EQ(ns, 123'456'789u);
  EXPECT_THAT(ParseTime("1.9", 1, &ns), IsOk());
  EXPECT_EQ(ns, 1u);
  for (const char* bad : {"", ".5", "1.5.", "1.x", "x"}) {
    EXPECT_THAT(ParseTime(bad, kNanosPerSecond, &ns),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << bad;
  }
  EXPECT_THAT(ParseTime("18446744074", kNanosPerSecond, &ns),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(SetExtentTest, ScalesAndBounds) {
  TraceRecord record;
  EXPECT_THAT(SetExtent(8, 16, {512, 1}, &record), IsOk());
  EXPECT_EQ(record.offset_bytes, 4096u);
  EXPECT_EQ(record.length_bytes, 16u);
  EXPECT_THAT(SetExtent(0, 8388608, {512, 512}, &record), IsOk());  // 4 GiB
  EXPECT_THAT(SetExtent(0, 8388609, {512, 512}, &record),
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(SetExtent(0, 0, {1, 1}, &record),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SetExtent(0x7FFFFFFFFFFFFFFE, 1, {1, 1}, &record), IsOk());
  EXPECT_THAT(SetExtent(0x7FFFFFFFFFFFFFFE, 2, {1, 1}, &record),
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(SetExtent(0x7FFFFFFFFFFFFFFE, 1, {512, 1}, &record),
              StatusIs(absl::StatusCode::kOutOfRange));  // more than 64 bits
  EXPECT_THAT(SetExtent(0, 0x8000000000000000, {1, 512}, &record),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(QuotedTest, EscapesAndCuts) {
  EXPECT_EQ(Quoted("a\tb\001c"), R"("a\tb\001c")");
  EXPECT_EQ(Quoted(std::string(61, 'x')), "\"" + std::string(60, 'x') + "…\"");
}

}  // namespace
}  // namespace gleaner
