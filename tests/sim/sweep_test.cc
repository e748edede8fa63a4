#include "sim/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "nlohmann/json.hpp"
#include "sim/html_report.h"
#include "sim/report.h"
#include "sim/usage_error.h"
#include "tests/sim/simulation_testing.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::Comparable;
using ::gleaner::testing::IsOk;
using ::gleaner::testing::SmallConfig;
using ::gleaner::testing::StatusIs;
using ::testing::HasSubstr;

TEST(SweepTest, SameResultsOnOneThreadAndOnMany) {
  std::vector<SimulationConfig> configs;
  for (const char* victim : {"greedy", "cost-benefit", "fifo", "random"}) {
    configs.push_back(SmallConfig());
    configs.back().victim = victim;
  }
  const auto one = RunSweep(configs, {.threads = 1}, {});
  const auto many = RunSweep(configs, {.threads = 3}, {});
  for (size_t i = 0; i < configs.size(); ++i) {
    ASSERT_THAT(one[i], IsOk());
    ASSERT_THAT(many[i], IsOk());
    EXPECT_EQ(Comparable(*one[i]), Comparable(*many[i]));
    EXPECT_EQ(many[i]->config.victim, configs[i].victim);
  }
}

TEST(SweepTest, TellsOfARunThatCannotBeBeforeTheFirstBegins) {
  std::vector<SimulationConfig> configs(3, SmallConfig());
  configs[2].utilization = 0.999;
  int victims = 0;
  SimulationHooks hooks;
  hooks.on_victim = [&victims](SegmentId, uint32_t) { ++victims; };
  const auto results = RunSweep(configs, {.threads = 2}, hooks);
  EXPECT_THAT(results[0], StatusIs(absl::StatusCode::kCancelled));
  EXPECT_TRUE(IsUsageError(results[2].status()));
  EXPECT_EQ(victims, 0);
}

TEST(SweepTest, StopsAfterAnError) {
  std::vector<SimulationConfig> configs(3, SmallConfig());
  for (SimulationConfig& config : configs) config.device = "file:/nowhere/at/all";
  const auto results = RunSweep(configs, {.threads = 1}, {});
  EXPECT_THAT(results[0], StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(results[1], StatusIs(absl::StatusCode::kCancelled));
}

// The contract with scripts: each key, and nothing renamed.
TEST(ReportTest, JsonHasEveryKey) {
  ASSERT_OK_AND_ASSIGN(const SimulationResult result, RunSimulation(SmallConfig(), {}));
  const nlohmann::ordered_json j = RunJson(result);
  for (const char* key : {"user_blocks",
                          "relocated_blocks",
                          "write_amplification",
                          "segments_cleaned",
                          "victim_live_fraction_mean",
                          "copy_commands",
                          "copy_ranges",
                          "native_blocks",
                          "emulated_blocks",
                          "relocation_host_bytes_read",
                          "relocation_host_bytes_written",
                          "extents_per_gib_before",
                          "extents_per_gib_after",
                          "metadata_blocks",
                          "device_write_amplification",
                          "host_bytes_read",
                          "host_bytes_written",
                          "verified_blocks",
                          "wall_seconds",
                          "blocks_per_second",
                          "peak_rss_bytes",
                          "reserved_segments",
                          "open_segments",
                          "seed",
                          "config"})
    EXPECT_TRUE(j.contains(key)) << key;
  EXPECT_EQ(j["user_blocks"], 24'000);
  EXPECT_EQ(j["write_amplification"].get<double>(),
            1 + j["relocated_blocks"].get<double>() / 24'000);
  EXPECT_EQ(
      CommandLine(result.config),
      "gleaner simulate --workload=zipf:0.9 --volume_blocks=12000 --block_bytes=4096 "
      "--segment_blocks=64 --utilization=0.8 --writes=3.0 --warmup=1.0 "
      "--victim=cost-benefit --foreground_victim=greedy --placement=gc-log "
      "--order=victim --commit_segments=1 --copy=native --seed=1");
  EXPECT_THAT(HtmlReport({result}), HasSubstr("<canvas"));
  EXPECT_EQ(SweepJson({result, result})["runs"].size(), 2u);
}

}  // namespace
}  // namespace gleaner
