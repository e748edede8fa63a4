// The copy engine on a drive that loses power: what a job is said to have copied is there for good
// once a flush has covered it.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "device/copy_engine.h"
#include "device/faulty_device.h"
#include "tests/device/copy_testing.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

constexpr uint32_t kBlockBytes = 512;
constexpr uint64_t kSourceBlocks = 64;
constexpr uint64_t kBlocks = 1024;

struct Totals {
  int lost = 0;      // jobs that failed since power was lost
  int durable = 0;   // jobs
  int doubtful = 0;  // jobs that succeeded, and power was lost before the flush had ended
  uint64_t cuts = 0;
  int undone = 0;  // jobs that would have been called copied if losses went unnoticed
};

class Schedule {
 public:
  Schedule(uint64_t seed, CopyMode mode) : random_(seed) {
    auto mem = Mem(kBlocks, kBlockBytes);
    mem_ = mem.get();
    FillDevice(*mem, Blocks(0, kSourceBlocks), seed);
    source_ = Contents(*mem, 0, kSourceBlocks);
    FaultModel model;
    model.seed = seed;
    model.lost = 0.01 + 0.04 * random_.NextDouble();
    model.fail = model.partial = model.hang = seed % 2 == 0 ? 0.01 : 0;
    model.hang_ms = 0;
    device_ = *MakeFaultyDevice(std::move(mem), model);
    engine_ = Engine(*device_, mode,
                     {.buffer_bytes = 16 << 10, .chunk_bytes = 4 << 10, .copy_depth = 3});
  }

  void Run(Totals* totals) {
    for (uint64_t target = kSourceBlocks; target + 60 <= kBlocks; target += 60) {
      CopyAndFlush(target, totals);
      for (const auto& [from, to, count] : durable_) {
        ASSERT_TRUE(IsCopied(from, to, count)) << "block " << to;
      }
    }
    totals->cuts += device_->losses();
  }

 private:
  struct Copy {
    uint64_t from, to, count;
  };

  bool IsCopied(uint64_t from, uint64_t to, uint64_t count) {
    return Contents(*mem_, to, count) ==
           source_.substr(from * kBlockBytes, count * kBlockBytes);
  }

  // One job of several runs.
  void CopyAndFlush(uint64_t target, Totals* totals) {
    std::vector<Copy> copies;
    CopyJob job;
    for (int i = 0; i < 6; ++i) {
      const uint64_t count = 1 + random_.Below(9);
      copies.push_back({random_.Below(kSourceBlocks - count), target, count});
      job.runs.push_back(
          {device_.get(), Blocks(copies.back().from, count), DeviceBlock(target)});
      target += count;
    }
    const uint64_t losses = device_->losses();
    const CopyResult result = RunJob(*engine_, std::move(job));
    if (device_->losses() != losses) {
      ++totals->lost;
      ASSERT_FALSE(result.status.ok());
      for (const CopiedRun& run : result.runs) ASSERT_EQ(Copied(run), 0u);
      for (const Copy& c : copies)
        if (!IsCopied(c.from, c.to, c.count)) return static_cast<void>(++totals->undone);
      return;
    }
    if (!result.status.ok()) return;
    const bool flushed = FlushDevice(*device_).ok();
    if (device_->losses() != losses) return static_cast<void>(++totals->doubtful);
    if (!flushed) return;
    ++totals->durable;
    durable_.insert(durable_.end(), copies.begin(), copies.end());
  }

  Random random_;
  MemDevice* mem_;
  std::string source_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<CopyEngine> engine_;
  std::vector<Copy> durable_;
};

class CopyEngineLossesTest : public ::testing::TestWithParam<CopyMode> {};

TEST_P(CopyEngineLossesTest, WhatWasFlushedStays) {
  Totals totals;
  for (uint64_t seed = 0; seed < 400 && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Schedule(seed, GetParam()).Run(&totals);
  }
  EXPECT_GT(totals.durable, 1000);
  EXPECT_GT(totals.lost, 200);
  EXPECT_GT(totals.undone, 10);
  EXPECT_GT(totals.doubtful, 20);
  EXPECT_GT(totals.cuts, 1000u);
}

INSTANTIATE_TEST_SUITE_P(Modes, CopyEngineLossesTest,
                         ::testing::Values(CopyMode::kAuto, CopyMode::kNative,
                                           CopyMode::kEmulate));

}  // namespace
}  // namespace gleaner::testing
