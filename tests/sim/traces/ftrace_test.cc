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

// As tracefs prints it on Linux 6.18.
constexpr char kTrace[] =
    "# tracer: nop\n"
    "#\n"
    "# entries-in-buffer/entries-written: 7/7   #P:2\n"
    "#\n"
    "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"
    "        mkfs.xfs-19076   [000] .....  2600.012833: block_rq_issue: 7,0 RA 4096 () "
    "1048448 + 8 "
    "be,0,4 [mkfs.xfs]\n"
    "    kworker/1:1H-44      [001] .....  2600.017738: block_rq_issue: 7,0 DS 536870912 "
    "() 0 + "
    "1048576 be,0,4 [kworker/1:1H]\n"
    "    kworker/0:1H-42      [000] .....  2600.020000: block_rq_issue: 7,0 FF 0 () 0 + "
    "0 "
    "none,0,0 [kworker/0:1H]\n"
    "          <idle>-0       [000] d.h1.  2600.021000: block_rq_complete: 7,0 WS () 0 + "
    "8 "
    "none,0,0 [0]\n"
    "     a b: [x] y-7        [000] .....  2600.030000: block_rq_issue: 7,1 FWFSM 512 () "
    "99 + 1 "
    "none,0,0 [a b: [x] y]\n"
    "       smartctl-8        [000] .....  2600.031000: block_rq_issue: 7,0 N 36 (12 00 "
    "00) 0 + 0 "
    "none,0,0 [smartctl]\n"
    "       mkfs.xfs-19076    [000] .....  2600.040000: block_rq_issue: 7,0 NS 4096 () "
    "16 + 8 "
    "none,0,0 [mkfs.xfs]\n";

TEST(FtraceTest, Reads) {
  for (const char* format : {"ftrace", "auto"}) {
    EXPECT_THAT(ReadTrace(kTrace, format),
                ElementsAre("7,0 read 536805376+4096 @2600012833000",
                            "7,0 trim 0+536870912 @2600017738000",
                            "7,1 write 50688+512 @2600030000000",
                            "7,0 trim 8192+4096 @2600040000000"));
  }
}

TEST(FtraceTest, ReadsOlderKernels) {
  EXPECT_THAT(
      ReadTrace(
          "   jbd2/sda1-8-301   [003]  4711.000123: block_rq_issue: 8,0 WS 0 () 2048 "
          "+ 16 [jbd2/sda1-8]\n",
          "auto"),
      ElementsAre("8,0 write 1048576+8192 @4711000123000"));
}

TEST(FtraceTest, ReadsClocksThatCount) {
  EXPECT_THAT(
      ReadTrace("  dd-1  [003] ..... 4711: block_rq_issue: 8,0 W 0 () 0 + 8 [dd]\n",
                "ftrace"),
      ElementsAre("8,0 write 0+4096 @4711"));
}

TEST(FtraceTest, LostEventsAreDataLoss) {
  EXPECT_THAT(
      TraceError(absl::StrCat(kTrace, "CPU:1 [LOST 12 EVENTS]\n"), "ftrace"),
      StatusIs(absl::StatusCode::kDataLoss, HasSubstr("t:13: the kernel lost events")));
  EXPECT_THAT(
      TraceError("# entries-in-buffer/entries-written: 140080/250280   #P:4\n", "ftrace"),
      StatusIs(absl::StatusCode::kDataLoss,
               HasSubstr("t:1: only 140080 of 250280 events")));
}

TEST(FtraceTest, RefusesBadRecords) {
  constexpr char kPrefix[] = "  dd-1  [003] .....  1.000001: ";
  const struct {
    const char* event;
    const char* message;
  } kCases[] = {
      {"block_rq_issue: 8,0 W 4096 () 0 + x none,0,0 [dd]", "t:1: sectors \"x\""},
      {"block_rq_issue: 8,0 W 4096 () 0 - 8 none,0,0 [dd]", "expected \"device rwbs"},
      {"block_rq_issue: 8,0 W 4096 () 0 + 8 none,0,0 [dd", "expected \"device rwbs"},
      {"block_rq_issue: 8,0 W 4096 ( 0 + 8 none,0,0 [dd]", "expected \"device rwbs"},
      {"block_rq_issue: 8,0 W", "expected \"device rwbs"},
      {"block_rq_issue: 8,0 Q 4096 () 0 + 8 none,0,0 [dd]", "request \"Q\""},
      {"block_rq_issue: 8,0 ZR 0 () 0 + 0 none,0,0 [dd]", "zone reset"},
      {"blk_mq_start_request <-loop_queue_rq", "expected an event of tracefs"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(TraceError(absl::StrCat(kPrefix, c.event, "\n"), "ftrace"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
  EXPECT_THAT(
      TraceError("x: block_rq_issue: 8,0 W 4096 () 0 + 8 none,0,0 [dd]\n", "ftrace"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("expected an event")));
}

}  // namespace
}  // namespace gleaner
