// Devices that offer Copy and do not say how much of it: they are tried, with few failures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "device/composite_device.h"
#include "device/copy_engine.h"
#include "device/faulty_device.h"
#include "device/nvme_device.h"
#include "tests/device/copy_testing.h"
#include "tests/device/fake_nvme.h"
#include "tests/device/scripted_device.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

constexpr uint64_t kCap = 65536;
constexpr NvmeStatus kTooLarge{1, 0x83, true};

std::unique_ptr<MemDevice> MemOf(uint64_t blocks, const CopyLimits& limits,
                                 uint64_t zone_blocks = 0) {
  MemDeviceOptions options;
  options.capacity = DeviceBlockCount(blocks);
  options.block_bytes = 512;
  options.zone_size = DeviceBlockCount(zone_blocks);
  options.zone_capacity = DeviceBlockCount(zone_blocks);
  options.copy_limits = limits;
  return *MemDevice::Create(options);
}

OpResult Refusal(NvmeStatus status) {
  OpResult result;
  result.status = absl::InvalidArgumentError("told to");
  result.nvme = status;
  return result;
}

// `count` blocks from block 0 to `at`, in runs that follow each other only there.
CopyJob Scattered(Device& device, uint64_t count, uint64_t at) {
  CopyJob job;
  for (uint64_t from = 0; from < count;) {
    const uint64_t n = std::min(count - from, 1 + from % 6);
    job.runs.push_back({&device, Blocks(from, n), DeviceBlock(at + from)});
    from += n;
  }
  std::swap(job.runs[1].from, job.runs.front().from);
  job.runs.erase(job.runs.begin());
  return job;
}

CopyJob Whole(Device& device, uint64_t count, uint64_t at) {
  CopyJob job;
  job.runs.push_back({&device, Blocks(0, count), DeviceBlock(at)});
  return job;
}

// What a device takes in truth, and how many commands fail before that is known.
struct Hidden {
  CopyLimits truth;
  uint64_t failed;
  CopyLimits learned;
};

class HiddenLimitsTest : public ::testing::TestWithParam<Hidden> {
 protected:
  static constexpr uint64_t kBlocks = 6000;

  void Run(CopyMode mode) {
    FaultModel model;
    model.hide_limits = true;
    const auto device = *MakeFaultyDevice(MemOf(3 * kBlocks, GetParam().truth), model);
    FillDevice(*device, Blocks(0, kBlocks), 1);
    const std::string expected = Contents(*device, 0, kBlocks);
    CopyEngineOptions options;
    options.buffer_bytes = options.chunk_bytes = 64 << 10;
    const auto engine = Engine(*device, mode, options);
    for (int round = 0; round < 8; ++round) {
      ASSERT_THAT(RunJob(*engine, Whole(*device, kBlocks, kBlocks)).status, IsOk());
      ASSERT_TRUE(Contents(*device, kBlocks, kBlocks) == expected);
    }
    EXPECT_EQ(engine->counters().failed_commands, GetParam().failed);
    EXPECT_GT(engine->counters().native_blocks.value(), 0u);
    EXPECT_EQ(engine->counters().recovered_blocks.value(), 0u);
    const CopyLimits limits = device->copy_limits();
    EXPECT_EQ(limits.max_copy_blocks, GetParam().learned.max_copy_blocks);
    EXPECT_EQ(limits.max_copy_ranges, GetParam().learned.max_copy_ranges);
    EXPECT_EQ(limits.max_range_blocks, GetParam().learned.max_range_blocks);
    EXPECT_EQ(device->hardware_copy_limits(), (CopyLimits{.unknown = true}));
    if (mode == CopyMode::kNative) {
      EXPECT_EQ(engine->counters().emulated_blocks.value(), 0u);
    }
  }
};

TEST_P(HiddenLimitsTest, AreLearned) { Run(CopyMode::kNative); }
TEST_P(HiddenLimitsTest, AreLearnedWhereTheEngineChooses) { Run(CopyMode::kAuto); }

