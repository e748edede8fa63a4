#include "store/volatile_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/random.h"
#include "base/types.h"
#include "device/aligned_buffer.h"
#include "device/device.h"
#include "device/mem_device.h"
#include "gc/placement.h"
#include "gc/victim_policy.h"
#include "tests/store/rough_device.h"
#include "tests/store/store_bench.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::IsOk;
using ::gleaner::testing::RoughDevice;
using ::gleaner::testing::StatusIs;
using ::gleaner::testing::StoreBench;
using ::testing::HasSubstr;

MemDeviceOptions DeviceOptions() {
  MemDeviceOptions options;
  options.block_bytes = 512;
  options.capacity = DeviceBlockCount(1024);
  return options;
}

// 6 segments' worth of volume, and the least of spare beside it.
VolatileStoreOptions StoreOptions(Device* device) {
  VolatileStoreOptions options;
  options.volume_blocks = 96;
  options.block_bytes = 512;
  options.segment_blocks = 16;
  options.segment_capacity_blocks = 16;
  options.segments = 9;
  options.policy = MakeGreedyPolicy();
  options.placement = MakeGcLogPlacement();
  options.cleaner = {};
  options.device = device;
  return options;
}

// -- Creation ---------------------------------------------------------------------------------

TEST(VolatileStoreCreateTest, NeedsItsDataOneSegmentPerClassAndTheReserve) {
  VolatileStoreOptions options = StoreOptions(nullptr);
  EXPECT_EQ(VolatileStore::LeastSegments(options), 9u);
  options.volume_blocks = 97;
  EXPECT_EQ(VolatileStore::LeastSegments(options), 10u);
  options.cleaner.commit_segments = 2;
  EXPECT_EQ(VolatileStore::LeastSegments(options), 12u);
  EXPECT_THAT(VolatileStore::Create(std::move(options)),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("the least space is 12 segments")));
}

