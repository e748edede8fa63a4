// The throttle by itself, and in the engine on a clock that only the test and the engine move.
#include "device/copy_throttle.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "device/copy_engine.h"
#include "device/foreground_latency.h"
#include "tests/device/copy_testing.h"
#include "tests/device/cost_device.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr absl::Duration kMs = absl::Milliseconds(1);

void Tell(ForegroundLatency* latency, int fast, int slow) {
  for (int i = 0; i < fast; ++i) latency->Record(kMs);
  for (int i = 0; i < slow; ++i) latency->Record(3 * kMs);
}

TEST(ForegroundLatencyTest, ThePercentileIsAboveItsTargetIfTooManyAreSlow) {
  ForegroundLatency latency(2 * kMs, 0.9);
  latency.Record(2 * kMs);  // not longer
  const ForegroundLatency::Counts before = latency.counts();
  EXPECT_EQ(before.slow, 0u);
  Tell(&latency, 9, 1);
  EXPECT_FALSE(latency.IsAbove(before, latency.counts()));
  Tell(&latency, 0, 1);
  EXPECT_TRUE(latency.IsAbove(before, latency.counts()));
  EXPECT_FALSE(latency.IsAbove(latency.counts(), latency.counts()));
}

TEST(CopyThrottleTest, BacksOffByHalvesThenPausesAndComesBack) {
  ForegroundLatency latency(2 * kMs);
  CopyThrottle throttle({.foreground = &latency, .chunk_bytes = kMiB / 2});
  absl::Duration now;
  throttle.Observe(now);
  throttle.Start(now, kMiB);
  throttle.End(kMiB);
  std::vector<uint64_t> units;
  for (int i = 0; i < 5; ++i) {
    Tell(&latency, 98, 2);
    throttle.Observe(now += 10 * kMs);
    units.push_back(throttle.MaxUnitBytes());
  }
  EXPECT_EQ(units,
            (std::vector<uint64_t>{kMiB / 2, kMiB / 4, kMiB / 8, kMiB / 16, kMiB / 16}));
  // By now there are pauses. They grow, but not without end.
  for (int i = 0; i < 40; ++i) {
    Tell(&latency, 98, 2);
    throttle.Observe(now += 10 * kMs);
  }
  throttle.Start(now, kMiB / 16);
  throttle.End(kMiB / 16);
  EXPECT_EQ(throttle.next_start(), now + absl::Milliseconds(128));
  EXPECT_FALSE(throttle.MayStart(now + absl::Milliseconds(127)));
  EXPECT_TRUE(throttle.MayStart(now + absl::Milliseconds(128)));
  // 8 judgements end the pause, 15 more the rest.
  for (int i = 0; i < 22; ++i) {
    Tell(&latency, 99, 1);
    throttle.Observe(now += 10 * kMs);
    EXPECT_TRUE(throttle.backed_off());
  }
  throttle.Observe(now += 10 * kMs);  // silence is as good
  EXPECT_FALSE(throttle.backed_off());
  EXPECT_EQ(throttle.MaxUnitBytes(), CopyThrottle::kNoLimit);
}

TEST(CopyThrottleTest, FewOperationsAreJudgedLater) {
  ForegroundLatency latency(2 * kMs);
  CopyThrottle throttle({.foreground = &latency});
  throttle.Observe(absl::ZeroDuration());
  Tell(&latency, 1, 1);
  throttle.Observe(99 * kMs);
  EXPECT_FALSE(throttle.backed_off());
  throttle.Observe(100 * kMs);
  EXPECT_TRUE(throttle.backed_off());
}

