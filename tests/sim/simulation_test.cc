#include "sim/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
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

constexpr char kMem[] = "mem:size=96M";

struct Traced {
  SimulationResult result;
  std::vector<std::pair<uint32_t, uint32_t>> victims;  // segment, live blocks
};

absl::StatusOr<Traced> RunTraced(const SimulationConfig& config) {
  Traced traced;
  SimulationHooks hooks;
  hooks.on_victim = [&](SegmentId id, uint32_t live) {
    traced.victims.emplace_back(id.value(), live);
  };
  absl::StatusOr<SimulationResult> result = RunSimulation(config, hooks);
  if (!result.ok()) return result.status();
  traced.result = *std::move(result);
  return traced;
}

struct Variant {
  const char* victim;
  const char* placement;
  SurvivorOrder order;
  CopyMode copy;
};

class ModelAndDeviceTest : public ::testing::TestWithParam<Variant> {};

TEST_P(ModelAndDeviceTest, SameVictimsAndSameCounts) {
  SimulationConfig config = SmallConfig();
  config.victim = GetParam().victim;
  config.placement = GetParam().placement;
  config.order = GetParam().order;
  config.copy = GetParam().copy;
  ASSERT_OK_AND_ASSIGN(const Traced model, RunTraced(config));
  config.device = kMem;
  ASSERT_OK_AND_ASSIGN(const Traced device, RunTraced(config));
  EXPECT_GT(model.victims.size(), 300u);
  EXPECT_EQ(device.victims, model.victims);
  EXPECT_EQ(Comparable(device.result), Comparable(model.result));
  EXPECT_GE(device.result.verified_blocks, *config.volume_blocks);
  EXPECT_EQ(model.result.verified_blocks, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    All, ModelAndDeviceTest,
    ::testing::Values(
        Variant{"greedy", "none", SurvivorOrder::kVictim, CopyMode::kNative},
        Variant{"greedy", "gc-log", SurvivorOrder::kLba, CopyMode::kNative},
        Variant{"cost-benefit", "temperature:500:5000", SurvivorOrder::kVictim,
                CopyMode::kNative},
        Variant{"cost-benefit:f2fs", "age-match", SurvivorOrder::kVictim,
                CopyMode::kNative},
        Variant{"age-threshold:0.5", "gc-log", SurvivorOrder::kLba, CopyMode::kEmulate},
        Variant{"d-choices:4", "gc-log", SurvivorOrder::kVictim, CopyMode::kEmulate},
        Variant{"random", "none", SurvivorOrder::kVictim, CopyMode::kEmulate},
        Variant{"fifo", "age-match:3", SurvivorOrder::kVictim, CopyMode::kEmulate}));

TEST(SimulationTest, SameSeedSameResultOtherSeedOtherResult) {
  const SimulationConfig config = SmallConfig();
  ASSERT_OK_AND_ASSIGN(const SimulationResult a, RunSimulation(config, {}));
  ASSERT_OK_AND_ASSIGN(const SimulationResult b, RunSimulation(config, {}));
  EXPECT_EQ(Comparable(a), Comparable(b));
  SimulationConfig other = config;
  other.seed = 2;
  ASSERT_OK_AND_ASSIGN(const SimulationResult c, RunSimulation(other, {}));
  EXPECT_NE(a.relocated_blocks, c.relocated_blocks);
}

// Which way a copy goes, native within a member or emulated across, decides nothing else.
TEST(SimulationTest, SeveralMembersMakeTheModelsDecisions) {
  for (const CopyMode copy : {CopyMode::kEmulate, CopyMode::kAuto}) {
    SimulationConfig config = SmallConfig();
    config.copy = copy;
    ASSERT_OK_AND_ASSIGN(const Traced model, RunTraced(config));
    for (const char* spec :
         {"stripe:256K;mem:size=48M;mem:size=48M",  // a segment a chunk
          "stripe:20K;mem:size=32M;mem:size=32M;mem:size=32M",
          "concat:mem:size=31M;(stripe:1M;mem:size=32M;mem:size=32M)"}) {
      SCOPED_TRACE(spec);
      config.device = spec;
      ASSERT_OK_AND_ASSIGN(const Traced device, RunTraced(config));
      EXPECT_EQ(device.victims, model.victims);
      EXPECT_GE(device.result.verified_blocks, *config.volume_blocks);
      const RelocationCounters& r = device.result.relocation;
      EXPECT_EQ(r.native_blocks + r.emulated_blocks, device.result.relocated_blocks);
      if (copy == CopyMode::kEmulate) {
        EXPECT_EQ(Comparable(device.result), Comparable(model.result));
      } else {
        EXPECT_GT(r.native_blocks, 0u);
        EXPECT_GT(r.emulated_blocks, 0u);
      }
    }
  }
}

TEST(SimulationTest, NativeCopiesAcrossMembersAreRefused) {
  SimulationConfig config = SmallConfig();
  config.device = "stripe:256K;mem:size=48M;mem:size=48M";
  EXPECT_THAT(RunSimulation(config, {}).status(),
              StatusIs(absl::StatusCode::kUnimplemented,
                       HasSubstr("they lie on different members")));
}

// A zoned device decides the segments; the whole run works through its write pointers.
TEST(SimulationTest, ZonedDeviceIsVerified) {
  for (const char* placement : {"none", "gc-log", "age-match"}) {
    for (const CopyMode copy : {CopyMode::kNative, CopyMode::kEmulate}) {
      SimulationConfig config = SmallConfig();
      config.segment_blocks.reset();
      config.placement = placement;
      config.copy = copy;
      config.device = "mem:size=128M,zone=1M,zone_capacity=768K,max_open=8";
      ASSERT_OK_AND_ASSIGN(const SimulationResult result, RunSimulation(config, {}));
      EXPECT_EQ(result.segment_blocks, 192u);
      EXPECT_GE(result.verified_blocks, 12'000u) << placement;
      EXPECT_GT(result.segments_cleaned, 50u);
    }
    SimulationConfig config = SmallConfig();
    config.segment_blocks.reset();
    config.placement = placement;
    config.copy = CopyMode::kAuto;
    config.device =
        "concat:mem:size=30M,zone=1M,zone_capacity=768K,max_open=8;"
        "mem:size=90M,zone=1M,zone_capacity=768K,max_open=9";
    ASSERT_OK_AND_ASSIGN(const SimulationResult result, RunSimulation(config, {}));
    EXPECT_GE(result.verified_blocks, 12'000u) << placement;
  }
}

struct FewZones {
  const char* placement;
  uint32_t max_open;  // of the device
  uint32_t relocation_logs;
  uint32_t open_segments;
};

class FewZonesTest : public ::testing::TestWithParam<FewZones> {};

// With as few open zones as a device has, the model decides as the run there: the same victims,
// and no write that the device refuses.
TEST_P(FewZonesTest, ModelAndDeviceMergeAlike) {
  SimulationConfig config = SmallConfig();
  config.placement = GetParam().placement;
  config.relocation_logs = GetParam().relocation_logs;
  for (const CopyMode copy : {CopyMode::kNative, CopyMode::kEmulate}) {
    config.copy = copy;
    config.segment_blocks = 192;
    config.device = "";
    config.max_open_zones = GetParam().max_open;
    ASSERT_OK_AND_ASSIGN(const Traced model, RunTraced(config));
    config.segment_blocks.reset();
    config.max_open_zones = 0;
    config.device = absl::StrCat("mem:size=128M,zone=1M,zone_capacity=768K,max_open=",
                                 GetParam().max_open);
    ASSERT_OK_AND_ASSIGN(const Traced device, RunTraced(config));
    EXPECT_GT(model.victims.size(), 50u);
    EXPECT_EQ(device.victims, model.victims);
    EXPECT_EQ(device.result.relocated_blocks, model.result.relocated_blocks);
    EXPECT_EQ(device.result.config.max_open_zones, GetParam().max_open);
    EXPECT_EQ(device.result.open_segments, GetParam().open_segments);
    EXPECT_EQ(model.result.open_segments, GetParam().open_segments);
    EXPECT_GE(device.result.verified_blocks, *config.volume_blocks);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, FewZonesTest,
    ::testing::Values(FewZones{"none", 1, 1, 1}, FewZones{"none", 2, 2, 2},
                      FewZones{"gc-log", 2, 1, 2}, FewZones{"gc-log", 4, 8, 4},
                      FewZones{"temperature:500:5000", 2, 1, 2},
                      FewZones{"temperature:500:5000", 3, 2, 3},
                      FewZones{"temperature:500:5000", 4, 2, 4},
                      FewZones{"age-match:4", 2, 1, 2}, FewZones{"age-match:4", 3, 2, 3},
                      FewZones{"age-match:1", 6, 3, 6}));

TEST(SimulationTest, TooFewOpenZonesAreRefusedInOneLine) {
  SimulationConfig config = SmallConfig();
  config.segment_blocks.reset();
  config.device = "mem:size=128M,zone=1M,max_open=1";
  EXPECT_EQ(RunSimulation(config, {}).status().message(),
            "--placement: gc-log: mem: 2 open segments are needed, 1 can be");
  config.device.clear();
  config.max_open_zones = 1;
  EXPECT_EQ(
      RunSimulation(config, {}).status().message(),
      "--placement: gc-log: --max_open_zones: 2 open segments are needed, 1 can be");
}

TEST(SimulationTest, SmallerDeviceBlocksAreConverted) {
  SimulationConfig config = SmallConfig();
  config.device = "mem:size=96M,block=512";
  config.max_copy_blocks = 64;
  config.max_range_blocks = 16;
  ASSERT_OK_AND_ASSIGN(const SimulationResult result, RunSimulation(config, {}));
  EXPECT_EQ(result.relocation.native_blocks, result.relocated_blocks);
  // 16 device blocks a range are two blocks, 64 a command eight.
  EXPECT_GE(result.relocation.copy_ranges, result.relocated_blocks / 2);
  EXPECT_GE(result.relocation.copy_commands, result.relocated_blocks / 8);
}

TEST(SimulationTest, FileDeviceIsVerified) {
  SimulationConfig config = SmallConfig();
  config.copy = CopyMode::kAuto;
  config.device = "file:" + ::testing::TempDir() + "/simulated,size=96M";
  ASSERT_OK_AND_ASSIGN(const SimulationResult result, RunSimulation(config, {}));
  EXPECT_GE(result.verified_blocks, 12'000u);
  EXPECT_EQ(result.relocation.emulated_blocks, result.relocated_blocks);
  // What a run has left may be overwritten by the next.
  EXPECT_THAT(RunSimulation(config, {}), IsOk());
}

TEST(SimulationTest, OneFlippedBlockIsFoundAndNamed) {
  SimulationConfig config = SmallConfig();
  config.device = kMem;
  PhysicalBlock flipped;
  SimulationHooks hooks;
  hooks.before_verification = [&](VolatileStore& store, Device* device) {
    flipped = store.Locate(Lba(777));
    const DeviceRange range = store.layout().ToDevice({flipped, BlockCount(1)});
    AlignedBuffer buffer(4096);
    ASSERT_THAT(ReadBlocks(*device, range, buffer.data()), IsOk());
    buffer.data()[1000] ^= 1;
    ASSERT_THAT(WriteBlocks(*device, range, buffer.data()), IsOk());
  };
  const absl::Status status = RunSimulation(config, hooks).status();
  ASSERT_TRUE(flipped.valid());
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss,
                               HasSubstr(absl::StrCat("physical block ", flipped.value(),
                                                      ", ", "lba 777:"))));
  EXPECT_FALSE(IsUsageError(status));
}

// An old version of the right lba is as wrong as garbage.
TEST(SimulationTest, StaleBlockIsFound) {
  SimulationConfig config = SmallConfig();
  config.device = kMem;
  SimulationHooks hooks;
  hooks.before_verification = [&](VolatileStore& store, Device* device) {
    AlignedBuffer buffer(4096);
    ASSERT_THAT(ReadBlocks(*device,
                           store.layout().ToDevice({store.Locate(Lba(5)), BlockCount(1)}),
                           buffer.data()),
                IsOk());
    ASSERT_THAT(
        WriteBlocks(*device,
                    store.layout().ToDevice({store.Locate(Lba(9)), BlockCount(1)}),
                    buffer.data()),
        IsOk());
  };
  EXPECT_THAT(RunSimulation(config, hooks),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("holds lba 5")));
}

TEST(SimulationTest, DeviceTooSmall) {
  SimulationConfig config = SmallConfig();
  config.device = "mem:size=16M";
  const absl::Status status = RunSimulation(config, {}).status();
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("has room for 64")));
  EXPECT_FALSE(IsUsageError(status));
}