INSTANTIATE_TEST_SUITE_P(, HiddenLimitsTest,
                         ::testing::Values(Hidden{{1, 1, 1}, 2, {kCap, 1, 1}},
                                           Hidden{{5, 2, 3}, 2, {kCap, 2, 2}},
                                           Hidden{{7, 100, 100}, 3, {4, 4, 4}},
                                           Hidden{{64, 1, 64}, 2, {kCap, 1, 64}},
                                           Hidden{
                                               {1024, 128, 128}, 2, {1024, 256, 128}}));

TEST(UnknownLimitsTest, ShortRunsLearnTheSame) {
  FaultModel model;
  model.hide_limits = true;
  const auto device = *MakeFaultyDevice(MemOf(4096, {24, 4, 7}), model);
  FillDevice(*device, Blocks(0, 1000), 1);
  const auto engine = Engine(*device, CopyMode::kNative);
  for (int round = 0; round < 5; ++round)
    ASSERT_THAT(RunJob(*engine, Scattered(*device, 1000, 2000)).status, IsOk());
  EXPECT_TRUE(Contents(*device, 2003, 997) == Contents(*device, 3, 997));
  EXPECT_LE(engine->counters().failed_commands, 3u);
  EXPECT_LE(device->copy_limits().max_copy_ranges, 4u);
}

// Commands grow within a job, one at a time, and nothing else is in flight before the first.
TEST(UnknownLimitsTest, CommandsDouble) {
  ScriptedDevice device(MemOf(kCap, {.unknown = true}));
  FillDevice(device, Blocks(0, 1000), 1);
  std::vector<uint64_t> lengths;
  device.set_copy_outcome([&](absl::Span<const DeviceRange> sources) {
    lengths.push_back(TotalBlocks(sources).value());
    return OpResult();
  });
  const auto engine = Engine(device, CopyMode::kNative, {.copy_depth = 1});
  ASSERT_THAT(RunJob(*engine, Whole(device, 1000, 2000)).status, IsOk());
  EXPECT_THAT(lengths, ::testing::ElementsAre(1, 2, 4, 8, 16, 32, 64, 128, 256, 489));
  ASSERT_THAT(RunJob(*engine, Whole(device, 400, 2000)).status, IsOk());
  EXPECT_EQ(lengths.back(), 400u);
  EXPECT_TRUE(Contents(device, 2000, 1000) == Contents(device, 0, 1000));
}

struct Words {
  NvmeStatus status;
  int first;  // failures of the first command
  int grown;  // for each limit
};

class RefusesTest : public ::testing::TestWithParam<Words> {};

// Whatever it says, it is not asked again; retries are for statuses that may pass by themselves.
TEST_P(RefusesTest, EverythingOnce) {
  const Words words = GetParam();
  ScriptedDevice device(MemOf(kCap, {.unknown = true}));
  FillDevice(device, Blocks(0, 1000), 1);
  int asked = 0;
  device.set_copy_outcome(
      [&, answer = words.status](absl::Span<const DeviceRange> sources) {
        ++asked;
        EXPECT_EQ(TotalBlocks(sources).value(), 1u);
        return Refusal(answer);
      });
  const auto engine = Engine(device, CopyMode::kAuto);
  int done = 0;
  for (uint64_t i = 1; i <= 3; ++i) {
    ASSERT_THAT(engine->Start(Whole(device, 1000, i * 5000),
                              [&](const CopyResult& r) { done += r.status.ok(); }),
                IsOk());
  }
  while (!engine->idle()) ASSERT_THAT(engine->Wait(), IsOk());
  EXPECT_EQ(done, 3);
  EXPECT_EQ(asked, words.first);
  EXPECT_EQ(engine->counters().failed_commands, static_cast<uint64_t>(words.first));
  EXPECT_EQ(engine->counters().recovered_blocks.value(), 1u);
  for (uint64_t i = 1; i <= 3; ++i)
    EXPECT_TRUE(Contents(device, i * 5000, 1000) == Contents(device, 0, 1000));
  EXPECT_FALSE(device.copy_limits().can_copy());
}

