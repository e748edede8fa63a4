// What the engine copies, counts and refuses. Its choice of path has its own test.
#include "device/copy_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "device/mem_device.h"
#include "tests/device/copy_testing.h"
#include "tests/device/cost_device.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CopyEngineTest : public ::testing::TestWithParam<CopyMode> {};

TEST_P(CopyEngineTest, GathersScatteredRuns) {
  const auto device = Mem(256);
  FillDevice(*device, Blocks(0, 64), 1);
  const auto engine = Engine(*device, GetParam());
  CopyJob job;
  std::string expected;
  uint64_t to = 100;
  for (const DeviceRange from :
       {Blocks(40, 3), Blocks(0, 30), Blocks(33, 1), Blocks(34, 2)}) {
    job.runs.push_back({device.get(), from, DeviceBlock(to)});
    expected += Contents(*device, from.start.value(), from.count.value());
    to += from.count.value();
  }
  const CopyResult result = RunJob(*engine, std::move(job));
  ASSERT_THAT(result.status, IsOk());
  EXPECT_TRUE(Contents(*device, 100, 36) == expected);
  ASSERT_EQ(result.runs.size(), 4u);
  EXPECT_EQ(Copied(result.runs[0]), 3u);
  EXPECT_EQ(Copied(result.runs[1]), 30u);
  EXPECT_EQ(Copied(result.runs[2]), 1u);
  EXPECT_EQ(Copied(result.runs[3]), 2u);
  EXPECT_EQ(engine->counters().jobs, 1u);
  EXPECT_EQ(
      (engine->counters().native_blocks + engine->counters().emulated_blocks).value(),
      36u);
}

TEST_P(CopyEngineTest, RefusesABadJobBeforeAnythingIsSubmitted) {
  const auto device = Mem(256);
  const auto engine = Engine(*device, GetParam());
  const auto try_runs = [&](const std::vector<std::pair<DeviceRange, uint64_t>>& runs) {
    CopyJob job;
    for (const auto& [from, to] : runs)
      job.runs.push_back({device.get(), from, DeviceBlock(to)});
    absl::Status status =
        engine->Start(std::move(job), [](const CopyResult&) { FAIL(); });
    EXPECT_TRUE(engine->idle());
    return status;
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const auto out_of_range = absl::StatusCode::kOutOfRange;
  EXPECT_THAT(try_runs({}), StatusIs(invalid));
  EXPECT_THAT(try_runs({{Blocks(0, 1), 100}, {Blocks(5, 0), 101}}),
              StatusIs(invalid, AllOf(HasSubstr("empty"), HasSubstr("block 5"))));
  EXPECT_THAT(try_runs({{Blocks(250, 7), 100}}),
              StatusIs(out_of_range, HasSubstr("250+7")));
  EXPECT_THAT(try_runs({{Blocks(300, 1), 100}}), StatusIs(out_of_range));
  EXPECT_THAT(try_runs({{Blocks(0, ~uint64_t{0}), 100}}), StatusIs(out_of_range));
  EXPECT_THAT(try_runs({{Blocks(0, 7), 250}}),
              StatusIs(out_of_range, HasSubstr("no room")));
  EXPECT_THAT(try_runs({{Blocks(0, 8), 7}}), StatusIs(invalid, HasSubstr("overlap")));
  // A later run's source lies in an earlier run's target, and the reverse.
  EXPECT_THAT(
      try_runs({{Blocks(0, 4), 100}, {Blocks(50, 2), 200}, {Blocks(103, 1), 210}}),
      StatusIs(invalid, HasSubstr("overlap")));
  EXPECT_THAT(try_runs({{Blocks(60, 4), 100}, {Blocks(10, 2), 200}, {Blocks(20, 1), 63}}),
              StatusIs(invalid, HasSubstr("overlap")));
  EXPECT_THAT(try_runs({{Blocks(0, 4), 100}, {Blocks(10, 4), 90}, {Blocks(20, 4), 103}}),
              StatusIs(invalid, HasSubstr("two copies")));
  EXPECT_EQ(device->counters().reads, 0u);
  EXPECT_EQ(device->counters().copies, 0u);
  EXPECT_EQ(device->counters().writes, 0u);
  CopyJob adjacent;
  adjacent.runs.push_back({device.get(), Blocks(0, 8), DeviceBlock(8)});
  EXPECT_THAT(RunJob(*engine, std::move(adjacent)).status, IsOk());
}

TEST_P(CopyEngineTest, RefusesATargetBeyondAZonesCapacity) {
  const auto device = Mem(256, 4096, 64, 48);
  const auto engine = Engine(*device, GetParam());
  CopyJob job;
  job.runs.push_back({device.get(), Blocks(0, 4), DeviceBlock(64 + 45)});
  EXPECT_THAT(engine->Start(job, [](const CopyResult&) {}),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("zone's capacity")));
}

