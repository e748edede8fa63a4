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

TEST(CsvTest, ReadsCloudPhysics) {
  const char kTrace[] =
      "version,time,op,size,lbn\n"
      "1,5633898,2a,512,42932745\n"
      "1,5633898,28,6656,40409911\n"
      "1,5633899,35,0,0\n"
      "1,5633899,42,4096,8\n";
  for (const char* format : {"csv", "auto"}) {
    EXPECT_THAT(ReadTrace(kTrace, format),
                ElementsAre("0 write 21981565440+512 @5633898000000000",
                            "0 read 20689874432+6656 @5633898000000000",
                            "0 trim 4096+4096 @5633899000000000"));
  }
}

TEST(CsvTest, ColumnNamesImplyUnits) {
  EXPECT_THAT(ReadTrace("op,offset,length\nW,4096,512\n", "csv"),
              ElementsAre("0 write 4096+512 @0"));
  EXPECT_THAT(ReadTrace("Volume, Time_us, RW, Sector, Sectors, comment\n"
                        "vd a, 7, Read, 8, 1, \n",
                        "csv"),
              ElementsAre("vd a read 4096+512 @7000"));
  EXPECT_THAT(ReadTrace("time_ms,op,lba,size\n1.5,d,1,512\n", "csv"),
              ElementsAre("0 trim 512+512 @1500000"));
}

TEST(CsvTest, KnowsOperations) {
  const struct {
    const char* op;
    const char* expected;
  } kCases[] = {{"r", "read"},    {"R", "read"},       {"read", "read"},
                {"28", "read"},   {"88", "read"},      {"0x28", "read"},
                {"w", "write"},   {"WRITE", "write"},  {"2A", "write"},
                {"8a", "write"},  {"0a", "write"},     {"t", "trim"},
                {"D", "trim"},    {"discard", "trim"}, {"unmap", "trim"},
                {"trim", "trim"}, {"42", "trim"}};
  for (const auto& c : kCases) {
    EXPECT_THAT(ReadTrace(absl::StrCat("op,offset,size\n", c.op, ",0,512\n"), "csv"),
                ElementsAre(absl::StrCat("0 ", c.expected, " 0+512 @0")))
        << c.op;
  }
  for (const char* bad : {"", "0", "1", "x", "2", "2ag", "0x", "41", "flush"}) {
    EXPECT_THAT(TraceError(absl::StrCat("op,offset,size\n", bad, ",0,512\n"), "csv"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("t:2: ")))
        << bad;
  }
}

TEST(CsvTest, RefusesBadHeaders) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(TraceError("op,ofset,size\nw,0,1\n", "csv"),
              StatusIs(kInvalid, HasSubstr("names no column for the offset")));
  EXPECT_THAT(TraceError("op,offset,lba,size\n", "csv"),
              StatusIs(kInvalid, "t:1: two columns for the offset in the header"));
  EXPECT_THAT(TraceError("1,5633898,2a,512,42932745\n", "csv"),
              StatusIs(kInvalid, HasSubstr("names no column for the op")));
}

TEST(CsvTest, RefusesBadRecords) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const std::string header = "op,offset,size,time\n";
  EXPECT_THAT(
      TraceError(header + "w,0,512\n", "csv"),
      StatusIs(kInvalid, "t:2: expected 4 fields as in the header, found \"w,0,512\""));
  EXPECT_THAT(TraceError(header + "w,0,512,1,\n", "csv"),
              StatusIs(kInvalid, HasSubstr("expected 4 fields")));
  EXPECT_THAT(TraceError(header + "w,0,512,\n", "csv"),
              StatusIs(kInvalid, HasSubstr("time")));
  EXPECT_THAT(TraceError(header + "w,0x10,512,1\n", "csv"),
              StatusIs(kInvalid, HasSubstr("offset \"0x10\"")));
  EXPECT_THAT(TraceError(header + "w,0,512,1577808000000626\n", "csv"),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("time")));
}

}  // namespace
}  // namespace gleaner
