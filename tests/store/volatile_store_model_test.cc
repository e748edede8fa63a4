// The store against a plain array, while it is cleaned in the background and the device reorders
// what is in flight, or fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/types.h"
#include "device/faulty_device.h"
#include "device/mem_device.h"
#include "gc/placement.h"
#include "gc/victim_policy.h"
#include "store/volatile_store.h"
#include "tests/store/rough_device.h"
#include "tests/store/store_bench.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::RoughDevice;
using ::gleaner::testing::StatusIs;
using ::gleaner::testing::StoreBench;

constexpr uint32_t kBlockBytes = 512;
constexpr uint64_t kVolumeBlocks = 96;
constexpr uint32_t kSegmentBlocks = 16;
constexpr uint32_t kMaxSegments = 28;

enum class Backend {
  kMem,
  kZones,
  kRough,
  kRoughZones,
  kFailing,
  kFailingZones,
  kFaulty,
  kFaultyZones
};

// The device's, where it is faulty, and what the store does about them.
struct Faults {
  const char* name = "none";
  FaultModel model;
  bool flush_moves = true;
};

// 12 of 16 blocks of a segment hold data.
class RandomUser {
 public:
  RandomUser(Backend backend, uint64_t seed, const Faults& faults = {})
      : backend_(backend),
        faults_(faults),
        random_(seed),
        device_(MakeDevice(seed)),
        bench_(MakeOptions(seed)) {
    failing_ = backend == Backend::kFailing || backend == Backend::kFailingZones;
  }

  void Run(int operations) {
    EXPECT_EQ(Check(operations), "");
    if (!faulty()) {
      EXPECT_LE(told_ + bench_.failed_reads(), injected_);
    }
  }
  // What was read wrong, or nothing.
  std::string Check(int operations) {
    for (int i = 0; i < operations && !HasFailure(); ++i) Operate();
    failing_ = false;
    return bench_.DrainAndCheck();
  }

  uint64_t cleaned() { return bench_.store().stats().cleaner.segments_cleaned; }
  int injected() const { return injected_; }
  int told() const { return told_; }
  const StoreBench& bench() const { return bench_; }
  uint64_t losses() const { return device_->losses(); }
  absl::Duration delayed() const { return clock_.Now(); }

 private:
  bool faulty() const {
    return backend_ == Backend::kFaulty || backend_ == Backend::kFaultyZones;
  }
  static bool HasFailure() { return ::testing::Test::HasFailure(); }

  std::unique_ptr<Device> MakeDevice(uint64_t seed) {
    MemDeviceOptions options;
    options.block_bytes = kBlockBytes;
    options.capacity = DeviceBlockCount(kMaxSegments * kSegmentBlocks);
    options.max_transfer = DeviceBlockCount(5);  // reads and writes come in odd pieces
    options.copy_limits = {
        .max_copy_blocks = 16, .max_copy_ranges = 4, .max_range_blocks = 8};
    if (backend_ == Backend::kZones || backend_ == Backend::kRoughZones ||
        backend_ == Backend::kFailingZones || backend_ == Backend::kFaultyZones) {
      options.zone_size = DeviceBlockCount(kSegmentBlocks);
      options.zone_capacity = DeviceBlockCount(12);
    }
    if (backend_ == Backend::kMem || backend_ == Backend::kZones)
      return *MemDevice::Create(options);
    if (faulty()) {
      FaultModel model = faults_.model;
      model.seed = seed;
      if (seed % 4 == 1) model.hide_limits = true;
      return *MakeFaultyDevice(*MemDevice::Create(options), model, clock_);
    }
    auto rough = std::make_unique<RoughDevice>(seed, options);
    rough->set_outcome([this](OpType type, DeviceRange) { return Outcome(type); });
    return rough;
  }

  absl::Status Outcome(OpType) {
    if (!failing_ || random_.Below(60) != 0) return absl::OkStatus();
    ++injected_;
    return absl::UnavailableError("for a while");
  }

