#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

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

// As blkparse prints it: one write through its whole life, a flush, a read, a discard, a
// message, a passthrough command, and the statistics.
constexpr char kTrace[] =
    "Input file sda.blktrace.0 added\n"
    "  8,0    0        1     0.000000000   697  A  WS 223490 + 8 <- (8,1) 221442\n"
    "  8,0    0        2     0.000000829   697  Q  WS 223490 + 8 [kjournald]\n"
    "  8,0    0        3     0.000005341   697  G  WS 223490 + 8 [kjournald]\n"
    "  8,0    0        4     0.000006000   697  P   N [kjournald]\n"
    "  8,0    0        5     0.000007000   697  I  WS 223490 + 8 [kjournald]\n"
    "  8,0    0        6     0.000009000   697  U   N [kjournald] 1\n"
    "  8,0    0        7     0.000010000   697  D  WS 223490 + 8 [kjournald]\n"
    "  8,0    0        8     0.000020000     0  m   N cfq697S / expired - really\n"
    "  8,0    0        9     0.000100000     0  C  WS 223490 + 8 [0]\n"
    "  8,0    1        1     0.000200000   697  D  FN [kworker/0:1H]\n"
    "259,3    1        2     1.500000000   698  D   R 0 + 256 [dd]\n"
    "  8,0    1        3     2.000000000   699  D   D 1024 + 2048 [fstrim]\n"
    "  8,0    1        4     2.000000100   700  D   R 36 (12 00 00 00 24 00 ..) "
    "[hdparm]\n"
    "CPU0 (sda):\n"
    " Reads Queued:           0,        0KiB\t Writes Queued:           1,        4KiB\n"
    "\n"
    "Total (sda):\n"
    " Reads Queued:           1,      128KiB\t Writes Queued:           1,        4KiB\n"
    "\n"
    "Throughput (R/W): 0KiB/s / 4KiB/s\n"
    "Events (sda): 13 entries\n"
    "Skips: 0 forward (0 -   0.0%)\n";

TEST(BlkparseTest, CountsRequestsWhereTheyAreIssued) {
  for (const char* format : {"blkparse", "auto"}) {
    EXPECT_THAT(
        ReadTrace(kTrace, format),
        ElementsAre("8,0 write 114426880+4096 @10000", "259,3 read 0+131072 @1500000000",
                    "8,0 trim 524288+1048576 @2000000000"));
  }
}

TEST(BlkparseTest, CountsQueuedRequestsWhereNoneIsIssued) {
  EXPECT_THAT(ReadTrace("252,0  0  1  0.000000829   697  Q  WS 16 + 8 [dd]\n"
                        "252,0  0  2  0.000100000   697  C  WS 16 + 8 [0]\n",
                        "blkparse"),
              ElementsAre("252,0 write 8192+4096 @829"));
}

TEST(BlkparseTest, NeverCountsARequestTwice) {
  std::string trace;
  while (trace.size() < 300'000)
    trace += "  8,0  0  1  0.000000829   697  Q  WS 16 + 8 [dd]\n";
  trace += "  8,0  0  2  0.000010000   697  D  WS 16 + 8 [dd]\n";
  EXPECT_THAT(TraceError(trace, "blkparse"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("counted twice")));
}

TEST(BlkparseTest, RefusesBadRecords) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const struct {
    const char* line;
    const char* message;
  } kCases[] = {
      {"  8,0  0  1  0.000010000   697  D  WS 16 + x [dd]", "t:1: sectors \"x\""},
      {"  8,0  0  1  0.000010000   697  D  WS 16 - 8 [dd]",
       "expected \"sector + sectors\""},
      {"  8,0  0  1  0.000010000   697  D  WQ 16 + 8 [dd]", "request \"WQ\""},
      {"  8,0  0  1  0.000010000   697  D  WS 16 + 0 [dd]", "length zero"},
      {"  8,0  0  1  0.000010000   697  E  WS 16 + 8 [dd]",
       "expected an event of blkparse"},
      {"  8:0  0  1  0.000010000   697  D  WS 16 + 8 [dd]",
       "expected an event of blkparse"},
      {"  8,0  0  1  0.000010000   697  D", "expected an event of blkparse"},
      {" Reads Queued: 1", "expected an event of blkparse"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(TraceError(absl::StrCat(c.line, "\n"), "blkparse"),
                StatusIs(kInvalid, HasSubstr(c.message)));
  }
  EXPECT_THAT(
      TraceError(absl::StrCat(kTrace, "  8,0  0  1  9.0  697  D  WS 16 + 8 [dd]\n"),
                 "blkparse"),
      StatusIs(kInvalid, "t:24: an event behind the summary"));
}

}  // namespace
}  // namespace gleaner
