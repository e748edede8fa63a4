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

TEST(FioTest, ReadsVersion2) {
  const char kTrace[] =
      "fio version 2 iolog\n"
      "/dev/sdb add\n"
      "/dev/sdb open\n"
      "/dev/sdb write 4096 512\n"
      "/dev/sdb wait 250\n"
      "/dev/sdb trim 0 8192\n"
      "/dev/sdb sync 0 0\n"
      "/dev/sdb datasync\n"
      "/dev/sdc read 1024 1024\n"
      "/dev/sdb close\n";
  for (const char* format : {"fio", "auto"}) {
    EXPECT_THAT(ReadTrace(kTrace, format),
                ElementsAre("/dev/sdb write 4096+512 @0", "/dev/sdb trim 0+8192 @250000",
                            "/dev/sdc read 1024+1024 @250000"));
  }
}

TEST(FioTest, ReadsVersion3) {
  const char kTrace[] =
      "fio version 3 iolog\n"
      "0 /tmp/f add\n"
      "12 /tmp/f open\n"
      "4711 /tmp/f write 0 4096\n"
      "4712 /tmp/f close\n";
  for (const char* format : {"fio", "auto"}) {
    EXPECT_THAT(ReadTrace(kTrace, format), ElementsAre("/tmp/f write 0+4096 @4711000"));
  }
}

TEST(FioTest, RefusesBadRecords) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(TraceError("fio version 1 iolog\n", "fio"),
              StatusIs(kInvalid, HasSubstr("t:1: expected \"fio version 2 iolog\"")));
  EXPECT_THAT(TraceError("fio version 3 iolog\n/tmp/f write 0 4096\n", "fio"),
              StatusIs(kInvalid, HasSubstr("t:2: time \"/tmp/f\" is not a number")));
  EXPECT_THAT(TraceError("fio version 3 iolog\n1 /tmp/f wait 1 1\n", "fio"),
              StatusIs(kInvalid, "t:2: action \"wait\" is not one of version 3"));
  EXPECT_THAT(TraceError("fio version 2 iolog\n/tmp/f erase 0 4096\n", "fio"),
              StatusIs(kInvalid, "t:2: action \"erase\" is not one of version 2"));
  EXPECT_THAT(TraceError("fio version 2 iolog\n/tmp/f write 0\n", "fio"),
              StatusIs(kInvalid, "t:2: expected offset and length after \"write\""));
  EXPECT_THAT(TraceError("fio version 2 iolog\n/tmp/f\n", "fio"),
              StatusIs(kInvalid, HasSubstr("filename action")));
}

}  // namespace
}  // namespace gleaner
