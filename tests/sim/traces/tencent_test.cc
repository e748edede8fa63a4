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

TEST(TencentTest, Reads) {
  for (const char* format : {"tencent", "auto"}) {
    EXPECT_THAT(ReadTrace("1538323200,6160,8,1,1063\n1538323201,2,1,0,1\n", format),
                ElementsAre("1063 write 3153920+4096 @1538323200000000000",
                            "1 read 1024+512 @1538323201000000000"));
  }
}

TEST(TencentTest, RefusesBadRecords) {
  EXPECT_THAT(TraceError("1538323200,6160,8,2,1063\n", "tencent"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "t:1: iotype \"2\" is not 0 (read) or 1 (write)"));
  EXPECT_THAT(TraceError("1538323200,6160,8,1\n", "tencent"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("expected timestamp,offset")));
  EXPECT_THAT(TraceError("1538323200,36028797018963968,8,1,1\n", "tencent"),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("times 512 bytes")));
}

}  // namespace
}  // namespace gleaner
