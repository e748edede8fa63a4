#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "sim/traces/trace_format.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::StatusIs;

TEST(VolumeNamesTest, NumbersInOrderOfAppearance) {
  VolumeNames volumes;
  EXPECT_EQ(*volumes.Intern("b"), 0u);
  EXPECT_EQ(*volumes.Intern("a"), 1u);
  EXPECT_EQ(*volumes.Intern("b"), 0u);
  EXPECT_EQ(*volumes.Intern(""), 2u);
  EXPECT_EQ(volumes.size(), 3u);
  EXPECT_EQ(volumes.name(1), "a");
}

TEST(VolumeNamesTest, AreBounded) {
  VolumeNames volumes;
  for (uint32_t i = 0; i < VolumeNames::kMaxVolumes; ++i) {
    ASSERT_EQ(*volumes.Intern(absl::StrCat(i)), i);
  }
  EXPECT_THAT(volumes.Intern("one more"), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(*volumes.Intern("17"), 17u);
}

TEST(FindTraceFormatTest, SuggestsTheNearest) {
  EXPECT_EQ((*FindTraceFormat("msr"))->name, "msr");
  EXPECT_THAT(FindTraceFormat("ftrac"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"ftrace\"?")));
  EXPECT_FALSE(FindTraceFormat("auto").ok());
}

std::string Detected(absl::string_view head) {
  const auto format = DetectTraceFormat(head);
  return format.ok() ? std::string((*format)->name)
                     : std::string(format.status().message());
}

TEST(DetectTraceFormatTest, TellsByTheFirstRequest) {
  EXPECT_EQ(Detected("0,R,4096,4096,1\n"), "alibaba");
  EXPECT_EQ(Detected("1538323200,6160,8,1,1063\n"), "tencent");
  EXPECT_EQ(Detected("\n\n0,303567,3584,w,0.000000\n"), "spc");
  // Later lines are the reader's to judge, with their number.
  EXPECT_EQ(Detected("0,R,4096,4096,1\nnonsense\n"), "alibaba");
}

TEST(DetectTraceFormatTest, TakesAHeaderWithoutRequests) {
  EXPECT_EQ(Detected("# tracer: nop\n#\n"), "ftrace");
  EXPECT_EQ(Detected("op,offset,size\n"), "csv");
  EXPECT_EQ(Detected("fio version 2 iolog\n"), "fio");
}

TEST(DetectTraceFormatTest, ListsTheFormatsWhereItCannotTell) {
  for (absl::string_view head :
       {absl::string_view("once upon a time\n"), absl::string_view("1,2,3\n"),
        absl::string_view("0,R,-4096,4096,1\n")}) {
    EXPECT_THAT(
        DetectTraceFormat(head),
        StatusIs(
            absl::StatusCode::kInvalidArgument,
            AllOf(HasSubstr("no known trace format"),
                  HasSubstr("choose --trace_format from alibaba, tencent, msr, spc, fio, "
                            "blkparse, ftrace, vscsi, mqsim, csv"))));
  }
  EXPECT_THAT(Detected(absl::string_view("\0\1\2\3", 4)),
              HasSubstr("binary data of no known"));
  EXPECT_THAT(Detected("\n \n"), HasSubstr("this could be alibaba or"));
}

}  // namespace
}  // namespace gleaner