TEST_P(RefusesTest, LessWhenCommandsGrow) {
  const Words words = GetParam();
  ScriptedDevice device(MemOf(kCap, {.unknown = true}));
  FillDevice(device, Blocks(0, 1000), 1);
  device.set_copy_outcome([answer = words.status](absl::Span<const DeviceRange> sources) {
    return KeepsLimits(sources, {20, 3, 6}) ? OpResult() : Refusal(answer);
  });
  const auto engine = Engine(device, CopyMode::kNative);
  for (int round = 0; round < 3; ++round)
    ASSERT_THAT(RunJob(*engine, Whole(device, 1000, 2000)).status, IsOk());
  EXPECT_TRUE(Contents(device, 2000, 1000) == Contents(device, 0, 1000));
  EXPECT_EQ(engine->counters().emulated_blocks.value(), 0u);
  EXPECT_EQ(engine->counters().failed_commands, static_cast<uint64_t>(2 * words.grown));
  const CopyLimits limits = device.copy_limits();
  EXPECT_EQ(limits.max_range_blocks, 4u);
  EXPECT_EQ(limits.max_copy_ranges, 2u);
}

INSTANTIATE_TEST_SUITE_P(, RefusesTest,
                         ::testing::Values(Words{kTooLarge, 1, 1},
                                           Words{{0, 0x01, false}, 1, 1},
                                           Words{{0, 0x02, true}, 1, 1},
                                           Words{{0, 0x06, false}, 1, 1},
                                           // "Interrupted", four times tried again.
                                           Words{{0, 0x21, false}, 5, 3}));

TEST(UnknownLimitsTest, NativeModeSaysWhatTheDeviceSaid) {
  ScriptedDevice device(MemOf(kCap, {.unknown = true}));
  device.set_copy_outcome([&](auto) { return Refusal(kTooLarge); });
  const auto engine = Engine(device, CopyMode::kNative);
  EXPECT_THAT(RunJob(*engine, Whole(device, 100, 2000)).status,
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "told to; it offers native copy, and refuses even one block"));
  EXPECT_EQ(engine->counters().failed_commands, 1u);
  EXPECT_THAT(RunJob(*engine, Whole(device, 100, 2000)).status,
              StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_EQ(engine->counters().failed_commands, 1u);
}

TEST(UnknownLimitsTest, ZonesAreWrittenInOrder) {
  FaultModel model;
  model.hide_limits = true;
  const auto device = *MakeFaultyDevice(MemOf(4096, {24, 4, 7}, 512), model);
  FillDevice(*device, Blocks(0, 512), 1);
  const auto engine = Engine(*device, CopyMode::kNative);
  int done = 0;
  for (uint64_t i = 0; i < 12; ++i) {  // three jobs to each of four zones
    CopyJob job;
    for (uint64_t from = 0; from < 150; from += 5)
      job.runs.push_back({device.get(), Blocks((from * 7) % 500, 5),
                          DeviceBlock(512 * (1 + i % 4) + 150 * (i / 4) + from)});
    ASSERT_THAT(engine->Start(std::move(job),
                              [&](const CopyResult& r) { done += r.status.ok(); }),
                IsOk());
  }
  while (!engine->idle()) ASSERT_THAT(engine->Wait(), IsOk());
  EXPECT_EQ(done, 12);
  EXPECT_LE(engine->counters().failed_commands, 3u);
  for (uint64_t from = 0; from < 150; from += 5) {
    EXPECT_TRUE(Contents(*device, 2048 + 300 + from, 5) ==
                Contents(*device, (from * 7) % 500, 5));
  }
}

