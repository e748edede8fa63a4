#include "sim/trace_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

// A csv trace; `lines` are "volume,op,offset,length".
std::unique_ptr<TraceSource> MakeSource(absl::string_view lines,
                                        const TraceSourceOptions& options) {
  static std::string contents;
  contents = absl::StrCat("volume,op,offset,length\n", lines);
  auto source = TraceSource::Make(*OpenTraceFromMemory(contents, "t", "csv"), options);
  EXPECT_THAT(source, IsOk());
  return *std::move(source);
}

struct Requests {
  std::vector<std::string> requests;  // "op lba+blocks"
  absl::Status status;
};

Requests ReadAll(TraceSource& source, size_t batch_size = 3) {
  Requests result;
  std::vector<Request> batch(batch_size);
  for (;;) {
    const auto n = source.Next(absl::MakeSpan(batch));
    result.status = n.status();
    if (!n.ok() || *n == 0) return result;
    for (size_t i = 0; i < *n; ++i) {
      constexpr const char* kOps[] = {"read", "write", "trim"};
      result.requests.push_back(absl::StrCat(kOps[static_cast<int>(batch[i].op)], " ",
                                             batch[i].lba, "+", batch[i].blocks));
    }
  }
}

TEST(TraceSourceTest, CoversBlocksFromFloorToCeil) {
  const auto source = MakeSource(
      "a,w,0,1\n"
      "a,w,4095,2\n"
      "a,w,4096,4096\n"
      "a,w,4097,4096\n",
      {.volume_blocks = 3});
  EXPECT_THAT(ReadAll(*source).requests,
              ElementsAre("write 0+1", "write 0+2", "write 1+1", "write 1+2"));
}

TEST(TraceSourceTest, NumbersBlocksByFirstWrite) {
  const auto source = MakeSource(
      "a,w,409600,8192\n"   // blocks 100, 101
      "a,w,4096,4096\n"     // 1
      "b,w,409600,4096\n"   // b's 100
      "a,w,405504,16384\n"  // 99 to 102: 99 and 102 are new
      "a,w,409600,4096\n",
      {});
  EXPECT_THAT(ReadAll(*source).requests,
              ElementsAre("write 0+2", "write 2+1", "write 3+1",  //
                          "write 4+1", "write 0+2", "write 5+1", "write 0+1"));
  EXPECT_EQ(source->counts().footprint_blocks, 6u);
  EXPECT_EQ(source->counts().written_blocks, 9u);
  EXPECT_EQ(source->counts().writes, 5u);
}

TEST(TraceSourceTest, DropsReadsAndTrimsOfWhatWasNeverWritten) {
  const auto source = MakeSource(
      "a,r,0,4096\n"
      "a,d,0,1073741824\n"
      "a,w,40960,8192\n"
      "a,r,36864,65536\n"
      "b,r,40960,4096\n"
      "a,d,0,4294967296\n"
      "a,w,40960,4096\n",
      {});
  EXPECT_THAT(ReadAll(*source).requests,
              ElementsAre("write 0+2", "read 0+2", "trim 0+2", "write 0+1"));
  EXPECT_EQ(source->counts().reads, 3u);
  EXPECT_EQ(source->counts().trims, 2u);
}

TEST(TraceSourceTest, RequestsDoNotDependOnTheBatch) {
  std::string lines;
  Random random(3);
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&lines, random.Below(2), ",", i % 5 == 0 ? "d" : "w", ",",
                    random.Below(100) * 4096, ",", (1 + random.Below(40)) * 4096, "\n");
  }
  const auto expected = ReadAll(*MakeSource(lines, {}), 1000).requests;
  ASSERT_GT(expected.size(), 300u);
  for (const size_t batch : {1, 2, 7}) {
    EXPECT_EQ(ReadAll(*MakeSource(lines, {}), batch).requests, expected) << batch;
  }
}

// Block by block against a map of (volume, block).
TEST(TraceSourceTest, AgreesWithAModel) {
  constexpr uint64_t kSeed = 5;
  Random random(kSeed);
  std::string lines;
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> numbers;
  std::vector<std::pair<RequestOp, uint64_t>> expected;
  for (int i = 0; i < 5000; ++i) {
    const RequestOp op = static_cast<RequestOp>(random.Below(3));
    const uint64_t volume = random.Below(3);
    const uint64_t offset = random.Below(uint64_t{1} << 24);
    const uint64_t length = 1 + random.Below(1 << 17);
    absl::StrAppend(&lines, volume, ",", std::string(1, "rwd"[static_cast<int>(op)]), ",",
                    offset, ",", length, "\n");
    for (uint64_t block = offset / 4096; block * 4096 < offset + length; ++block) {
      if (op == RequestOp::kWrite) numbers.try_emplace({volume, block}, numbers.size());
      const auto it = numbers.find({volume, block});
      if (it != numbers.end()) expected.push_back({op, it->second});
    }
  }
  const auto source = MakeSource(lines, {});
  std::vector<std::pair<RequestOp, uint64_t>> got;
  Request batch[64];
  for (;;) {
    ASSERT_OK_AND_ASSIGN(const size_t n, source->Next(absl::MakeSpan(batch)));
    if (n == 0) break;
    for (size_t i = 0; i < n; ++i) {
      for (uint64_t b = 0; b < batch[i].blocks; ++b)
        got.push_back({batch[i].op, batch[i].lba + b});
    }
  }
  EXPECT_EQ(got.size(), expected.size()) << "seed " << kSeed;
  EXPECT_TRUE(got == expected) << "seed " << kSeed;
  EXPECT_EQ(source->counts().footprint_blocks, numbers.size());
}

