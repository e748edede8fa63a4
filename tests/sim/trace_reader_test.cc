#include "sim/trace_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/sim/traces/compress.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::Gzip;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;
using testing::Zstd;

TEST(TraceReaderTest, ReadsRecordAfterRecord) {
  ASSERT_OK_AND_ASSIGN(
      const auto reader,
      OpenTraceFromMemory("5,W,4096,512,7\n\n3,R,0,1024,8\n", "t", "alibaba"));
  EXPECT_EQ(reader->format(), "alibaba");
  EXPECT_EQ(reader->volumes(), 0u);
  TraceRecord record;
  ASSERT_OK_AND_ASSIGN(bool more, reader->Next(&record));
  EXPECT_TRUE(more);
  EXPECT_EQ(record, (TraceRecord{4096, 512, 7000, 0, RequestOp::kWrite}));
  EXPECT_EQ(reader->position(), "t:1");
  ASSERT_OK_AND_ASSIGN(more, reader->Next(&record));
  EXPECT_TRUE(more);
  EXPECT_EQ(record, (TraceRecord{0, 1024, 8000, 1, RequestOp::kRead}));
  EXPECT_EQ(reader->position(), "t:3");
  EXPECT_EQ(reader->volumes(), 2u);
  EXPECT_EQ(reader->volume_name(1), "3");
  ASSERT_OK_AND_ASSIGN(more, reader->Next(&record));
  EXPECT_FALSE(more);
}

TEST(TraceReaderTest, ErrorsStay) {
  ASSERT_OK_AND_ASSIGN(
      const auto reader,
      OpenTraceFromMemory("0,W,0,512,7\nbad\n0,W,0,512,7\n", "t", "auto"));
  TraceRecord record;
  ASSERT_THAT(reader->Next(&record), IsOk());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(reader->Next(&record),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("t:2: expected")));
  }
}

TEST(TraceReaderTest, ATraceIsNotEmpty) {
  EXPECT_THAT(OpenTraceFromMemory("", "t", "auto"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
  TraceRecord record;
  for (const char* format : {"alibaba", "vscsi", "csv", "ftrace", "fio"}) {
    ASSERT_OK_AND_ASSIGN(const auto reader, OpenTraceFromMemory("", "t", format));
    EXPECT_THAT(reader->Next(&record), StatusIs(absl::StatusCode::kInvalidArgument,
                                                HasSubstr("the end, and no request")));
  }
  ASSERT_OK_AND_ASSIGN(const auto reader,
                       OpenTraceFromMemory("op,offset,size\n", "t", "auto"));
  EXPECT_THAT(reader->Next(&record),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "t:1: the end, and no request in this csv trace"));
}

TEST(TraceReaderTest, KnowsItsFormats) {
  EXPECT_THAT(TraceFormatNames(),
              ElementsAre("alibaba", "tencent", "msr", "spc", "fio", "blkparse", "ftrace",
                          "vscsi", "mqsim", "csv"));
  EXPECT_THAT(OpenTraceFromMemory("0,W,0,512,7\n", "t", "alibabba"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"alibaba\"?")));
  EXPECT_THAT(
      OpenTraceFromMemory("hello\n", "t", "auto"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("t:"), HasSubstr("\"hello\""), HasSubstr("alibaba, "))));
}

TEST(TraceReaderTest, TheWrongFormatFailsAtItsFirstLine) {
  ASSERT_OK_AND_ASSIGN(const auto reader,
                       OpenTraceFromMemory("0,W,0,512,7\n", "t", "tencent"));
  TraceRecord record;
  EXPECT_THAT(reader->Next(&record),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("t:1: ")));
}

TEST(TraceReaderTest, ReadsCompressedFiles) {
  const std::string path = ::testing::TempDir() + "/trace";
  std::string text;
  for (int i = 0; i < 50'000; ++i)
    absl::StrAppend(&text, i % 7, ",W,", i * 4096, ",4096,1\n");
  for (const std::string& stored : {text, Gzip(text), Zstd(text)}) {
    std::ofstream(path) << stored;
    ASSERT_OK_AND_ASSIGN(const auto reader, OpenTrace(path, "auto"));
    TraceRecord record;
    int records = 0;
    for (;; ++records) {
      ASSERT_OK_AND_ASSIGN(const bool more, reader->Next(&record));
      if (!more) break;
    }
    EXPECT_EQ(records, 50'000);
    EXPECT_EQ(record.offset_bytes, 49'999u * 4096);
    EXPECT_EQ(reader->volumes(), 7u);
  }
  std::remove(path.c_str());
}

TEST(TraceReaderTest, DamagedInputIsDataLossWithItsLine) {
  const std::string stored = Gzip("0,W,0,512,7\n");
  ASSERT_OK_AND_ASSIGN(
      const auto reader,
      OpenTraceFromMemory(absl::string_view(stored).substr(0, stored.size() - 1), "t",
                          "alibaba"));
  TraceRecord record;
  EXPECT_THAT(reader->Next(&record), IsOk());
  EXPECT_THAT(reader->Next(&record), StatusIs(absl::StatusCode::kDataLoss,
                                              "t:2: the compressed data is truncated"));
  EXPECT_THAT(OpenTraceFromMemory(stored.substr(0, 12), "t", "auto"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("truncated")));
}

TEST(TraceReaderTest, SystemErrorsKeepTheirCode) {
  EXPECT_THAT(OpenTrace("/no/such/file", "auto"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/file")));
}

}  // namespace
}  // namespace gleaner