TEST(UnknownLimitsTest, TheUsersLimitsHold) {
  ScriptedDevice device(MemOf(kCap, {.unknown = true}));
  FillDevice(device, Blocks(0, 1000), 1);
  device.LowerCopyLimits({.max_copy_blocks = 10, .max_range_blocks = 3});
  uint64_t largest = 0;
  device.set_copy_outcome([&](absl::Span<const DeviceRange> sources) {
    largest = std::max(largest, TotalBlocks(sources).value());
    for (const DeviceRange& range : sources) EXPECT_LE(range.count.value(), 3u);
    return OpResult();
  });
  const auto engine = Engine(device, CopyMode::kNative);
  ASSERT_THAT(RunJob(*engine, Whole(device, 1000, 2000)).status, IsOk());
  EXPECT_EQ(largest, 10u);
  EXPECT_TRUE(Contents(device, 2000, 1000) == Contents(device, 0, 1000));
}

// The fake controller decodes commands on its own, and holds them to the limits that it hides.
TEST(UnknownLimitsTest, AnNvmeNamespaceIsLearned) {
  FakeNvmeSetup setup;
  setup.controller.hides_copy_limits = true;
  setup.controller.mssrl = 3;
  setup.controller.mcl = 5;
  setup.controller.msrc_0 = 1;
  FakeNvme fake(setup);
  ASSERT_OK_AND_ASSIGN(const auto device,
                       OpenNvmeDevice(fake.block_node(), fake.options()));
  FillDevice(*device, Blocks(0, 200), 1);
  const auto engine = Engine(*device, CopyMode::kNative);
  ASSERT_THAT(RunJob(*engine, Whole(*device, 200, 300)).status, IsOk());
  EXPECT_TRUE(fake.controller().Contents(300, 200) == fake.controller().Contents(0, 200));
  EXPECT_EQ(engine->counters().failed_commands, 2u);
  EXPECT_EQ(device->copy_limits(), (CopyLimits{kCap, 2, 2, true, true}));
}

TEST(UnknownLimitsTest, AnNvmeNamespaceThatTakesNothing) {
  FakeNvmeSetup setup;
  setup.controller.mssrl = 0;
  setup.controller.mcl = 0;
  setup.controller.msrc_0 = 0;
  FakeNvme fake(setup);
  ASSERT_OK_AND_ASSIGN(const auto device,
                       OpenNvmeDevice(fake.block_node(), fake.options()));
  FillDevice(*device, Blocks(0, 200), 1);
  {
    const auto engine = Engine(*device, CopyMode::kAuto);
    ASSERT_THAT(RunJob(*engine, Whole(*device, 200, 300)).status, IsOk());
    EXPECT_EQ(engine->counters().failed_commands, 1u);
  }
  EXPECT_TRUE(fake.controller().Contents(300, 200) == fake.controller().Contents(0, 200));
  EXPECT_EQ(fake.controller().seen(0x19).size(), 1u);
}

TEST(UnknownLimitsTest, OfMembersTheKnownLimitsCount) {
  const auto limits_of = [](const CopyLimits& a, const CopyLimits& b) {
    std::vector<std::unique_ptr<Device>> members;
    members.push_back(MemOf(128, a));
    members.push_back(MemOf(128, b));
    return (*MakeConcatDevice(std::move(members)))->hardware_copy_limits();
  };
  const CopyLimits unknown{.unknown = true};
  EXPECT_EQ(limits_of(unknown, unknown), unknown);
  EXPECT_EQ(limits_of(unknown, {9, 8, 3}), (CopyLimits{9, 8, 3, true, true}));
  EXPECT_EQ(limits_of({9, 8, 3}, unknown), (CopyLimits{9, 8, 3, true, true}));
  EXPECT_EQ(limits_of({0, 0, 0}, unknown), CopyLimits{});  // one that cannot
  EXPECT_EQ(limits_of(unknown, {.copy_offload = false}),
            (CopyLimits{.copy_offload = false}));
}

}  // namespace
}  // namespace gleaner::testing