TEST_P(CopyEngineTest, JobsMayBeStartedFromCompletions) {
  const auto device = Mem(256);
  FillDevice(*device, Blocks(0, 8), 1);
  const auto engine = Engine(*device, GetParam());
  int completed = 0;
  std::function<void(const CopyResult&)> next = [&](const CopyResult& result) {
    EXPECT_THAT(result.status, IsOk());
    if (++completed == 20) return;
    CopyJob job;
    job.runs.push_back({device.get(), Blocks(0, 8),
                        DeviceBlock(8 + 8 * static_cast<uint64_t>(completed))});
    EXPECT_THAT(engine->Start(std::move(job), next), IsOk());
  };
  CopyJob job;
  job.runs.push_back({device.get(), Blocks(0, 8), DeviceBlock(8)});
  ASSERT_THAT(engine->Start(std::move(job), next), IsOk());
  while (!engine->idle()) ASSERT_THAT(engine->Wait(), IsOk());
  EXPECT_EQ(completed, 20);
  EXPECT_TRUE(Contents(*device, 160, 8) == Contents(*device, 0, 8));
}

TEST_P(CopyEngineTest, ACancelledJobEndsAndSaysWhatArrived) {
  const auto device = Mem(4096);
  FillDevice(*device, Blocks(0, 2000), 1);
  CopyEngineOptions options;
  options.buffer_bytes = 64 << 10;
  options.chunk_bytes = 16 << 10;
  const auto engine = Engine(*device, GetParam(), options);
  CopyResult result;
  int completed = 0;
  CopyEngine::JobId id;
  CopyJob job;
  job.runs.push_back({device.get(), Blocks(0, 2000), DeviceBlock(2000)});
  ASSERT_THAT(engine->Start(
                  job,
                  [&](const CopyResult& r) {
                    result = r;
                    ++completed;
                  },
                  &id),
              IsOk());
  ASSERT_THAT(engine->Wait(), IsOk());
  engine->Cancel(id);
  engine->Cancel(id);
  engine->Cancel(id + 1);  // there is none
  EXPECT_EQ(completed, 0);
  while (!engine->idle()) ASSERT_THAT(engine->Wait(), IsOk());
  EXPECT_EQ(completed, 1);
  EXPECT_THAT(result.status, StatusIs(absl::StatusCode::kCancelled));
  const uint64_t arrived = Copied(result.runs[0]);
  EXPECT_GT(arrived, 0u);
  EXPECT_LT(arrived, 1000u);
  EXPECT_EQ(Contents(*device, 3500, 500), std::string(500 * 4096, '\0'));
  EXPECT_EQ(engine->counters().jobs, 0u);
  engine->Cancel(id);
  EXPECT_THAT(RunJob(*engine, job).status, IsOk());
  EXPECT_TRUE(Contents(*device, 2000, 2000) == Contents(*device, 0, 2000));
}

