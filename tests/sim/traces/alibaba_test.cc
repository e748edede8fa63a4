#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/sim/traces/trace_test_util.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ReadTrace;
using testing::StatusIs;
using testing::TraceError;

constexpr char kTrace[] =
    "0,R,126703644672,4096,1577808000000626\n"
    "725,W,512,1024,1577808000000627\n";

TEST(AlibabaTest, Reads) {
  for (const char* format : {"alibaba", "auto"}) {
    EXPECT_THAT(ReadTrace(kTrace, format),
                ElementsAre("0 read 126703644672+4096 @1577808000000626000",
                            "725 write 512+1024 @1577808000000627000"));
  }
}

TEST(AlibabaTest, RefusesBadRecords) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  constexpr auto kRange = absl::StatusCode::kOutOfRange;
  const struct {
    const char* line;
    absl::StatusCode code;
    const char* message;
  } kCases[] = {
      {"0,R,4096,4096", kInvalid,
       "t:3: expected device_id,opcode,offset,length,timestamp, found"},
      {"0,R,4096,4096,1,1", kInvalid, "found \"0,R,4096,4096,1,1\""},
      {"x,R,4096,4096,1", kInvalid, "device_id \"x\" is not a whole number"},
      {"0,D,4096,4096,1", kInvalid, "opcode \"D\" is not R or W"},
      {"0,R,-4096,4096,1", kRange, "t:3: offset \"-4096\" is negative"},
      {"0,R,4096,,1", kInvalid, "length \"\" is not a whole number"},
      {"0,R,4096,0,1", kInvalid, "length zero"},
      {"0,R,4096,4294967297,1", kRange, "the most is 4294967296 bytes"},
      {"0,R,18446744073709551616,4096,1", kRange, "too large"},
      {"0,R,9223372036854775807,4096,1", kRange, "beyond 2^63"},
      {"0,R,4096,4096,noon", kInvalid, "time \"noon\" is not a number"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(TraceError(absl::StrCat(kTrace, c.line, "\n"), "alibaba"),
                StatusIs(c.code, HasSubstr(c.message)));
  }
}

}  // namespace
}  // namespace gleaner