  VolatileStoreOptions MakeOptions(uint64_t seed) {
    VolatileStoreOptions options;
    options.volume_blocks = kVolumeBlocks;
    options.block_bytes = kBlockBytes;
    options.segment_blocks = kSegmentBlocks;
    options.segment_capacity_blocks = 12;
    options.policy = MakeGreedyPolicy();
    constexpr const char* kPlacements[] = {"none", "gc-log", "temperature:64:128",
                                           "age-match"};
    options.placement = *MakePlacement(
        kPlacements[seed % 4], {.volume_blocks = kVolumeBlocks, .segment_blocks = 12});
    options.cleaner.commit_segments = static_cast<uint32_t>(seed / 4 % 2);
    options.cleaner.max_batch_victims = 1 + static_cast<uint32_t>(seed / 8 % 3);
    options.segments = static_cast<uint32_t>(VolatileStore::LeastSegments(options));
    // What half a copy wrote to a zone is lost room.
    if (backend_ == Backend::kFailingZones || backend_ == Backend::kFaultyZones)
      options.segments += 8;
    options.flush_moves = faults_.flush_moves;
    options.device = device_.get();
    options.copy.mode = seed % 3 == 0
                            ? CopyMode::kNative
                            : (seed % 3 == 1 ? CopyMode::kEmulate : CopyMode::kAuto);
    options.clock = &clock_;
    options.queue_depth = 1 + static_cast<int>(seed % 7);
    return options;
  }

  void Operate() {
    const uint64_t what = random_.Below(100);
    const uint64_t lba =
        random_.Below(random_.Below(2) == 0 ? kVolumeBlocks : kVolumeBlocks / 8);
    const uint64_t count = 1 + random_.Below(std::min<uint64_t>(10, kVolumeBlocks - lba));
    if (what < 40) {
      Write(lba, count);
    } else if (what < 65) {
      bench_.Read(lba, count);
    } else if (what < 70) {
      bench_.Trim(lba, count);
    } else if (what < 73) {
      Flush();
    } else if (what < 87) {
      Clean();
    } else if (what < 99) {
      Take(bench_.store().Poll());
    } else {
      Take(bench_.store().Drain());
    }
  }

  // Counts what the store tells of failures; there is no other reason for an error.
  void Take(const absl::Status& status) {
    if (status.ok()) return;
    ++told_;
    if (faulty()) return;  // whatever the device said
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  }

  void Write(uint64_t lba, uint64_t count) {
    absl::Status status = bench_.Write(lba, count);
    for (int i = 0; !status.ok(); ++i) {
      Take(status);
      ASSERT_LT(i, 100) << status;
      status = bench_.Retry();
    }
  }

  // One at a time: an error is told to every flush that waits.
  void Flush() {
    if (std::exchange(flushing_, true)) return;
    bench_.Flush([this](const absl::Status& status) {
      flushing_ = false;
      Take(status);
    });
  }

  void Clean() {
    // One draw after the other: compilers order arguments as they like.
    const auto spare = static_cast<uint32_t>(random_.Below(8));
    const auto free = static_cast<uint32_t>(random_.Below(4));
    const uint64_t most = random_.Below(20);
    const Cleaner::StepResult result =
        bench_.store().Clean({.spare_segments = spare, .free_segments = free}, most);
    Take(result.status);
    EXPECT_EQ(result.status.ok(), result.state != Cleaner::State::kFailed);
  }

  const Backend backend_;
  const Faults faults_;
  Random random_;
  ManualClock clock_;
  bool failing_ = false;
  bool flushing_ = false;
  int injected_ = 0;
  int told_ = 0;
  std::unique_ptr<Device> device_;
  StoreBench bench_;
};

// Runs seeds; returns the segments cleaned.
uint64_t RunSeeds(Backend backend, uint64_t first_seed) {
  uint64_t cleaned = 0;
  for (uint64_t seed = first_seed; seed < first_seed + 144; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomUser user(backend, seed);
    user.Run(1500);
    if (::testing::Test::HasFailure()) return cleaned;
    cleaned += user.cleaned();
  }
  return cleaned;
}

