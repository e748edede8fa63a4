#include "sim/pages/report_file.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Benchmark(const std::string& device, const std::string& name) {
  return absl::StrCat(R"({"context":{"device":")", device,
                      R"("},"benchmarks":[{"name":")", name,
                      R"(","real_time":1,"cpu_time":1,"time_unit":"s"}]})");
}

constexpr char kRun[] =
    R"({"write_amplification":1.25,"config":{"victim":"fifo","utilization":0.5}})";

TEST(ReportFileTest, Kinds) {
  ASSERT_OK_AND_ASSIGN(const std::string run, ReportOfFiles({{"a", kRun}}));
  EXPECT_THAT(run, HasSubstr("<title>Gleaner simulation</title>"));
  EXPECT_THAT(run, HasSubstr("gleaner simulate --victim=fifo --utilization=0.5"));
  ASSERT_OK_AND_ASSIGN(
      const std::string sweep,
      ReportOfFiles({{"a", absl::StrCat("{\"runs\":[", kRun, ",", kRun, "]}")}}));
  EXPECT_THAT(sweep, HasSubstr("2 runs."));
  ASSERT_OK_AND_ASSIGN(
      const std::string both,
      ReportOfFiles({{"a", Benchmark("mem:", "x/copy:native")}, {"b", kRun}}));
  EXPECT_THAT(both, HasSubstr("<title>Gleaner report</title>"));
}

TEST(ReportFileTest, ADeviceIsAHeading) {
  ASSERT_OK_AND_ASSIGN(
      const std::string html,
      ReportOfFiles({{"a", Benchmark("one", "x")}, {"b", Benchmark("two", "x")}}));
  EXPECT_THAT(html, HasSubstr("<h2>one</h2>"));
  EXPECT_THAT(html, HasSubstr("<h2>two</h2>"));
}

TEST(ReportFileTest, TextOfTheFileIsNoMarkup) {
  const std::string hostile = "</script><img src=x>'&";
  ASSERT_OK_AND_ASSIGN(
      const std::string html,
      ReportOfFiles(
          {{"a", Benchmark(hostile, hostile + "/copy:native/run:" + hostile)}}));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, HasSubstr("--device=&#39;&lt;/script&gt;&lt;img src=x&gt;&#39;\\"));
}

TEST(ReportFileTest, WhatIsNeither) {
  constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(ReportOfFiles({{"a", kRun}, {"b.json", "{"}}),
              StatusIs(kInvalid, HasSubstr("b.json: line 1, column 2: ")));
  for (const char* text : {"{}", "[]", "1", "\"\"", "{\"context\":{}}",
                           R"({"config":{},"write_amplification":"1"})"})
    EXPECT_THAT(ReportOfFiles({{"b.json", text}}),
                StatusIs(kInvalid, HasSubstr("b.json: neither what a benchmark writes")))
        << text;
  EXPECT_THAT(ReportOfFiles({{"b", R"({"runs":[]})"}}),
              StatusIs(kInvalid, HasSubstr("b: \"runs\"")));
  EXPECT_THAT(ReportOfFiles({{"b", R"({"runs":[{}]})"}}),
              StatusIs(kInvalid, HasSubstr("b: entry 1 of \"runs\"")));
  EXPECT_THAT(ReportOfFiles({{"b", R"({"context":{},"benchmarks":[]})"}}),
              StatusIs(kInvalid, HasSubstr("b: \"benchmarks\" is empty")));
}

}  // namespace
}  // namespace gleaner
