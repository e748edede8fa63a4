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

TEST(MsrTest, Reads) {
  const char kTrace[] =
      "128166372003061629,usr,0,Read,7014609920,24576,41286\n"
      "128166372016382155,src1,2,Write,1317441536,8192,1963\n";
  for (const char* format : {"msr", "auto"}) {
    EXPECT_THAT(ReadTrace(kTrace, format),
                ElementsAre("usr_0 read 7014609920+24576 @12816637200306162900",
                            "src1_2 write 1317441536+8192 @12816637201638215500"));
  }
}

TEST(MsrTest, RefusesBadRecords) {
  EXPECT_THAT(TraceError("128166372003061629,usr,0,read,0,24576,41286\n", "msr"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "t:1: type \"read\" is not Read or Write"));
  EXPECT_THAT(
      TraceError("128166372003061629,usr,0,Read,0,24576\n", "msr"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("responsetime, found")));
}

}  // namespace
}  // namespace gleaner