TEST_P(CopyEngineTest, AJobCanBeCancelledAtOnce) {
  const auto device = Mem(256, 4096, 64, 64);
  FillDevice(*device, Blocks(0, 64), 1);
  const auto engine = Engine(*device, GetParam());
  CopyEngine::JobId ids[3];
  int cancelled = 0;
  int completed = 0;
  for (uint64_t i = 0; i < 3; ++i) {
    CopyJob job;
    job.runs.push_back({device.get(), Blocks(0, 64), DeviceBlock(64 + 64 * i)});
    ASSERT_THAT(engine->Start(
                    std::move(job),
                    [&](const CopyResult& r) {
                      ++completed;
                      cancelled += absl::IsCancelled(r.status);
                    },
                    &ids[i]),
                IsOk());
  }
  for (const CopyEngine::JobId id : ids) engine->Cancel(id);
  while (!engine->idle()) ASSERT_THAT(engine->Wait(), IsOk());
  EXPECT_EQ(completed, 3);
}

TEST_P(CopyEngineTest, CompletionsRunOnlyInPollAndWait) {
  const auto device = Mem(256);
  const auto engine = Engine(*device, GetParam());
  EXPECT_THAT(engine->Wait(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(engine->Poll(), 0);
  int completed = 0;
  for (uint64_t i = 0; i < 3; ++i) {
    CopyJob job;
    job.runs.push_back({device.get(), Blocks(i, 1), DeviceBlock(100 + i)});
    ASSERT_THAT(engine->Start(std::move(job), [&](const CopyResult&) { ++completed; }),
                IsOk());
    EXPECT_EQ(completed, 0);
  }
  int told = 0;
  while (!engine->idle()) told += engine->Poll();
  EXPECT_EQ(told, 3);
  EXPECT_EQ(completed, 3);
}

TEST_P(CopyEngineTest, AnEngineMayGoWhileCopiesAreInFlight) {
  const auto device = Mem(4096);
  auto engine = Engine(*device, GetParam());
  CopyJob job;
  job.runs.push_back({device.get(), Blocks(0, 1000), DeviceBlock(2000)});
  ASSERT_THAT(engine->Start(std::move(job), [](const CopyResult&) { FAIL(); }), IsOk());
  engine->Poll();
  engine.reset();
  FillDevice(*device, Blocks(0, 8), 1);  // the device still works
}

INSTANTIATE_TEST_SUITE_P(Modes, CopyEngineTest,
                         ::testing::Values(CopyMode::kAuto, CopyMode::kNative,
                                           CopyMode::kEmulate),
                         [](const auto& info) -> std::string {
                           return info.param == CopyMode::kAuto     ? "Auto"
                                  : info.param == CopyMode::kNative ? "Native"
                                                                    : "Emulate";
                         });

TEST(CopyEngineCountTest, NativeCountsCommandsAndRanges) {
  const auto device = Mem(256);
  const auto engine = Engine(*device, CopyMode::kNative);
  CopyJob job;  // limits: 24 blocks in 4 ranges of at most 7
  job.runs.push_back({device.get(), Blocks(0, 30), DeviceBlock(100)});
  job.runs.push_back({device.get(), Blocks(40, 1), DeviceBlock(130)});
  ASSERT_THAT(RunJob(*engine, std::move(job)).status, IsOk());
  const CopyCounters& c = engine->counters();
  EXPECT_EQ(c.commands, 2u);  // 7 + 7 + 7 + 3, then 6 + 1
  EXPECT_EQ(c.ranges, 6u);
  EXPECT_EQ(c.native_blocks, DeviceBlockCount(31));
  EXPECT_EQ(c.emulated_blocks, DeviceBlockCount(0));
  EXPECT_EQ(c.host_bytes_read, 0u);
  EXPECT_EQ(c.host_bytes_written, 0u);
  EXPECT_EQ(device->counters().copies, 2u);
  EXPECT_EQ(device->counters().bytes_read, 0u);
}

TEST(CopyEngineCountTest, EmulationGathersSmallReadsIntoOneWrite) {
  const auto device = Mem(1024);
  const auto engine = Engine(*device, CopyMode::kEmulate);
  CopyJob job;
  for (uint64_t i = 0; i < 100;
       ++i) {  // every other block, and then 28 that are adjacent
    const uint64_t from = i < 72 ? 2 * i : 200 + i;
    job.runs.push_back({device.get(), Blocks(from, 1), DeviceBlock(500 + i)});
  }
  ASSERT_THAT(RunJob(*engine, std::move(job)).status, IsOk());
  EXPECT_EQ(device->counters().reads, 73u);
  EXPECT_EQ(device->counters().writes, 1u);
  const CopyCounters& c = engine->counters();
  EXPECT_EQ(c.commands, 0u);
  EXPECT_EQ(c.emulated_blocks, DeviceBlockCount(100));
  EXPECT_EQ(c.host_bytes_read, 409600u);
  EXPECT_EQ(c.host_bytes_written, 409600u);
  EXPECT_EQ(c.peak_buffer_bytes, 524288u);  // one chunk
}

TEST(CopyEngineCountTest, BuffersStayWithinThePool) {
  const auto device = Mem(1 << 15);
  CopyEngineOptions options;
  options.buffer_bytes = 1 << 20;
  options.chunk_bytes = 128 << 10;
  const auto engine = Engine(*device, CopyMode::kEmulate, options);
  for (uint64_t i = 0; i < 8; ++i) {
    CopyJob job;
    job.runs.push_back(
        {device.get(), Blocks(1024 * i, 1024), DeviceBlock((1 << 14) + 1024 * i)});
    ASSERT_THAT(engine->Start(std::move(job), [](const CopyResult&) {}), IsOk());
  }
  while (!engine->idle()) ASSERT_THAT(engine->Wait(), IsOk());
  EXPECT_EQ(engine->counters().peak_buffer_bytes, 1u << 20);
}

TEST(CopyEnginePipelineTest, ReadsTheNextChunkWhileOneIsWritten) {
  ManualClock clock;
  CostDevice device(&clock, DeviceBlockCount(4096), {});
  device.costs().per_block_read = absl::Microseconds(1);
  device.costs().per_block_written = absl::Microseconds(1);
  CopyEngineOptions options;
  options.buffer_bytes = 128 << 10;
  options.chunk_bytes = 64 << 10;
  ASSERT_OK_AND_ASSIGN(const auto engine, CopyEngine::Create(&device, options, clock));
  CopyJob job;
  job.runs.push_back({&device, Blocks(0, 1000), DeviceBlock(2000)});
  ASSERT_THAT(RunJob(*engine, std::move(job)).status, IsOk());
  EXPECT_TRUE(device.read_beside_write());
}

TEST(CopyEnginePipelineTest, CommandsAreInFlightTogether) {
  ManualClock clock;
  CostDevice device(&clock, DeviceBlockCount(4096),
                    {.max_copy_blocks = 8, .max_copy_ranges = 1, .max_range_blocks = 8});
  device.costs().per_command = absl::Microseconds(1);
  CopyEngineOptions options;
  options.mode = CopyMode::kNative;
  options.copy_depth = 5;
  ASSERT_OK_AND_ASSIGN(const auto engine, CopyEngine::Create(&device, options, clock));
  CopyJob job;
  job.runs.push_back({&device, Blocks(0, 1000), DeviceBlock(2000)});
  ASSERT_THAT(RunJob(*engine, std::move(job)).status, IsOk());
  EXPECT_EQ(device.most_copies_in_flight(), 5);
}

TEST(CopyEngineErrorTest, NativeOnlyMeansNativeOnly) {
  const auto device = Mem(256);
  const auto other = Mem(256);
  const auto engine = Engine(*device, CopyMode::kNative);
  CopyJob job;
  job.runs.push_back({device.get(), Blocks(0, 1), DeviceBlock(100)});
  job.runs.push_back({other.get(), Blocks(0, 1), DeviceBlock(101)});
  EXPECT_THAT(engine->Start(job, [](const CopyResult&) {}),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("another device")));
  job.runs.pop_back();
  device->LowerCopyLimits({.copy_offload = false});
  EXPECT_THAT(engine->Start(job, [](const CopyResult&) {}),
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("cannot copy")));
}