struct BadConfig {
  const char* flag;
  void (*change)(SimulationConfig&);
};

class BadConfigTest : public ::testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigTest, IsAUsageErrorThatNamesTheFlag) {
  SimulationConfig config = SmallConfig();
  GetParam().change(config);
  const absl::Status status = RunSimulation(config, {}).status();
  EXPECT_TRUE(IsUsageError(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::StartsWith(GetParam().flag));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadConfigTest,
    ::testing::Values(
        BadConfig{"--workload:", [](SimulationConfig& c) { c.workload = "zipff:1"; }},
        BadConfig{"--workload:", [](SimulationConfig& c) { c.trace = "x"; }},
        BadConfig{"--volume_blocks:", [](SimulationConfig& c) { c.volume_blocks = 0; }},
        BadConfig{"--volume_blocks:",
                  [](SimulationConfig& c) { c.volume_blocks.reset(); }},
        BadConfig{"--block_bytes:", [](SimulationConfig& c) { c.block_bytes = 1000; }},
        BadConfig{"--segment_blocks:", [](SimulationConfig& c) { c.segment_blocks = 0; }},
        BadConfig{"--utilization:", [](SimulationConfig& c) { c.utilization = 1; }},
        BadConfig{"--utilization:", [](SimulationConfig& c) { c.utilization = 0; }},
        BadConfig{"--utilization:", [](SimulationConfig& c) { c.utilization = 0.9999; }},
        BadConfig{"--gc_trigger:", [](SimulationConfig& c) { c.garbage_trigger = 1.5; }},
        BadConfig{"--writes:", [](SimulationConfig& c) { c.writes = -1; }},
        BadConfig{"--warmup:", [](SimulationConfig& c) { c.warmup = 4; }},
        BadConfig{"--victim:", [](SimulationConfig& c) { c.victim = "gredy"; }},
        BadConfig{"--foreground_victim:",
                  [](SimulationConfig& c) { c.foreground_victim = ""; }},
        BadConfig{"--placement:", [](SimulationConfig& c) { c.placement = "gclog"; }},
        BadConfig{"--device:", [](SimulationConfig& c) { c.device = "tape:x"; }},
        BadConfig{"--segment_blocks:",
                  [](SimulationConfig& c) { c.device = "mem:size=128M,zone=1M"; }},
        BadConfig{"--placement:", [](SimulationConfig& c) { c.max_open_zones = 1; }},
        BadConfig{"--placement:", [](SimulationConfig& c) {
                    c.segment_blocks.reset();
                    c.placement = "temperature";
                    c.device = "mem:size=128M,zone=1M,max_open=1";
                  }}));

// -- Traces -----------------------------------------------------------------------------------

std::string WriteTrace(const std::string& name, const std::string& text) {
  std::string path = ::testing::TempDir() + "/" + name;
  std::ofstream(path) << text;
  return path;
}

// 64 blocks written over and over, then half of them trimmed (Alibaba's format has no trims, so
// this one is csv).
std::string SmallTrace() {
  std::string text = "time,op,offset,size\n";
  for (int round = 0; round < 40; ++round) {
    for (int block = 0; block < 64; block += 4)
      text += absl::StrCat(round, ",w,", (block * 7 % 64) * 4096, ",", 4096 * 4, "\n");
  }
  for (int block = 0; block < 32; ++block)
    text += absl::StrCat("99,trim,", block * 4096, ",4096\n");
  text += "100,r,0,65536\n";
  return text;
}

TEST(SimulationTest, TraceRunsOnModelAndDeviceAlike) {
  SimulationConfig config;
  config.trace = WriteTrace("small.csv", SmallTrace());
  config.segment_blocks = 8;
  config.utilization = 0.5;
  config.copy = CopyMode::kNative;
  ASSERT_OK_AND_ASSIGN(const Traced model, RunTraced(config));
  EXPECT_EQ(model.result.user_blocks, 40u * 64);
  config.device = "mem:size=8M";
  ASSERT_OK_AND_ASSIGN(const Traced device, RunTraced(config));
  EXPECT_EQ(device.victims, model.victims);
  EXPECT_EQ(device.result.relocated_blocks, model.result.relocated_blocks);
}

TEST(SimulationTest, GarbageTriggerNeedsNoFixedSpace) {
  SimulationConfig config = SmallConfig();
  config.garbage_trigger = 0.15;
  ASSERT_OK_AND_ASSIGN(const Traced model, RunTraced(config));
  EXPECT_GT(model.result.segments_cleaned, 100u);
  // Live blocks are at least 85 % of what is written, within a few open segments.
  EXPECT_NEAR(static_cast<double>(model.result.segments), 12'000 / (64 * 0.85), 40);
  config.device = kMem;
  ASSERT_OK_AND_ASSIGN(const Traced device, RunTraced(config));
  EXPECT_EQ(device.victims, model.victims);
}

TEST(SimulationTest, BadRecordStopsTheRunWithFileAndLine) {
  SimulationConfig config;
  config.trace =
      WriteTrace("bad.csv", "time,op,offset,size\n1,w,0,4096\n2,w,zero,4096\n");
  const absl::Status status = RunSimulation(config, {}).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("bad.csv:3"));
  EXPECT_FALSE(IsUsageError(status));
}

TEST(SimulationTest, TraceShorterThanItsWarmup) {
  SimulationConfig config;
  config.trace = WriteTrace("short.csv", SmallTrace());
  config.segment_blocks = 8;
  config.utilization = 0.5;
  config.warmup = 1000;
  EXPECT_THAT(RunSimulation(config, {}), StatusIs(absl::StatusCode::kInvalidArgument,
                                                  HasSubstr("within the warm-up")));
}

TEST(SimulationTest, EndsWhereItIsInterrupted) {
  SimulationConfig config = SmallConfig();
  int asked = 0;
  SimulationHooks hooks;
  hooks.interrupted = [&asked] { return ++asked == 3; };
  EXPECT_THAT(
      RunSimulation(config, hooks),
      StatusIs(absl::StatusCode::kCancelled, "interrupted after 192 user blocks"));
  config.device = kMem;
  asked = 0;
  EXPECT_THAT(
      RunSimulation(config, hooks),
      StatusIs(absl::StatusCode::kCancelled, HasSubstr("; what mem:size=96M holds")));
}

}  // namespace
}  // namespace gleaner
