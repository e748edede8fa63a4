// Copies compared with checksums.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/crc32c.h"
#include "device/copy_engine.h"
#include "device/faulty_device.h"
#include "tests/device/copy_testing.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kRuns = 40;
constexpr uint64_t kRunBlocks = 5;

class CopyVerifyTest : public ::testing::Test {
 protected:
  void Open(const FaultModel& model, uint64_t zone_blocks = 0) {
    auto mem = Mem(1024, 4096, zone_blocks, zone_blocks);
    mem_ = mem.get();
    FillDevice(*mem_, Blocks(0, 256), 1);
    device_ = *MakeFaultyDevice(std::move(mem), model);
  }

  // Runs in falling order, to blocks from 512 on.
  CopyJob Job() {
    CopyJob job;
    expected_.clear();
    for (uint64_t i = 0; i < kRuns; ++i) {
      const uint64_t from = 240 - 6 * i;
      job.runs.push_back(
          {device_.get(), Blocks(from, kRunBlocks), DeviceBlock(512 + kRunBlocks * i)});
      const std::string data = Contents(*mem_, from, kRunBlocks);
      for (size_t at = 0; at < data.size(); at += 4096)
        job.checksums.push_back(Crc32c({data.data() + at, 4096}));
      expected_ += data;
    }
    return job;
  }
  bool AllThere() { return Contents(*mem_, 512, kRuns * kRunBlocks) == expected_; }

  CopyResult Run(CopyMode mode, double share) {
    engine_ = Engine(
        *device_, mode,
        {.buffer_bytes = 64 << 10, .chunk_bytes = 16 << 10, .verified_share = share});
    return RunJob(*engine_, Job());
  }

  MemDevice* mem_ = nullptr;
  std::unique_ptr<Device> device_;
  std::unique_ptr<CopyEngine> engine_;
  std::string expected_;
};

TEST_F(CopyVerifyTest, ARightCopyIsReadBackOnce) {
  Open({});
  ASSERT_THAT(Run(CopyMode::kNative, 1).status, IsOk());
  EXPECT_TRUE(AllThere());
  const CopyCounters& c = engine_->counters();
  EXPECT_EQ(c.verified_blocks.value(), kRuns * kRunBlocks);
  EXPECT_EQ(c.native_blocks.value(), kRuns * kRunBlocks);
  EXPECT_EQ(c.host_bytes_read, kRuns * kRunBlocks * 4096);
  EXPECT_EQ(c.mismatches, 0u);
}

TEST_F(CopyVerifyTest, AWrongCopyIsDoneAgainByTheHost) {
  Open({.wrong = 1});
  const CopyResult result = Run(CopyMode::kAuto, 1);
  ASSERT_THAT(result.status, IsOk());
  EXPECT_TRUE(AllThere());
  const CopyCounters& c = engine_->counters();
  EXPECT_GT(c.mismatches, 0u);
  EXPECT_GE(c.recovered_blocks.value(), c.mismatches);
  EXPECT_EQ(c.native_blocks.value(), 0u);
  for (const CopiedRun& run : result.runs) EXPECT_EQ(run.emulated.value(), kRunBlocks);
}

TEST_F(CopyVerifyTest, InNativeModeItIsTheCallersError) {
  Open({.wrong = 1});
  EXPECT_THAT(Run(CopyMode::kNative, 1).status,
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("checksum")));
}

TEST_F(CopyVerifyTest, InAZoneItCannotBeWrittenAgain) {
  Open({}, 256);
  ASSERT_THAT(Run(CopyMode::kAuto, 1).status, IsOk());
  EXPECT_TRUE(AllThere());
  CopyJob wrong;
  wrong.runs.push_back({device_.get(), Blocks(0, 2), DeviceBlock(768)});
  wrong.checksums = {1, 2};
  EXPECT_THAT(RunJob(*engine_, std::move(wrong)).status,
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("block 768")));
}

TEST_F(CopyVerifyTest, ASampleFindsSome) {
  Open({.wrong = 0.5});
  ASSERT_THAT(Run(CopyMode::kAuto, 0.3).status, IsOk());
  const CopyCounters& c = engine_->counters();
  EXPECT_GT(c.verified_blocks.value() + c.mismatches, 0u);
  EXPECT_LT(c.verified_blocks.value(), kRuns * kRunBlocks / 2);
}

TEST_F(CopyVerifyTest, WhatTheHostReadsIsComparedBeforeItIsWritten) {
  Open({});
  CopyJob job = Job();
  ASSERT_THAT(mem_->CorruptBlock(DeviceBlock(241)), IsOk());
  engine_ = Engine(*device_, CopyMode::kEmulate, {.verified_share = 1});
  EXPECT_THAT(RunJob(*engine_, std::move(job)).status,
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("block 513")));
  EXPECT_EQ(Contents(*mem_, 512, 2), std::string(2 * 4096, '\0'));
}

TEST_F(CopyVerifyTest, RefusesWhatDoesNotFit) {
  Open({});
  engine_ = Engine(*device_, CopyMode::kAuto);
  CopyJob job = Job();
  job.checksums.pop_back();
  EXPECT_THAT(engine_->Start(std::move(job), [](const CopyResult&) {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("199 checksums for a copy of 200 blocks")));
  for (const double share : {-0.1, 1.1}) {
    EXPECT_THAT(
        CopyEngine::Create(device_.get(), {.verified_share = share}, Clock::Real()),
        StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace gleaner::testing