TEST(CopyEngineErrorTest, AFailedCommandReportsTheRangesBeforeIt) {
  ManualClock clock;
  CostDevice device(
      &clock, DeviceBlockCount(4096),
      {.max_copy_blocks = 100, .max_copy_ranges = 8, .max_range_blocks = 10});
  device.set_outcome([](const CostDevice::Seen&) {
    OpResult result;
    result.status = absl::DataLossError("unreadable");
    result.ranges_copied = 2;
    return result;
  });
  CopyEngineOptions options;
  options.mode = CopyMode::kNative;
  ASSERT_OK_AND_ASSIGN(const auto engine, CopyEngine::Create(&device, options, clock));
  CopyJob job;
  job.runs.push_back({&device, Blocks(0, 15), DeviceBlock(1000)});  // ranges of 10 and 5
  job.runs.push_back({&device, Blocks(20, 5), DeviceBlock(1015)});
  const CopyResult result = RunJob(*engine, std::move(job));
  EXPECT_THAT(result.status,
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("unreadable")));
  EXPECT_EQ(result.runs[0].native, DeviceBlockCount(15));
  EXPECT_EQ(result.runs[1].native, DeviceBlockCount(0));
  EXPECT_EQ(engine->counters().commands, 0u);
  EXPECT_EQ(engine->counters().jobs, 0u);
}

