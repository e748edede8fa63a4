// What `auto` chooses follows from the device's costs, whichever way they go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "base/clock.h"
#include "device/copy_engine.h"
#include "tests/device/cost_device.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

constexpr uint64_t kHalf = 1 << 15;  // sources lie below this block, targets above

// Emulation costs 1 + 1 us a block and 10 us an operation in all of these.
Costs EmulatedCosts() {
  Costs costs;
  costs.per_read = absl::Microseconds(10);
  costs.per_block_read = absl::Microseconds(1);
  costs.per_write = absl::Microseconds(10);
  costs.per_block_written = absl::Microseconds(1);
  return costs;
}

// Fourteen trials, of 1024 blocks each.
constexpr uint64_t kLearningBlocks = 14 * 1024;

class CopyEngineChoiceTest : public ::testing::Test {
 protected:
  CopyEngineChoiceTest() : device_(&clock_, DeviceBlockCount(2 * kHalf)) {
    device_.costs() = EmulatedCosts();
  }

  void Create(CopyMode mode) {
    CopyEngineOptions options;
    options.mode = mode;
    options.buffer_bytes = 1 << 20;  // trials of 4 MiB: 1024 blocks
    options.chunk_bytes = 256 << 10;
    ASSERT_OK_AND_ASSIGN(engine_, CopyEngine::Create(&device_, options, clock_));
  }

  // Copies `blocks` in runs of `run_blocks` that are not adjacent; returns how long it
  // took.
  absl::Duration Copy(uint64_t blocks, uint64_t run_blocks) {
    const absl::Duration start = clock_.Now();
    for (uint64_t done = 0; done < blocks;) {
      CopyJob job;
      uint64_t to = kHalf;
      for (uint64_t from = 0; from + run_blocks < kHalf && done < blocks;
           from += run_blocks + 1) {
        job.runs.push_back({&device_,
                            {DeviceBlock(from), DeviceBlockCount(run_blocks)},
                            DeviceBlock(to)});
        to += run_blocks;
        done += run_blocks;
      }
      EXPECT_THAT(
          engine_->Start(std::move(job),
                         [](const CopyResult& r) { EXPECT_THAT(r.status, IsOk()); }),
          IsOk());
      while (!engine_->idle()) EXPECT_THAT(engine_->Wait(), IsOk());
    }
    return clock_.Now() - start;
  }

  // The share of what `copy` copies that goes natively.
  double NativeShare(uint64_t blocks, uint64_t run_blocks) {
    const CopyCounters before = engine_->counters();
    Copy(blocks, run_blocks);
    const double native = static_cast<double>(
        (engine_->counters().native_blocks - before.native_blocks).value());
    const double emulated = static_cast<double>(
        (engine_->counters().emulated_blocks - before.emulated_blocks).value());
    return native / (native + emulated);
  }

  ManualClock clock_;
  CostDevice device_;
  std::unique_ptr<CopyEngine> engine_;
};

TEST_F(CopyEngineChoiceTest, CheapNativeIsChosen) {
  device_.costs().per_native_block = absl::Microseconds(1);
  Create(CopyMode::kAuto);
  Copy(kLearningBlocks, 16);
  EXPECT_GT(NativeShare(100000, 16), 0.97);
}

TEST_F(CopyEngineChoiceTest, InvertedCostsFlipTheChoice) {
  device_.costs().per_native_block = absl::Microseconds(9);
  Create(CopyMode::kAuto);
  Copy(kLearningBlocks, 16);
  EXPECT_LT(NativeShare(100000, 16), 0.03);
}

TEST_F(CopyEngineChoiceTest, TheChoiceFollowsADeviceThatChanges) {
  device_.costs().per_native_block = absl::Microseconds(1);
  Create(CopyMode::kAuto);
  Copy(kLearningBlocks, 16);
  EXPECT_GT(NativeShare(100000, 16), 0.97);
  device_.costs().per_native_block = absl::Microseconds(9);
  Copy(500000, 16);
  EXPECT_LT(NativeShare(100000, 16), 0.05);
  device_.costs().per_native_block = absl::Nanoseconds(100);
  Copy(1000000, 16);
  EXPECT_GT(NativeShare(100000, 16), 0.95);
}

// As on a controller that walks a command's ranges one by one.
TEST_F(CopyEngineChoiceTest, EachRunLengthHasItsOwnChoice) {
  device_.costs().per_native_range = absl::Microseconds(60);
  Create(CopyMode::kAuto);
  Copy(kLearningBlocks, 1);
  Copy(kLearningBlocks, 100);
  EXPECT_LT(NativeShare(50000, 1), 0.05);
  EXPECT_GT(NativeShare(50000, 100), 0.95);
  EXPECT_LT(NativeShare(50000, 1), 0.05);
}

TEST_F(CopyEngineChoiceTest, AutoCostsLittleMoreThanTheFasterPath) {
  for (const absl::Duration per_native_block :
       {absl::Microseconds(1), absl::Microseconds(2), absl::Microseconds(3),
        absl::Microseconds(9)}) {
    SCOPED_TRACE(per_native_block);
    device_.costs().per_native_block = per_native_block;
    Create(CopyMode::kNative);
    const absl::Duration native = Copy(1000000, 16);
    Create(CopyMode::kEmulate);
    const absl::Duration emulated = Copy(1000000, 16);
    Create(CopyMode::kAuto);
    Copy(kLearningBlocks, 16);
    const absl::Duration automatic = Copy(1000000, 16);
    EXPECT_LT(absl::FDivDuration(automatic, std::min(native, emulated)), 1.05);
  }
}

TEST_F(CopyEngineChoiceTest, TheOtherModesDoNotMeasure) {
  device_.costs().per_native_block = absl::Microseconds(9);
  Create(CopyMode::kNative);
  EXPECT_EQ(NativeShare(10000, 16), 1.0);
  EXPECT_EQ(engine_->counters().host_bytes_read, 0u);
  EXPECT_EQ(engine_->counters().peak_buffer_bytes, 0u);
  device_.costs().per_native_block = absl::ZeroDuration();
  Create(CopyMode::kEmulate);
  EXPECT_EQ(NativeShare(10000, 16), 0.0);
  EXPECT_EQ(engine_->counters().commands, 0u);
}

TEST_F(CopyEngineChoiceTest, WithoutCopyAutoEmulates) {
  device_.LowerCopyLimits({.copy_offload = false});
  Create(CopyMode::kAuto);
  EXPECT_EQ(NativeShare(10000, 16), 0.0);
}

}  // namespace
}  // namespace gleaner::testing