class ThrottledEngineTest : public ::testing::TestWithParam<CopyMode> {
 protected:
  ThrottledEngineTest() : device_(&clock_, DeviceBlockCount(1 << 16)) {
    device_.costs() = {.per_read = absl::Microseconds(50),
                       .per_block_read = absl::Microseconds(1),
                       .per_write = absl::Microseconds(50),
                       .per_block_written = absl::Microseconds(1),
                       .per_command = absl::Microseconds(50),
                       .per_native_range = absl::Microseconds(1),
                       .per_native_block = absl::Microseconds(1)};
  }
  void Create(CopyEngineOptions options) {
    options.mode = GetParam();
    auto engine = CopyEngine::Create(&device_, options, clock_);
    ASSERT_THAT(engine, IsOk());
    engine_ = *std::move(engine);
  }
  CopyEngine::JobId Start(uint64_t from, uint64_t count, CopyResult* result = nullptr) {
    CopyJob job;
    job.runs.push_back({&device_, Blocks(from, count), DeviceBlock((1 << 15) + from)});
    CopyEngine::JobId id = 0;
    EXPECT_THAT(engine_->Start(
                    std::move(job),
                    [result](const CopyResult& r) {
                      if (result != nullptr) *result = r;
                    },
                    &id),
                IsOk());
    return id;
  }
  uint64_t CopiedBytes() const {
    return (engine_->counters().native_blocks + engine_->counters().emulated_blocks)
               .value() *
           4096;
  }

  ManualClock clock_;
  CostDevice device_;
  std::unique_ptr<CopyEngine> engine_;
};

TEST_P(ThrottledEngineTest, KeepsItsRateAtAllTimes) {
  constexpr double kRate = 16 * kMiB;
  Create({.max_bytes_per_second = 16 * kMiB});
  Start(0, 8192);  // 32 MiB
  const absl::Duration start = clock_.Now();
  while (!engine_->idle()) {
    ASSERT_THAT(engine_->Wait(), IsOk());
    const double seconds = absl::ToDoubleSeconds(clock_.Now() - start);
    ASSERT_LE(static_cast<double>(CopiedBytes()), kRate * (seconds + 0.020));
    ASSERT_GE(static_cast<double>(CopiedBytes()), kRate * (seconds - 0.040));
  }
  EXPECT_GE(clock_.Now() - start, absl::Milliseconds(1980));
  EXPECT_LE(clock_.Now() - start, absl::Milliseconds(2020));
  EXPECT_GT(engine_->counters().times_throttled, 100u);
  EXPECT_GT(engine_->counters().throttled, absl::Milliseconds(1500));
  EXPECT_LE(engine_->counters().throttled, absl::Milliseconds(2020));
}

TEST_P(ThrottledEngineTest, WhatWasNotUsedIsNoBurst) {
  Create({.max_bytes_per_second = 16 * kMiB});
  clock_.Advance(absl::Seconds(100));
  const absl::Duration start = clock_.Now();
  Start(0, 1024);  // 4 MiB, a quarter of a second
  while (!engine_->idle()) ASSERT_THAT(engine_->Wait(), IsOk());
  EXPECT_GE(clock_.Now() - start, absl::Milliseconds(230));
}

TEST_P(ThrottledEngineTest, ATrickleGetsThroughAndACancelEndsIt) {
  Create({.max_bytes_per_second = 1024});
  CopyResult result;
  result.status = absl::UnknownError("not completed");
  const CopyEngine::JobId id = Start(0, 100, &result);
  while (CopiedBytes() == 0) ASSERT_THAT(engine_->Wait(), IsOk());
  const absl::Duration before = clock_.Now();
  ASSERT_THAT(engine_->Wait(), IsOk());
  EXPECT_LE(clock_.Now() - before,
            absl::Milliseconds(100));  // the caller stays responsive
  EXPECT_GT(engine_->next_start(), clock_.Now());
  const uint64_t copied = CopiedBytes();
  clock_.SleepUntil(engine_->next_start());
  while (CopiedBytes() == copied) ASSERT_THAT(engine_->Wait(), IsOk());
  while (engine_->next_start() == absl::InfiniteDuration())
    ASSERT_THAT(engine_->Wait(), IsOk());
  const absl::Duration cancelled = clock_.Now();
  engine_->Cancel(id);
  while (!engine_->idle()) ASSERT_THAT(engine_->Wait(), IsOk());
  EXPECT_LE(clock_.Now() - cancelled, absl::Milliseconds(1));
  EXPECT_THAT(result.status, StatusIs(absl::StatusCode::kCancelled));
}