// One bad block: its job fails, the others do not, nothing hangs, every buffer comes
// back.
TEST(CopyEngineErrorTest, AFailedReadOrWriteFailsItsJobOnly) {
  for (const OpType failing : {OpType::kRead, OpType::kWrite}) {
    SCOPED_TRACE(OpName(failing));
    ManualClock clock;
    CostDevice device(&clock, DeviceBlockCount(4096), {});
    const DeviceBlock bad(failing == OpType::kRead ? 130 : 2130);
    device.set_outcome([&](const CostDevice::Seen& seen) {
      OpResult result;
      if (seen.type == failing && seen.range.contains(bad)) {
        result.status = absl::DataLossError("bad block");
      }
      return result;
    });
    CopyEngineOptions options;
    options.buffer_bytes = 64 << 10;
    options.chunk_bytes = 16 << 10;
    ASSERT_OK_AND_ASSIGN(const auto engine, CopyEngine::Create(&device, options, clock));
    std::vector<absl::Status> statuses(3);
    for (uint64_t i = 0; i < 3; ++i) {
      CopyJob job;
      for (uint64_t b = 0; b < 50; ++b) {
        job.runs.push_back({&device, Blocks(100 * i + 2 * (b % 50), 1),
                            DeviceBlock(2000 + 100 * i + b)});
      }
      ASSERT_THAT(
          engine->Start(std::move(job),
                        [&statuses, i](const CopyResult& r) { statuses[i] = r.status; }),
          IsOk());
    }
    while (!engine->idle()) ASSERT_THAT(engine->Wait(), IsOk());
    EXPECT_THAT(statuses[0], IsOk());
    EXPECT_THAT(statuses[1],
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("bad block")));
    EXPECT_THAT(statuses[2], IsOk());
    CopyJob whole;
    whole.runs.push_back({&device, Blocks(300, 1000), DeviceBlock(2500)});
    EXPECT_THAT(RunJob(*engine, std::move(whole)).status, IsOk());
  }
}

