#include "sim/pages/benchmark_results.h"

#include <string>
#include <vector>

#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::StatusIs;
using ::testing::HasSubstr;

using Json = nlohmann::ordered_json;

Json File(const std::string& entries) {
  return Json::parse(
      "{\"context\":{\"device\":\"mem:size=1G\",\"num_cpus\":2,\"flags\":[1]},"
      "\"benchmarks\":[" +
      entries + "]}");
}

std::string Iteration(const std::string& name, double time, const std::string& unit) {
  return "{\"name\":\"" + name + "\",\"run_type\":\"iteration\",\"repetitions\":4," +
         "\"iterations\":7,\"real_time\":" + std::to_string(time) +
         ",\"cpu_time\":1,\"time_unit\":\"" + unit + "\",\"host_bytes\":4096}";
}

TEST(SpreadTest, MedianAndQuartiles) {
  const Spread odd = SpreadOf({5, 1, 3, 2, 4});
  EXPECT_EQ(odd.low, 2);
  EXPECT_EQ(odd.median, 3);
  EXPECT_EQ(odd.high, 4);
  const Spread even = SpreadOf({8, 2, 4, 6});
  EXPECT_EQ(even.low, 3.5);
  EXPECT_EQ(even.median, 5);
  EXPECT_EQ(even.high, 6.5);
  EXPECT_EQ(SpreadOf({7}).high, 7);
}

TEST(BenchmarkResultsTest, MediansOfIterationsWhateverTheAggregatesSay) {
  const std::string name = "relocation/live:50/run:16/copy:native/real_time";
  const std::string aggregate =
      ",{\"name\":\"x_median\",\"run_name\":\"" + name +
      "\",\"run_type\":\"aggregate\",\"aggregate_name\":\"median\",\"repetitions\":3,"
      "\"real_time\":99,\"cpu_time\":99,\"time_unit\":\"s\"}";
  const Json json = File(Iteration(name, 3, "ms") + "," + Iteration(name, 1, "ms") + "," +
                         Iteration(name, 2000, "us") + aggregate);
  ASSERT_OK_AND_ASSIGN(const BenchmarkResults results, ReadBenchmarkResults({json}));
  ASSERT_EQ(results.cases.size(), 1u);
  const BenchmarkCase& c = results.cases[0];
  EXPECT_EQ(c.family, "relocation/real_time");
  EXPECT_EQ(c.Dimension("live"), "50");
  EXPECT_EQ(c.Dimension("run"), "16");
  EXPECT_EQ(c.Dimension("depth"), "");
  EXPECT_EQ(c.repetitions, 3);
  EXPECT_DOUBLE_EQ(c.Find(kWallSeconds)->median, 0.002);
  EXPECT_EQ(c.Find("host_bytes")->median, 4096);
  EXPECT_EQ(c.Find("iterations"), nullptr);
  EXPECT_EQ(results.context[0],
            (std::pair<std::string, std::string>("device", "mem:size=1G")));
  EXPECT_EQ(results.context[2], (std::pair<std::string, std::string>("flags", "[1]")));
}

TEST(BenchmarkResultsTest, AggregatesAloneWillDo) {
  const Json json = File(
      R"({"name":"a_mean","run_name":"a","run_type":"aggregate","aggregate_name":"mean",
          "repetitions":5,"real_time":1,"cpu_time":1,"time_unit":"s"},
         {"name":"a_median","run_name":"a","run_type":"aggregate","repetitions":5,
          "aggregate_name":"median","real_time":3,"cpu_time":1,"time_unit":"s"})");
  ASSERT_OK_AND_ASSIGN(const BenchmarkResults results, ReadBenchmarkResults({json}));
  EXPECT_EQ(results.cases[0].Find(kWallSeconds)->median, 3);
  EXPECT_EQ(results.cases[0].repetitions, 5);
}

TEST(BenchmarkResultsTest, FilesArePooled) {
  const Json one = File(Iteration("a", 1, "s")), two = File(Iteration("a", 4, "s"));
  ASSERT_OK_AND_ASSIGN(const BenchmarkResults results, ReadBenchmarkResults({one, two}));
  EXPECT_EQ(results.cases[0].Find(kWallSeconds)->median, 2.5);
  EXPECT_EQ(results.cases[0].repetitions, 2);
}

TEST(BenchmarkResultsTest, ErrorsAreKeptApart) {
  const Json json =
      File(Iteration("a", 1, "s") +
           R"(,{"name":"a","error_occurred":true,"error_message":"lost","real_time":1e9,
          "cpu_time":0,"time_unit":"s"})");
  ASSERT_OK_AND_ASSIGN(const BenchmarkResults results, ReadBenchmarkResults({json}));
  EXPECT_EQ(results.cases[0].Find(kWallSeconds)->median, 1);
  EXPECT_EQ(results.cases[0].errors, 1);
  EXPECT_EQ(results.cases[0].error, "lost");
}

TEST(BenchmarkResultsTest, InOrderOfNumbers) {
  const Json json =
      File(Iteration("r/run:16/copy:auto", 1, "s") + "," +
           Iteration("r/run:4/copy:emulate", 1, "s") + "," +
           Iteration("r/run:4/copy:native", 1, "s") + "," + Iteration("r/run:x", 1, "s"));
  ASSERT_OK_AND_ASSIGN(const BenchmarkResults results, ReadBenchmarkResults({json}));
  std::vector<std::string> names;
  for (const BenchmarkCase& c : results.cases) names.push_back(c.name);
  EXPECT_THAT(names, ::testing::ElementsAre("r/run:4/copy:native", "r/run:4/copy:emulate",
                                            "r/run:16/copy:auto", "r/run:x"));
}

TEST(BenchmarkResultsTest, WhatCannotBeUnderstood) {
  constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(ReadBenchmarkResults({File(Iteration("a", 1, "s") + ",7")}),
              StatusIs(kInvalid, "entry 2 of \"benchmarks\": not an object"));
  EXPECT_THAT(ReadBenchmarkResults({File("{}")}),
              StatusIs(kInvalid, HasSubstr("entry 1 of \"benchmarks\": has no name")));
  EXPECT_THAT(ReadBenchmarkResults({File(Iteration("a", 1, "week"))}),
              StatusIs(kInvalid, HasSubstr("unknown time_unit \"week\"")));
  EXPECT_THAT(ReadBenchmarkResults({Json{{"context", 1}, {"benchmarks", 1}}}),
              StatusIs(kInvalid, HasSubstr("not a list")));
}

}  // namespace
}  // namespace gleaner
