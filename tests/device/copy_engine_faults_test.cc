// The copy engine on devices that fail by the seeded model: whatever happens, a run that is said to
// be copied is, and nothing else is touched.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/random.h"
#include "device/copy_engine.h"
#include "device/faulty_device.h"
#include "tests/device/copy_testing.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

constexpr uint64_t kSourceBlocks = 128;
constexpr uint64_t kBlocks = 1024;
constexpr uint64_t kZone = 64;
constexpr uint32_t kBlockBytes = 512;

struct Totals {
  int jobs = 0;
  int failed = 0;
  CopyCounters counters;
  absl::Duration delayed;  // by slow and hanging operations
};

FaultModel RandomModel(Random& random, uint64_t seed) {
  FaultModel model;
  model.seed = seed;
  const double scale = 0.2 * random.NextDouble();
  model.fail = scale;
  model.partial = scale;
  model.hang = scale / 4;
  model.slow = scale / 4;
  model.hang_ms = model.slow_ms = 0;
  if (random.Below(4) == 0) model.real_copy_blocks = 1 + random.Below(30);
  if (random.Below(4) == 0)
    model.real_copy_ranges = 1 + static_cast<uint32_t>(random.Below(5));
  if (random.Below(4) == 0) model.real_range_blocks = 1 + random.Below(8);
  return model;
}

// How the engine copies, and what it meets.
struct Conditions {
  CopyMode mode = CopyMode::kAuto;
  FaultModel model;
  bool verifies = false;
};

Conditions RandomConditions(Random& random, uint64_t seed) {
  constexpr CopyMode kModes[] = {CopyMode::kAuto, CopyMode::kAuto, CopyMode::kNative,
                                 CopyMode::kEmulate};
  Conditions conditions{kModes[seed % 4], RandomModel(random, seed), seed % 3 == 0};
  if (conditions.verifies) conditions.model.wrong = conditions.model.fail;
  return conditions;
}

// One device, some jobs, several under way at once.
class Schedule {
 public:
  Schedule(uint64_t seed, bool zoned, const Conditions* fixed = nullptr)
      : random_(seed), zoned_(zoned) {
    const Conditions conditions =
        fixed != nullptr ? *fixed : RandomConditions(random_, seed);
    auto mem = zoned ? Mem(kBlocks, kBlockBytes, kZone, 50) : Mem(kBlocks, kBlockBytes);
    mem_ = mem.get();
    for (uint64_t at = 0; at < kSourceBlocks; at += kZone)
      FillDevice(*mem, Blocks(at, zoned ? 50 : kZone), seed);
    before_ = Contents(*mem, 0, kBlocks);
    device_ = *MakeFaultyDevice(std::move(mem), conditions.model, clock_);
    CopyEngineOptions options;
    options.buffer_bytes = 16 << 10;
    options.chunk_bytes = 4 << 10;
    options.copy_depth = 3;
    verifies_ = conditions.verifies;
    options.verified_share = verifies_ ? 1 : 0;
    engine_ = Engine(*device_, conditions.mode, options);
    next_target_ = kSourceBlocks;
  }

  void Run(Totals* totals) {
    for (int i = 0; i < 12; ++i) {
      StartOne();
      if (random_.Below(2) == 0) engine_->Poll();
      if (!started_.empty() && random_.Below(8) == 0)
        engine_->Cancel(started_[random_.Below(started_.size())]->id);
    }
    while (!engine_->idle()) ASSERT_THAT(engine_->Wait(), IsOk());
    Check(totals);
    const CopyCounters& c = engine_->counters();
    totals->counters.failed_commands += c.failed_commands;
    totals->counters.retries += c.retries;
    totals->counters.recovered_blocks += c.recovered_blocks;
    totals->counters.native_blocks += c.native_blocks;
    totals->counters.mismatches += c.mismatches;
    totals->delayed += clock_.Now();
  }

 private:
  struct Started {
    std::vector<CopyRun> runs;
    CopyResult result;
    CopyEngine::JobId id = 0;
    bool done = false;
  };

