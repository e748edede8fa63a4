#include "sim/traces/line_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/sim/traces/compress.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::testing::ElementsAre;
using testing::Gzip;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::StartsWith;
using testing::StatusIs;
using testing::Zstd;

struct Lines {
  std::vector<std::string> lines;
  absl::Status status;
};

Lines ReadLines(absl::string_view stored) {
  const auto reader = LineReader::FromMemory(stored, "t");
  Lines result;
  absl::string_view line;
  for (;;) {
    const auto more = reader->NextLine(&line);
    result.status = more.status();
    if (!more.ok() || !*more) return result;
    result.lines.emplace_back(line);
  }
}

TEST(LineReaderTest, SplitsLines) {
  EXPECT_THAT(ReadLines("a\n\nbc\n").lines, ElementsAre("a", "", "bc"));
  EXPECT_THAT(ReadLines("a\r\nb\r\n").lines, ElementsAre("a", "b"));
  EXPECT_THAT(ReadLines("a\nlast").lines, ElementsAre("a", "last"));
  EXPECT_THAT(ReadLines("").lines, ElementsAre());
  EXPECT_THAT(ReadLines("\n").lines, ElementsAre(""));
}

TEST(LineReaderTest, LinesCrossTheBuffer) {
  std::vector<std::string> lines;
  for (int i = 0; i < 100'000; ++i)
    lines.push_back(absl::StrCat("line ", int64_t{i} * i));
  const std::string text = absl::StrJoin(lines, "\n");
  for (const std::string& stored : {text, Gzip(text), Zstd(text)}) {
    const Lines read = ReadLines(stored);
    EXPECT_THAT(read.status, IsOk());
    EXPECT_EQ(read.lines, lines);
  }
}

TEST(LineReaderTest, KnowsWhereItIs) {
  const auto reader = LineReader::FromMemory("a\nb\n", "disk.csv");
  absl::string_view line;
  ASSERT_THAT(reader->NextLine(&line), IsOk());
  EXPECT_EQ(reader->Position(), "disk.csv:1");
  ASSERT_THAT(reader->NextLine(&line), IsOk());
  EXPECT_THAT(reader->Annotate(absl::OutOfRangeError("too much")),
              StatusIs(absl::StatusCode::kOutOfRange, "disk.csv:2: too much"));
}

TEST(LineReaderTest, LongestLine) {
  const std::string longest(LineReader::kMaxLineBytes, 'x');
  EXPECT_THAT(ReadLines("a\n" + longest + "\nb\n").lines, ElementsAre("a", longest, "b"));
  EXPECT_THAT(
      ReadLines("a\n" + longest + "x\nb\n").status,
      StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("t:2: a line longer")));
  EXPECT_THAT(
      ReadLines(std::string(10 << 20, 'x')).status,
      StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("t:1: a line longer")));
}

TEST(LineReaderTest, RefusesNulBytes) {
  const Lines read = ReadLines(absl::string_view("a\nb\0c\n", 6));
  EXPECT_THAT(read.lines, ElementsAre("a"));
  EXPECT_THAT(read.status, StatusIs(absl::StatusCode::kInvalidArgument,
                                    StartsWith("t:2: binary data")));
}

TEST(LineReaderTest, TruncatedDataNamesTheLineThatIsMissing) {
  std::string text;
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&text, "line ", i, "\n");
  std::string stored = Gzip(text);
  stored.resize(stored.size() - 9);  // the trailer of 8 bytes, and one of data
  const Lines read = ReadLines(stored);
  EXPECT_EQ(read.lines.front(), "line 0");
  EXPECT_THAT(read.status, StatusIs(absl::StatusCode::kDataLoss,
                                    absl::StrCat("t:", read.lines.size() + 1,
                                                 ": the compressed data is truncated")));
}

TEST(LineReaderTest, PeekConsumesNothing) {
  std::string text;
  while (text.size() < 3 * LineReader::kMaxLineBytes) absl::StrAppend(&text, "0123456\n");
  const auto reader = LineReader::FromMemory(text, "t");
  EXPECT_GE(reader->Peek().size(), LineReader::kMaxLineBytes);
  EXPECT_EQ(reader->Peek(), text.substr(0, reader->Peek().size()));
  absl::string_view line;
  ASSERT_THAT(reader->NextLine(&line), IsOk());
  EXPECT_EQ(reader->Position(), "t:1");
  EXPECT_EQ(LineReader::FromMemory("ab", "t")->Peek(), "ab");
  EXPECT_EQ(LineReader::FromMemory("", "t")->Peek(), "");
}

TEST(LineReaderTest, ReadsRecords) {
  const auto reader = LineReader::FromMemory(absl::string_view("ab\0d12345", 9), "t");
  absl::string_view record;
  ASSERT_THAT(reader->NextRecord(4, &record), IsOk());
  EXPECT_EQ(record, absl::string_view("ab\0d", 4));
  ASSERT_THAT(reader->NextRecord(4, &record), IsOk());
  EXPECT_EQ(record, "1234");
  EXPECT_EQ(reader->Position(), "t:record 2");
  EXPECT_THAT(reader->NextRecord(4, &record),
              StatusIs(absl::StatusCode::kDataLoss,
                       "t:record 3: the last record has 1 of 4 bytes"));
}

TEST(LineReaderTest, RecordsEndCleanly) {
  const auto reader = LineReader::FromMemory("abcd", "t");
  absl::string_view record;
  EXPECT_TRUE(*reader->NextRecord(4, &record));
  EXPECT_FALSE(*reader->NextRecord(4, &record));
}

TEST(LineReaderTest, OpenNamesThePath) {
  EXPECT_THAT(
      LineReader::Open("/no/such/file"),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/file: cannot open")));
}

}  // namespace
}  // namespace gleaner