TEST(VolatileStoreModelTest, OnMem) { EXPECT_GT(RunSeeds(Backend::kMem, 0), 15000u); }

TEST(VolatileStoreModelTest, OnZones) {
  EXPECT_GT(RunSeeds(Backend::kZones, 100), 15000u);
}

TEST(VolatileStoreModelTest, OnADeviceThatReorders) {
  EXPECT_GT(RunSeeds(Backend::kRough, 200), 15000u);
}

TEST(VolatileStoreModelTest, OnZonesThatReorder) {
  EXPECT_GT(RunSeeds(Backend::kRoughZones, 400), 15000u);
}

TEST(VolatileStoreModelTest, OnZonesThatFail) {
  EXPECT_GT(RunSeeds(Backend::kFailingZones, 500), 15000u);
}

TEST(VolatileStoreModelTest, OnADeviceThatFails) {
  EXPECT_GT(RunSeeds(Backend::kFailing, 300), 15000u);
}

constexpr Faults kFaults[] = {
    {"fail", {.fail = 0.03}},
    {"partial", {.partial = 0.03}},
    {"hang", {.hang = 0.03}},
    {"slow", {.slow = 0.1}},
    {"fewer blocks", {.real_copy_blocks = 5}},
    {"fewer ranges", {.real_copy_ranges = 2}},
    {"shorter ranges", {.real_range_blocks = 3}},
    {"lost", {.lost = 0.01}},
    {"faulty copies", {.fail = 0.04, .partial = 0.04, .hang = 0.02, .copies_only = true}},
    {"several",
     {.fail = 0.01, .partial = 0.01, .hang = 0.01, .slow = 0.01, .real_copy_ranges = 2}},
    {"several and lost",
     {.fail = 0.01,
      .partial = 0.01,
      .hang = 0.01,
      .slow = 0.01,
      .lost = 0.01,
      .real_copy_blocks = 5}},
};

// Each fault, of any operation. The seed sets the mode of copies, too.
TEST(VolatileStoreModelTest, OnFaultyDevices) {
  for (const Faults& faults : kFaults) {
    for (const Backend backend : {Backend::kFaulty, Backend::kFaultyZones}) {
      if (backend == Backend::kFaultyZones && faults.model.lost > 0) continue;
      uint64_t cleaned = 0, flushed_blocks_read = 0;
      bool met = false;
      for (uint64_t seed = 600; seed < 680; ++seed) {
        SCOPED_TRACE(absl::StrCat(faults.name, ", seed ", seed));
        RandomUser user(backend, seed, faults);
        user.Run(700);
        if (HasFailure()) return;
        cleaned += user.cleaned();
        flushed_blocks_read += user.bench().flushed_blocks_read();
        met |= user.told() > 0 || user.delayed() > absl::ZeroDuration();
        if (faults.model.lost == 0) {
          EXPECT_EQ(user.bench().blocks_excused(), 0u);
        }
      }
      SCOPED_TRACE(faults.name);
      EXPECT_GT(cleaned, 1000u);
      EXPECT_GT(flushed_blocks_read, 2000u);
      // Refused copies are sent again without a word.
      EXPECT_TRUE(met || faults.model.sum() == 0);
    }
  }
}

// Moves that no flush covers are found to be what loses flushed blocks.
TEST(VolatileStoreModelTest, MovesThatAreNotFlushedLoseBlocks) {
  const Faults faults{"lost", {.lost = 0.01}, /*flush_moves=*/false};
  int wrong = 0;
  for (uint64_t seed = 600; seed < 620; ++seed)
    wrong += !RandomUser(Backend::kFaulty, seed, faults).Check(700).empty();
  EXPECT_GE(wrong, 10);
}

}  // namespace
}  // namespace gleaner
