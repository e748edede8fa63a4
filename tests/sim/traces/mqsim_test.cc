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

TEST(MqsimTest, Reads) {
  for (const char* format : {"mqsim", "auto"}) {
    EXPECT_THAT(
        ReadTrace("11413000 0 657728 16 1\n 18256000\t2 8 1 0 \n", format),
        ElementsAre("0 read 336756736+8192 @11413000", "2 write 4096+512 @18256000"));
  }
}

TEST(MqsimTest, RefusesBadRecords) {
  EXPECT_THAT(TraceError("11413000 0 657728 16 2\n", "mqsim"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "t:1: type \"2\" is not 0 (write) or 1 (read)"));
  EXPECT_THAT(TraceError("11413000 0 657728 16\n", "mqsim"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("time device lba")));
}

}  // namespace
}  // namespace gleaner