TEST(VolatileStoreCreateTest, OptionsThatMakeNoSense) {
  VolatileStoreOptions options = StoreOptions(nullptr);
  options.volume_blocks = 0;
  EXPECT_THAT(VolatileStore::Create(std::move(options)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  options = StoreOptions(nullptr);
  options.segment_capacity_blocks = 17;
  EXPECT_THAT(VolatileStore::Create(std::move(options)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  options = StoreOptions(nullptr);
  options.segment_capacity_blocks = 0;
  EXPECT_THAT(VolatileStore::Create(std::move(options)),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(VolatileStoreCreateTest, TheDeviceMustFit) {
  ASSERT_OK_AND_ASSIGN(const auto device, MemDevice::Create(DeviceOptions()));
  VolatileStoreOptions options = StoreOptions(device.get());
  options.block_bytes = 256;
  EXPECT_THAT(VolatileStore::Create(std::move(options)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  options = StoreOptions(device.get());
  options.segments = 65;
  EXPECT_THAT(VolatileStore::Create(std::move(options)),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("room for 64 segments")));
  options = StoreOptions(device.get());
  options.segments = 64;
  EXPECT_THAT(VolatileStore::Create(std::move(options)), IsOk());
}

// -- Use --------------------------------------------------------------------------------------

TEST(VolatileStoreTest, ReadsWhatWasWrittenAndZeroesElsewhere) {
  ASSERT_OK_AND_ASSIGN(const auto device, MemDevice::Create(DeviceOptions()));
  StoreBench bench(StoreOptions(device.get()));
  ASSERT_THAT(bench.Write(10, 20), IsOk());
  bench.Read(0, 96);  // staged, not yet on the device
  bench.Trim(15, 3);
  ASSERT_THAT(bench.Write(16, 1), IsOk());
  bench.Read(5, 30);
  EXPECT_EQ(bench.DrainAndCheck(), "");
  EXPECT_EQ(bench.store().stats().mapped_blocks, 18u);
  EXPECT_EQ(bench.store().stats().user_blocks, 21u);
  EXPECT_FALSE(bench.store().Locate(Lba(15)).valid());
}

TEST(VolatileStoreTest, RefusesWhatLiesBeyondTheVolume) {
  ASSERT_OK_AND_ASSIGN(const auto device, MemDevice::Create(DeviceOptions()));
  ASSERT_OK_AND_ASSIGN(const auto store,
                       VolatileStore::Create(StoreOptions(device.get())));
  AlignedBuffer data(4 * 512);
  const LbaRange kRanges[] = {{Lba(96), BlockCount(1)},
                              {Lba(95), BlockCount(2)},
                              {Lba(UINT64_MAX - 1), BlockCount(2)}};
  for (const LbaRange& range : kRanges) {
    EXPECT_THAT(store->Write(range, data.data()),
                StatusIs(absl::StatusCode::kOutOfRange));
    EXPECT_THAT(store->Trim(range), StatusIs(absl::StatusCode::kOutOfRange));
    int reads = 0;
    store->Read(range, data.data(), [&](const absl::Status& status) {
      ++reads;
      EXPECT_THAT(status, StatusIs(absl::StatusCode::kOutOfRange));
    });
    EXPECT_EQ(reads, 1);
  }
  EXPECT_EQ(store->stats().user_blocks, 0u);
}

TEST(VolatileStoreTest, CleansInTheForegroundForEver) {
  ASSERT_OK_AND_ASSIGN(const auto device, MemDevice::Create(DeviceOptions()));
  StoreBench bench(StoreOptions(device.get()));
  for (uint64_t i = 0; i < 3000; ++i) ASSERT_THAT(bench.Write(Mix64(i) % 96, 1), IsOk());
  EXPECT_EQ(bench.DrainAndCheck(), "");
  EXPECT_GT(bench.store().stats().cleaner.segments_cleaned, 100u);
}

// It grows by need up to its device's end, and nothing is stale.
TEST(VolatileStoreTest, AFullStoreSaysSoAndStillReads) {
  ASSERT_OK_AND_ASSIGN(const auto device, MemDevice::Create(DeviceOptions()));
  VolatileStoreOptions options = StoreOptions(device.get());
  options.garbage_trigger = 0.5;
  options.max_segments = 6;
  StoreBench bench(std::move(options));
  uint64_t lba = 0;
  absl::Status status;
  while ((status = bench.Write(lba, 1)).ok()) ASSERT_LT(++lba, 96u);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted,
                               HasSubstr("all 6 segments are in use")));
  EXPECT_EQ(lba, 80u);  // one segment is the cleaner's
  EXPECT_EQ(bench.DrainAndCheck(), "");
  EXPECT_THAT(bench.Retry(), StatusIs(absl::StatusCode::kResourceExhausted));
  bench.Trim(0, 16);  // all of a segment
  EXPECT_THAT(bench.Retry(), IsOk());
  EXPECT_EQ(bench.DrainAndCheck(), "");
}

// -- Errors -----------------------------------------------------------------------------------

// One operation of a type fails; every status that the store returns until it is drained.
class OneFailureTest : public ::testing::TestWithParam<OpType> {
 protected:
  OneFailureTest() {
    device_.set_outcome([this](OpType type, DeviceRange) {
      if (!armed_ || type != GetParam()) return absl::OkStatus();
      armed_ = false;
      return absl::DataLossError("a bad spot");
    });
  }
  void Take(const absl::Status& status) {
    if (!status.ok()) errors_.push_back(status);
  }

  RoughDevice device_{1, DeviceOptions()};
  bool armed_ = false;
  std::vector<absl::Status> errors_;
};

TEST_P(OneFailureTest, IsToldOnceAndLosesNothing) {
  VolatileStoreOptions options = StoreOptions(&device_);
  options.copy.mode = CopyMode::kNative;
  StoreBench bench(std::move(options));
  for (uint64_t i = 0; i < 200; ++i) ASSERT_THAT(bench.Write(Mix64(i) % 96, 1), IsOk());
  armed_ = true;
  for (uint64_t i = 0; i < 300; ++i) {
    absl::Status status = bench.Write(Mix64(i) % 96, 1);
    for (; !status.ok() && errors_.size() < 10; status = bench.Retry()) Take(status);
    if (i % 100 == 50) {
      bench.store().Flush([this](const absl::Status& flushed) { Take(flushed); });
      Take(bench.store().Drain());
    }
  }
  EXPECT_FALSE(armed_);
  ASSERT_EQ(errors_.size(), 1u);
  EXPECT_THAT(errors_[0], StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(bench.DrainAndCheck(), "");
}

INSTANTIATE_TEST_SUITE_P(Operations, OneFailureTest,
                         ::testing::Values(OpType::kWrite, OpType::kCopy,
                                           OpType::kFlush));

TEST(VolatileStoreTest, AReadThatFailsIsTheReadersOnly) {
  RoughDevice device(1, DeviceOptions());
  bool fails = true;
  device.set_outcome([&](OpType type, DeviceRange) {
    return fails && type == OpType::kRead ? absl::DataLossError("a bad spot")
                                          : absl::OkStatus();
  });
  StoreBench bench(StoreOptions(&device));
  ASSERT_THAT(bench.Write(0, 96), IsOk());
  ASSERT_THAT(bench.store().Drain(), IsOk());
  bench.Read(0, 50);
  EXPECT_THAT(bench.store().Drain(), IsOk());
  EXPECT_EQ(bench.failed_reads(), 1);
  fails = false;
  EXPECT_EQ(bench.DrainAndCheck(), "");
}

TEST(VolatileStoreTest, DrainTellsOfTheRoundThatItFinishes) {
  RoughDevice device(1, DeviceOptions());
  VolatileStoreOptions options = StoreOptions(&device);
  options.copy.mode = CopyMode::kNative;
  StoreBench bench(std::move(options));
  for (uint64_t i = 0; i < 200; ++i) ASSERT_THAT(bench.Write(Mix64(i) % 96, 1), IsOk());
  bench.store().Clean({.garbage_share = 0}, 4);
  ASSERT_TRUE(bench.store().cleaner().busy());
  bool fails = true;
  device.set_outcome([&](OpType type, DeviceRange) {
    return type == OpType::kCopy && std::exchange(fails, false)
               ? absl::DataLossError("a bad spot")
               : absl::OkStatus();
  });
  EXPECT_THAT(bench.store().Drain(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(bench.store().Drain(), IsOk());
  EXPECT_FALSE(bench.store().cleaner().busy());
  EXPECT_EQ(bench.DrainAndCheck(), "");
}

TEST(VolatileStoreTest, ADeviceThatFailsForGoodNeverHangsTheStore) {
  RoughDevice device(1, DeviceOptions());
  StoreBench bench(StoreOptions(&device));
  ASSERT_THAT(bench.Write(0, 96), IsOk());
  device.set_outcome([](OpType, DeviceRange) { return absl::UnavailableError("gone"); });
  int failed = 0;
  for (uint64_t i = 0; i < 2000; ++i)
    if (!bench.Write(Mix64(i) % 96, 1).ok()) ++failed;
  EXPECT_GT(failed, 0);
  EXPECT_THAT(bench.store().Drain(), StatusIs(absl::StatusCode::kUnavailable));
  device.set_outcome(nullptr);
  for (int i = 0; i < 100 && !bench.Retry().ok(); ++i) {
  }
  bench.Read(0, 96);
  EXPECT_THAT(bench.store().Drain(), IsOk());
}

}  // namespace
}  // namespace gleaner