TEST(CopyEngineErrorTest, AZonesErrorFailsItsJobAndFreesTheLane) {
  const auto device = Mem(512, 4096, 64, 64);
  FillDevice(*device, Blocks(0, 64), 1);
  for (const CopyMode mode : {CopyMode::kNative, CopyMode::kEmulate}) {
    const auto engine = Engine(*device, mode);
    const uint64_t zone = mode == CopyMode::kNative ? 128 : 192;
    absl::Status wrong;
    absl::Status right;
    CopyJob job;
    job.runs.push_back({device.get(), Blocks(0, 30), DeviceBlock(zone + 1)});
    ASSERT_THAT(engine->Start(job, [&](const CopyResult& r) { wrong = r.status; }),
                IsOk());
    job.runs[0].to = DeviceBlock(zone);
    ASSERT_THAT(engine->Start(job, [&](const CopyResult& r) { right = r.status; }),
                IsOk());
    while (!engine->idle()) ASSERT_THAT(engine->Wait(), IsOk());
    EXPECT_THAT(wrong, StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("write pointer")));
    EXPECT_THAT(right, IsOk());
    EXPECT_TRUE(Contents(*device, zone, 30) == Contents(*device, 0, 30));
  }
}

TEST(CopyEngineErrorTest, ARunAcrossZonesMustNotCutASourceBlock) {
  const auto source = Mem(64, 4096);
  const auto target = Mem(256, 512, 64, 64);
  const auto engine = Engine(*target, CopyMode::kAuto);
  CopyJob job;
  job.runs.push_back({source.get(), Blocks(0, 16), DeviceBlock(60)});
  EXPECT_THAT(engine->Start(job, [](const CopyResult&) {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("inside a block")));
  FillDevice(*target, Blocks(0, 56), 1);
  FillDevice(*source, Blocks(0, 2), 2);
  job.runs[0].to = DeviceBlock(56);
  EXPECT_THAT(RunJob(*engine, job).status, IsOk());
  EXPECT_TRUE(Contents(*target, 56, 16) == Contents(*source, 0, 2));
}

TEST(CopyEngineCreateTest, RefusesOptionsThatMakeNoSense) {
  const auto device = Mem(256);
  const auto create = [&](CopyEngineOptions options) {
    return CopyEngine::Create(device.get(), options, Clock::Real()).status();
  };
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(create({.chunk_bytes = 0}), StatusIs(invalid));
  EXPECT_THAT(create({.chunk_bytes = 5000}), StatusIs(invalid, HasSubstr("5000")));
  EXPECT_THAT(create({.buffer_bytes = 4096, .chunk_bytes = 8192}), StatusIs(invalid));
  EXPECT_THAT(create({.queue_depth = 0}), StatusIs(invalid));
  EXPECT_THAT(create({.copy_depth = 0}), StatusIs(invalid));
  EXPECT_THAT(create({.queue_depth = 4096}), StatusIs(invalid, HasSubstr("4096")));
  EXPECT_THAT(create({.buffer_bytes = 4096, .chunk_bytes = 4096, .queue_depth = 1}),
              IsOk());
  MemDeviceOptions read_only;
  read_only.access = Access::kReadOnly;
  read_only.capacity = DeviceBlockCount(8);
  ASSERT_OK_AND_ASSIGN(const auto target, MemDevice::Create(read_only));
  EXPECT_THAT(CopyEngine::Create(target.get(), {}, Clock::Real()),
              StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST(CopyEngineCreateTest, AChunkHoldsTwoBlocksOfTheSource) {
  const auto source = Mem(16, 65536);
  const auto target = Mem(256);
  const auto engine = Engine(*target, CopyMode::kAuto,
                             {.buffer_bytes = 128 << 10, .chunk_bytes = 64 << 10});
  CopyJob job;
  job.runs.push_back({source.get(), Blocks(0, 1), DeviceBlock(0)});
  EXPECT_THAT(engine->Start(job, [](const CopyResult&) {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("too small")));
}

}  // namespace
}  // namespace gleaner::testing
