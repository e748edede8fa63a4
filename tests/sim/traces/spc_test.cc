#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/traces/trace_test_util.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ReadTrace;
using testing::StatusIs;
using testing::TraceError;

TEST(SpcTest, Reads) {
  const char kTrace[] =
      "0,303567,3584,w,0.000000\n"
      "1, 55590 ,3072,R,0.026214,any,further field\n";
  for (const char* format : {"spc", "auto"}) {
    EXPECT_THAT(ReadTrace(kTrace, format), ElementsAre("0 write 155426304+3584 @0",
                                                       "1 read 28462080+3072 @26214000"));
  }
}

TEST(SpcTest, RefusesBadRecords) {
  EXPECT_THAT(
      TraceError("0,303567,3584,x,0.000000\n", "spc"),
      StatusIs(absl::StatusCode::kInvalidArgument, "t:1: opcode \"x\" is not r or w"));
  EXPECT_THAT(
      TraceError("0,303567,3584,w\n", "spc"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected asu,lba")));
}

}  // namespace
}  // namespace gleaner
