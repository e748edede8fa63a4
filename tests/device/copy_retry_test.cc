// Reads and writes of an emulated copy that fail: by each row of the table of recoveries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "device/copy_engine.h"
#include "device/copy_recovery.h"
#include "tests/device/copy_testing.h"
#include "tests/device/scripted_device.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

using ::testing::HasSubstr;

OpResult Failure(absl::StatusCode code, NvmeStatus nvme = {}, uint32_t blocks_done = 0) {
  OpResult result;
  result.status = absl::Status(code, "told to");
  result.nvme = nvme;
  result.ranges_copied = blocks_done;
  return result;
}

// As backends translate: what the row is matched by, or some code beside the NVMe status.
OpResult FailureOf(const RecoveryRule& rule) {
  const bool nvme = rule.type != 0 || rule.code != 0;
  return Failure(nvme ? absl::StatusCode::kInternal : rule.status,
                 {rule.type, rule.code, false});
}

CopyJob JobOf(Device* device, DeviceRange from, uint64_t to) {
  CopyJob job;
  job.runs.push_back({device, from, DeviceBlock(to)});
  return job;
}

class HostRetryTest : public ::testing::TestWithParam<std::tuple<size_t, OpType>> {
 protected:
  HostRetryTest()
      : rule_(RecoveryRules()[std::get<0>(GetParam())]),
        type_(std::get<1>(GetParam())),
        failure_(FailureOf(rule_)),
        device_(Mem(256)) {
    // That row stands for what none lists.
    if (std::get<0>(GetParam()) + 2 == RecoveryRules().size())
      failure_ = Failure(absl::StatusCode::kInternal, {6, 0x42, false});
    FillDevice(device_, Blocks(0, 64), 1);
  }

  // 20 blocks, of which the operation on the third chunk fails so often, the others once.
  CopyResult Run(int failures) {
    std::map<uint64_t, int> failed;
    device_.set_io_outcome(
        [this, failures, failed](OpType type, DeviceRange range) mutable {
          const uint64_t chunk = range.start.value() % 100 / 4;
          if (type != type_ || failed[chunk] >= (chunk == 2 ? failures : 1))
            return OpResult();
          ++failed[chunk];
          ++failures_;
          return failure_;
        });
    engine_ = Engine(device_, CopyMode::kEmulate,
                     {.buffer_bytes = 32 << 10, .chunk_bytes = 16 << 10});
    return RunJob(*engine_, JobOf(&device_, Blocks(0, 20), 100));
  }
  bool Retries() const {
    return rule_.action == RecoveryAction::kRetry ||
           rule_.action == RecoveryAction::kRereadZone;
  }

  const RecoveryRule& rule_;
  const OpType type_;
  OpResult failure_;
  ScriptedDevice device_;
  std::unique_ptr<CopyEngine> engine_;
  int failures_ = 0;
};

TEST_P(HostRetryTest, WhatPassesIsTriedAgain) {
  const CopyResult result = Run(rule_.attempts);
  EXPECT_EQ(HostRecoveryFor(failure_, 1),
            Retries() ? rule_.action : RecoveryAction::kGiveUp);
  if (!Retries()) {
    EXPECT_EQ(result.status.code(), failure_.status.code());
    EXPECT_THAT(result.status, StatusIs(failure_.status.code(), HasSubstr("told to")));
    EXPECT_EQ(engine_->counters().retries, 0u);
    return;
  }
  EXPECT_THAT(result.status, IsOk());
  EXPECT_EQ(Copied(result.runs[0]), 20u);
  EXPECT_EQ(Contents(device_, 100, 20), Contents(device_, 0, 20));
  EXPECT_EQ(engine_->counters().retries, 4u + rule_.attempts);
  EXPECT_EQ(engine_->counters().host_bytes_read, 20u * 4096);
  EXPECT_EQ(engine_->counters().host_bytes_written, 20u * 4096);
  EXPECT_EQ(engine_->counters().failed_commands, 0u);
}

TEST_P(HostRetryTest, WhatDoesNotPassEnds) {
  const CopyResult result = Run(1 << 20);
  EXPECT_EQ(HostRecoveryFor(failure_, rule_.attempts + 1), RecoveryAction::kGiveUp);
  EXPECT_THAT(
      result.status,
      StatusIs(failure_.status.code(),
               HasSubstr(type_ == OpType::kRead ? "reading blocks" : "writing blocks")));
  EXPECT_LT(Copied(result.runs[0]), 20u);
  EXPECT_LE(failures_, 4 + 1 + (Retries() ? rule_.attempts : 0));
}

TEST_P(HostRetryTest, NotWhereTheDeviceForbids) {
  failure_.nvme.do_not_retry = true;
  const CopyResult result = Run(1);
  if (rule_.action == RecoveryAction::kRereadZone) {
    EXPECT_THAT(result.status, IsOk());
  } else {
    EXPECT_EQ(result.status.code(), failure_.status.code());
    EXPECT_EQ(engine_->counters().retries, 0u);
  }
}