TEST(TraceSourceTest, ChoosesAVolume) {
  constexpr char kLines[] =
      "a,w,0,4096\n"
      "b,w,8192,4096\n"
      "a,w,4096,4096\n";
  EXPECT_THAT(ReadAll(*MakeSource(kLines, {.volume = "a"})).requests,
              ElementsAre("write 0+1", "write 1+1"));
  EXPECT_THAT(ReadAll(*MakeSource(kLines, {.volume_blocks = 3, .volume = "b"})).requests,
              ElementsAre("write 2+1"));
  const auto source = MakeSource(kLines, {.volume = "c"});
  EXPECT_THAT(
      ReadAll(*source).status,
      StatusIs(absl::StatusCode::kNotFound,
               "t:4: the end, and no request of volume \"c\"; the trace has 2 volumes: "
               "a, b"));
}

TEST(TraceSourceTest, KeepsAddressesWithinAGivenVolume) {
  const auto source = MakeSource(
      "a,r,8192,4096\n"
      "a,w,8192,8192\n"
      "a,w,12288,4097\n",
      {.volume_blocks = 4});
  const Requests read = ReadAll(*source);
  EXPECT_THAT(read.requests, ElementsAre("read 2+1", "write 2+2"));
  EXPECT_THAT(read.status,
              StatusIs(absl::StatusCode::kOutOfRange,
                       "t:4: block 4 is beyond the 4 blocks of --volume_blocks"));
  Request batch[3];
  EXPECT_THAT(source->Next(absl::MakeSpan(batch)),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST(TraceSourceTest, AGivenVolumeIsOneVolume) {
  EXPECT_THAT(
      ReadAll(*MakeSource("a,w,0,4096\nb,w,0,4096\n", {.volume_blocks = 4})).status,
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("t:3: a second volume, \"b\" after \"a\"")));
}

TEST(TraceSourceTest, ErrorsComeAfterWhatWasRead) {
  const auto source = MakeSource("a,w,0,4096\na,w,0,0\n", {});
  const Requests read = ReadAll(*source);
  EXPECT_THAT(read.requests, ElementsAre("write 0+1"));
  EXPECT_THAT(read.status, StatusIs(absl::StatusCode::kInvalidArgument,
                                    "t:3: a request of length zero"));
}

TEST(TraceSourceTest, ChecksOptions) {
  for (const uint32_t bytes : {0u, 1u, 256u, 4095u, 1u << 31}) {
    EXPECT_THAT(
        TraceSource::Make(*OpenTraceFromMemory("", "t", "csv"), {.block_bytes = bytes}),
        StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_THAT(
      TraceSource::Make(*OpenTraceFromMemory("", "t", "csv"), {.volume_blocks = 0}),
      StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(CountTraceTest, CountsTheShippedTrace) {
  ASSERT_OK_AND_ASSIGN(const TraceCounts counts,
                       CountTrace("testdata/traces/rocksdb-xfs.ftrace.zst", "auto", {}));
  EXPECT_EQ(counts.reads, 199u);
  EXPECT_EQ(counts.writes, 40712u);
  EXPECT_EQ(counts.trims, 141u);
  EXPECT_EQ(counts.written_blocks, 2251807u);
  EXPECT_EQ(counts.footprint_blocks, 102055u);
}

TEST(CountTraceTest, IgnoresAGivenVolumeAndRefusesStandardInput) {
  const std::string path = ::testing::TempDir() + "/trace";
  std::ofstream(path) << "0,W,409600,4096,1\n0,R,0,512,2\n";
  ASSERT_OK_AND_ASSIGN(const TraceCounts counts,
                       CountTrace(path, "auto", {.volume_blocks = 1}));
  EXPECT_EQ(counts.footprint_blocks, 1u);
  EXPECT_EQ(counts.reads, 1u);
  EXPECT_THAT(CountTrace("-", "auto", {}), StatusIs(absl::StatusCode::kInvalidArgument));
  std::remove(path.c_str());
}

}  // namespace
}  // namespace gleaner