TEST_P(ThrottledEngineTest, SparesTheForegroundWithoutStarving) {
  ForegroundLatency latency(2 * kMs);
  Create({.foreground = &latency});
  const auto bytes_in_a_second = [&](int slow_per_hundred) {
    const uint64_t before = CopiedBytes();
    const absl::Duration end = clock_.Now() + absl::Seconds(1);
    absl::Duration told = clock_.Now();
    while (clock_.Now() < end) {
      if (engine_->idle()) Start(0, 4096);
      EXPECT_THAT(engine_->Wait(), IsOk());
      for (; told < clock_.Now(); told += 10 * kMs)
        Tell(&latency, 100 - slow_per_hundred, slow_per_hundred);
    }
    return CopiedBytes() - before;
  };
  const uint64_t undisturbed = bytes_in_a_second(1);
  bytes_in_a_second(2);  // backs off
  const uint64_t spared = bytes_in_a_second(2);
  bytes_in_a_second(1);  // recovers
  const uint64_t again = bytes_in_a_second(1);
  EXPECT_LT(spared, undisturbed / 50);
  EXPECT_GE(spared, 7 * CopyThrottle::kLeastUnitBytes);
  EXPECT_GE(again, undisturbed * 9 / 10);
}

INSTANTIATE_TEST_SUITE_P(Modes, ThrottledEngineTest,
                         ::testing::Values(CopyMode::kAuto, CopyMode::kNative,
                                           CopyMode::kEmulate));

// Zones are filled in order and no faster than the rate.
TEST(ThrottledZonesTest, KeepTheirRateAndTheirOrder) {
  constexpr uint64_t kZone = 512, kZones = 16, kRate = 4 * kMiB;
  for (const CopyMode mode : {CopyMode::kAuto, CopyMode::kNative, CopyMode::kEmulate}) {
    ManualClock clock;
    const auto device = Mem(kZone * kZones, 4096, kZone, 500);
    FillDevice(*device, Blocks(0, 500), 1);
    CopyEngineOptions options{.mode = mode, .max_bytes_per_second = kRate};
    ASSERT_OK_AND_ASSIGN(const auto engine,
                         CopyEngine::Create(device.get(), options, clock));
    CopyJob job;
    for (uint64_t zone = 1; zone < 9; ++zone)
      job.runs.push_back({device.get(), Blocks(0, 500), DeviceBlock(zone * kZone)});
    CopyResult result;
    ASSERT_THAT(engine->Start(std::move(job), [&](const CopyResult& r) { result = r; }),
                IsOk());
    while (!engine->idle()) {
      ASSERT_THAT(engine->Wait(), IsOk());
      const CopyCounters& c = engine->counters();
      const double bytes =
          4096.0 * static_cast<double>((c.native_blocks + c.emulated_blocks).value());
      ASSERT_LE(bytes, kRate * (absl::ToDoubleSeconds(clock.Now()) + 0.020));
    }
    EXPECT_THAT(result.status, IsOk());
    // 15.6 MiB.
    EXPECT_GE(clock.Now(), absl::Milliseconds(3880));
    EXPECT_LE(clock.Now(), absl::Milliseconds(3960));
    for (uint64_t zone = 1; zone < 9; ++zone)
      EXPECT_TRUE(Contents(*device, zone * kZone, 500) == Contents(*device, 0, 500));
  }
}

// The cheaper path is found however low the rate is.
TEST(ThrottledChoiceTest, TrialsMeasureThePathAndNotTheThrottle) {
  for (const bool native_is_cheap : {true, false}) {
    ManualClock clock;
    CostDevice device(&clock, DeviceBlockCount(1 << 16));
    device.costs().per_block_read = absl::Microseconds(2);
    device.costs().per_block_written = absl::Microseconds(2);
    device.costs().per_native_block = absl::Microseconds(native_is_cheap ? 1 : 9);
    CopyEngineOptions options;
    options.buffer_bytes = 256 << 10;
    options.chunk_bytes = 64 << 10;
    options.max_bytes_per_second = 32 * kMiB;
    ASSERT_OK_AND_ASSIGN(const auto engine, CopyEngine::Create(&device, options, clock));
    for (int i = 0; i < 8; ++i) {
      CopyJob job;
      job.runs.push_back({&device, Blocks(0, 1000), DeviceBlock(1 << 15)});
      ASSERT_THAT(RunJob(*engine, std::move(job)).status, IsOk());
    }
    const CopyCounters& c = engine->counters();
    const DeviceBlockCount cheap = native_is_cheap ? c.native_blocks : c.emulated_blocks;
    EXPECT_EQ(cheap.value(), 6000u) << native_is_cheap;  // all but two trials' commands
  }
}

}  // namespace
}  // namespace gleaner::testing