  void StartOne() {
    CopyJob job;
    if (zoned_ && random_.Below(3) == 0)
      next_target_ = (next_target_ / kZone + 1) * kZone;
    for (uint64_t i = 0, n = 1 + random_.Below(8); i < n; ++i) {
      uint64_t count = 1 + random_.Below(9);
      if (zoned_ && next_target_ % kZone + count > 50)
        next_target_ = (next_target_ / kZone + 1) * kZone;
      if (next_target_ + count > kBlocks) break;
      const uint64_t limit = zoned_ ? 50 : kZone;
      const uint64_t from = random_.Below(2) * kZone + random_.Below(limit - count);
      job.runs.push_back({device_.get(), Blocks(from, count), DeviceBlock(next_target_)});
      next_target_ += count;
    }
    if (job.runs.empty()) return;
    for (size_t i = 0; verifies_ && i < job.runs.size(); ++i) {
      const DeviceRange& from = job.runs[i].from;
      const std::string data = Before(from.start.value(), from.count.value());
      for (size_t at = 0; at < data.size(); at += kBlockBytes)
        job.checksums.push_back(Crc32c({data.data() + at, kBlockBytes}));
    }
    auto started = std::make_shared<Started>();
    started->runs = job.runs;
    const absl::Status status = engine_->Start(
        std::move(job),
        [started](const CopyResult& result) {
          EXPECT_FALSE(std::exchange(started->done, true));
          started->result = result;
        },
        &started->id);
    if (status.ok()) {
      started_.push_back(started);
    } else {
      // All that can be wrong before anything is submitted is that the device cannot copy.
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnimplemented));
    }
  }

  std::string Before(uint64_t start, uint64_t count) const {
    return before_.substr(start * kBlockBytes, count * kBlockBytes);
  }

  void Check(Totals* totals) {
    std::string expected = before_;
    const std::string after = Contents(*mem_, 0, kBlocks);
    for (const auto& started : started_) {
      ++totals->jobs;
      ASSERT_TRUE(started->done);
      const CopyResult& result = started->result;
      totals->failed += !result.status.ok();
      for (size_t i = 0; i < started->runs.size(); ++i) {
        const CopyRun& run = started->runs[i];
        const uint64_t to = run.to.value(), count = run.from.count.value();
        const bool complete = Copied(result.runs[i]) == count;
        ASSERT_LE(Copied(result.runs[i]), count);
        ASSERT_TRUE(complete || !result.status.ok());
        // Of a run that did not get through, anything may have.
        expected.replace(to * kBlockBytes, count * kBlockBytes,
                         complete ? Before(run.from.start.value(), count)
                                  : after.substr(to * kBlockBytes, count * kBlockBytes));
      }
    }
    EXPECT_TRUE(after == expected);
  }

  Random random_;
  ManualClock clock_;
  const bool zoned_;
  bool verifies_ = false;
  MemDevice* mem_;
  std::string before_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<CopyEngine> engine_;
  uint64_t next_target_ = 0;
  std::vector<std::shared_ptr<Started>> started_;
};

Totals RunSchedules(bool zoned, int schedules) {
  Totals totals;
  for (int i = 0; i < schedules && !::testing::Test::HasFailure(); ++i) {
    const uint64_t seed = static_cast<uint64_t>(i) + (zoned ? 100000 : 0);
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Schedule(seed, zoned).Run(&totals);
  }
  return totals;
}

TEST(CopyEngineFaultsTest, WhatIsSaidToBeCopiedIs) {
  const Totals totals = RunSchedules(false, 3000);
  EXPECT_GT(totals.jobs, 30000);
  EXPECT_GT(totals.counters.failed_commands, 10000u);
  EXPECT_GT(totals.counters.retries, 5000u);
  EXPECT_GT(totals.counters.recovered_blocks.value(), 4000u);
  EXPECT_GT(totals.counters.native_blocks.value(), 100000u);
  EXPECT_GT(totals.counters.mismatches, 500u);
  EXPECT_GT(totals.failed, 1000);
}

TEST(CopyEngineFaultsTest, InZones) {
  const Totals totals = RunSchedules(true, 1500);
  EXPECT_GT(totals.jobs, 10000);
  EXPECT_GT(totals.counters.failed_commands, 3000u);
}

struct EachFault {
  const char* name;
  FaultModel model;
  // What shows that it was met by native and by emulated copies.
  bool native;
  bool emulated;
};

constexpr EachFault kFaults[] = {
    {"fail", {.fail = 0.1}, true, true},
    {"partial", {.partial = 0.1}, true, true},
    {"wrong", {.wrong = 0.1}, true, false},
    {"hang", {.hang = 0.1}, true, true},
    {"slow", {.slow = 0.1}, true, true},
    {"fewer blocks", {.real_copy_blocks = 6}, true, false},
    {"fewer ranges", {.real_copy_ranges = 1}, true, false},
    {"shorter ranges", {.real_range_blocks = 2}, true, false},
};

// Each fault alone, by each path, on either kind of device.
TEST(CopyEngineFaultsTest, EachFaultByEachPath) {
  for (const EachFault& fault : kFaults) {
    for (const CopyMode mode : {CopyMode::kAuto, CopyMode::kNative, CopyMode::kEmulate}) {
      for (const bool zoned : {false, true}) {
        SCOPED_TRACE(absl::StrCat(fault.name, ", mode ", static_cast<int>(mode),
                                  zoned ? ", zoned" : ""));
        Totals totals;
        for (uint64_t seed = 0; seed < 60 && !::testing::Test::HasFailure(); ++seed) {
          SCOPED_TRACE(absl::StrCat("seed ", seed));
          Conditions conditions{mode, fault.model, fault.model.wrong > 0};
          conditions.model.seed = seed;
          Schedule(seed, zoned, &conditions).Run(&totals);
        }
        const CopyCounters& c = totals.counters;
        const bool met = c.failed_commands + c.retries + c.mismatches > 0 ||
                         totals.delayed > absl::ZeroDuration();
        EXPECT_EQ(met, mode == CopyMode::kEmulate ? fault.emulated : fault.native);
        EXPECT_GT(totals.jobs, 300);
      }
    }
  }
}

}  // namespace
}  // namespace gleaner::testing