std::string RowName(const ::testing::TestParamInfo<std::tuple<size_t, OpType>>& info) {
  std::string name(OpName(std::get<1>(info.param)));
  name += '_';
  for (const char c : RecoveryRules()[std::get<0>(info.param)].name)
    name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(
    Rows, HostRetryTest,
    ::testing::Combine(::testing::Range<size_t>(0, RecoveryRules().size()),
                       ::testing::Values(OpType::kRead, OpType::kWrite)),
    RowName);

TEST(CopyRetryTest, AnUnreadableBlockIsNamedAndNotReadAgain) {
  ScriptedDevice device(Mem(256));
  int reads = 0;
  device.set_io_outcome([&](OpType type, DeviceRange range) {
    if (type != OpType::kRead || !range.contains(DeviceBlock(9))) return OpResult();
    ++reads;
    return Failure(absl::StatusCode::kDataLoss, {2, 0x81, false});
  });
  const auto engine = Engine(device, CopyMode::kEmulate);
  CopyJob job = JobOf(&device, Blocks(0, 4), 100);
  job.runs.push_back({&device, Blocks(9, 1), DeviceBlock(104)});
  const CopyResult result = RunJob(*engine, std::move(job));
  EXPECT_THAT(result.status, StatusIs(absl::StatusCode::kDataLoss,
                                      HasSubstr("reading blocks 9+1 of scripted")));
  EXPECT_EQ(reads, 1);
  EXPECT_EQ(device.counters().writes, 0u);
}

// What a failed command has left is emulated, and that hiccups, too.
TEST(CopyRetryTest, AlsoInWhatRecoversFromAFailedCommand) {
  ScriptedDevice device(Mem(256));
  FillDevice(device, Blocks(0, 20), 1);
  device.set_copy_outcome([](auto) {
    return Failure(absl::StatusCode::kDataLoss, {2, 0x81, false});
  });
  int failures = 0;
  device.set_io_outcome([&](OpType type, DeviceRange) {
    if (type != OpType::kWrite || ++failures % 2 == 0) return OpResult();
    return Failure(absl::StatusCode::kUnavailable, {0, 0x82, false});
  });
  const auto engine = Engine(device, CopyMode::kAuto, {.chunk_bytes = 16 << 10});
  EXPECT_THAT(RunJob(*engine, JobOf(&device, Blocks(0, 20), 100)).status, IsOk());
  EXPECT_EQ(Contents(device, 100, 20), Contents(device, 0, 20));
  EXPECT_EQ(engine->counters().recovered_blocks.value(), 20u);
  EXPECT_EQ(engine->counters().retries, static_cast<uint64_t>(failures) / 2);
}

// In a zone the write pointer must say that nothing was written.
class CopyRetryInZonesTest : public ::testing::TestWithParam<uint32_t> {};

TEST_P(CopyRetryInZonesTest, TheWritePointerDecides) {
  const uint32_t written = GetParam();
  ScriptedDevice device(Mem(256, 4096, 64, 64));
  FillDevice(device, Blocks(0, 8), 1);
  int failures = 0;
  device.set_io_outcome([&](OpType type, DeviceRange) {
    if (type != OpType::kWrite || failures > 0) return OpResult();
    ++failures;
    return Failure(absl::StatusCode::kUnavailable, {0, 0x82, false}, written);
  });
  const auto engine = Engine(device, CopyMode::kEmulate);
  const CopyResult result = RunJob(*engine, JobOf(&device, Blocks(0, 8), 64));
  if (written == 0) {
    EXPECT_THAT(result.status, IsOk());
    EXPECT_EQ(Contents(device, 64, 8), Contents(device, 0, 8));
    EXPECT_EQ(engine->counters().retries, 1u);
  } else {
    EXPECT_THAT(result.status, StatusIs(absl::StatusCode::kUnavailable,
                                        HasSubstr("write pointer stands at block")));
    EXPECT_EQ(engine->counters().retries, 0u);
    EXPECT_EQ(Copied(result.runs[0]), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Written, CopyRetryInZonesTest, ::testing::Values(0u, 3u, 8u));

TEST(CopyRetryTest, ACancelledJobIsNotTriedAgain) {
  ScriptedDevice device(Mem(256));
  CopyEngine::JobId id = 0;
  int reads = 0;
  device.set_io_outcome([&](OpType, DeviceRange) {
    ++reads;
    return Failure(absl::StatusCode::kUnavailable);
  });
  const auto engine = Engine(device, CopyMode::kEmulate,
                             {.buffer_bytes = 16 << 10, .chunk_bytes = 16 << 10});
  CopyResult result;
  ASSERT_THAT(engine->Start(
                  JobOf(&device, Blocks(0, 20), 100),
                  [&result](const CopyResult& r) { result = r; }, &id),
              IsOk());
  engine->Cancel(id);  // with its read in flight
  while (!engine->idle()) ASSERT_THAT(engine->Wait(), IsOk());
  EXPECT_EQ(reads, 1);
  EXPECT_THAT(result.status, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(engine->counters().retries, 0u);
}

}  // namespace
}  // namespace gleaner::testing
