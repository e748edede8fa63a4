#include "gc/relocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <ostream>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/types.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "device/mem_device.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {

void PrintTo(const RelocationCounters& c, std::ostream* os) {
  *os << c.copy_commands << " commands, " << c.copy_ranges << " ranges, "
      << c.native_blocks << " native, " << c.emulated_blocks << " emulated, "
      << c.host_bytes_read << " read, " << c.host_bytes_written << " written";
}

namespace {

using ::gleaner::testing::IsOk;
using ::gleaner::testing::StatusIs;

constexpr uint32_t kDeviceBlockBytes = 512;
// Sources lie in the first half, targets in the second.
constexpr uint64_t kHalfBlocks = 2048;

Move M(uint64_t from, uint64_t to, uint64_t count) {
  return {Lba(0), PhysicalBlock(from), PhysicalBlock(to), BlockCount(count)};
}

// Copies and waits for it; `done` must run exactly once.
absl::Status CopyNow(Relocator* relocator, const std::vector<Move>& moves) {
  int runs = 0;
  absl::Status result;
  relocator->Copy(moves, [&](absl::Status status) {
    ++runs;
    result = std::move(status);
  });
  relocator->Poll();
  while (runs == 0) {
    EXPECT_THAT(relocator->Wait(), IsOk());
  }
  EXPECT_EQ(runs, 1);
  return result;
}

// Ascending sources with gaps, some adjacent; targets in a few runs, some adjacent.
std::vector<Move> RandomPlan(Random* random) {
  std::vector<Move> moves;
  uint64_t from = random->Below(50);
  uint64_t to = kHalfBlocks + random->Below(100);
  for (uint64_t i = 1 + random->Below(60); i > 0; --i) {
    const uint64_t count = 1 + random->Below(random->Below(8) == 0 ? 100 : 5);
    if (from + count > kHalfBlocks || to + count > 2 * kHalfBlocks) break;
    moves.push_back(M(from, to, count));
    from += count + random->Below(3);
    to += count + (random->Below(10) == 0 ? random->Below(20) : 0);
  }
  return moves;
}

CopyLimits RandomLimits(Random* random) {
  return {.max_copy_blocks = 1 + random->Below(60),
          .max_copy_ranges = 1 + static_cast<uint32_t>(random->Below(9)),
          .max_range_blocks = 1 + random->Below(20)};
}

// A device of the store's blocks, each `per_block` device blocks, with every block different.
class Bench {
 public:
  Bench(const CopyLimits& limits, CopyMode mode, uint32_t per_block)
      : block_bytes_(per_block * kDeviceBlockBytes),
        image_(2 * kHalfBlocks * block_bytes_) {
    MemDeviceOptions options;
    options.block_bytes = kDeviceBlockBytes;
    options.capacity = DeviceBlockCount(2 * kHalfBlocks * per_block);
    options.copy_limits = {.max_copy_blocks = limits.max_copy_blocks * per_block,
                           .max_copy_ranges = limits.max_copy_ranges,
                           .max_range_blocks = limits.max_range_blocks * per_block};
    device_ = *MemDevice::Create(options);
    queue_ = *device_->OpenQueue(1);
    for (uint64_t i = 0; i < image_.size() / sizeof(uint64_t); ++i)
      std::memcpy(image_.data() + i * sizeof(i), &i, sizeof(i));
    EXPECT_THAT(WriteBlocks(*queue_, All(), image_.data()), IsOk());
    relocator_ = *MakeDeviceRelocator(
        device_.get(),
        BlockLayout({.first = DeviceBlock(0), .device_blocks_per_block = per_block}),
        {.mode = mode}, clock_);
    model_ = *MakeModelRelocator(
        {.limits = limits, .mode = mode, .block_bytes = block_bytes_});
  }

  // Copies on both, and in the image.
  void Copy(const std::vector<Move>& moves) {
    EXPECT_THAT(CopyNow(relocator_.get(), moves), IsOk());
    EXPECT_THAT(CopyNow(model_.get(), moves), IsOk());
    for (const Move& m : moves) {
      std::memcpy(image_.data() + m.to.value() * block_bytes_,
                  image_.data() + m.from.value() * block_bytes_,
                  m.count.value() * block_bytes_);
    }
  }
  bool DeviceHoldsImage() {
    AlignedBuffer read(image_.size());
    EXPECT_THAT(ReadBlocks(*queue_, All(), read.data()), IsOk());
    return read.view() == image_.view();
  }
  RelocationCounters device_counters() const { return relocator_->counters(); }
  RelocationCounters model_counters() const { return model_->counters(); }

 private:
  DeviceRange All() const { return {DeviceBlock(0), device_->geometry().capacity}; }

  const uint32_t block_bytes_;
  AlignedBuffer image_;
  ManualClock clock_;
  std::unique_ptr<MemDevice> device_;
  std::unique_ptr<IoQueue> queue_;
  std::unique_ptr<Relocator> relocator_;
  std::unique_ptr<Relocator> model_;
};

TEST(RelocatorTest, TheModelCountsWhatTheDeviceDoes) {
  uint64_t seed = 400;
  for (const CopyMode mode : {CopyMode::kNative, CopyMode::kEmulate}) {
    for (const uint32_t per_block : {1, 8}) {
      for (int i = 0; i < 40; ++i) {
        SCOPED_TRACE(absl::StrCat("seed ", ++seed));
        Random random(seed);
        Bench bench(RandomLimits(&random), mode, per_block);
        for (int k = 0; k < 4; ++k) bench.Copy(RandomPlan(&random));
        ASSERT_EQ(bench.model_counters(), bench.device_counters());
        ASSERT_TRUE(bench.DeviceHoldsImage());
      }
    }
  }
}

TEST(RelocatorTest, CountsOfAPlanByHand) {
  // 4 + 3 adjacent blocks, and 2 elsewhere: ranges of at most 5 blocks.
  const std::vector<Move> plan = {M(0, 3000, 4), M(4, 3004, 3), M(10, 3007, 2)};
  Bench native({.max_copy_blocks = 8, .max_copy_ranges = 3, .max_range_blocks = 5},
               CopyMode::kNative, 8);
  native.Copy(plan);
  const RelocationCounters expected{
      .copy_commands = 2, .copy_ranges = 4, .native_blocks = 9};
  EXPECT_EQ(native.model_counters(), expected);
  EXPECT_EQ(native.device_counters(), expected);

  Bench emulated({.max_copy_blocks = 8, .max_copy_ranges = 3, .max_range_blocks = 5},
                 CopyMode::kEmulate, 8);
  emulated.Copy(plan);
  const RelocationCounters by_host{
      .emulated_blocks = 9, .host_bytes_read = 9 * 4096, .host_bytes_written = 9 * 4096};
  EXPECT_EQ(emulated.model_counters(), by_host);
  EXPECT_EQ(emulated.device_counters(), by_host);
}

TEST(RelocatorTest, CountersSubtract) {
  const RelocationCounters before{1, 2, 3, 4, 5, 6};
  const RelocationCounters after{11, 13, 15, 17, 19, 21};
  EXPECT_EQ(after - before, (RelocationCounters{10, 11, 12, 13, 14, 15}));
}

TEST(RelocatorTest, TheModelNeedsLimitsForNativeCopies) {
  EXPECT_THAT(MakeModelRelocator({.limits = {}, .mode = CopyMode::kNative}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  const CopyLimits off{.max_copy_blocks = 8,
                       .max_copy_ranges = 8,
                       .max_range_blocks = 8,
                       .copy_offload = false};
  ASSERT_OK_AND_ASSIGN(const auto model, MakeModelRelocator({.limits = off}));
  EXPECT_THAT(CopyNow(model.get(), {M(0, 100, 2)}), IsOk());
  EXPECT_EQ(model->counters().emulated_blocks, 2u);
  EXPECT_EQ(model->counters().copy_commands, 0u);
  EXPECT_THAT(model->Wait(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST(RelocatorTest, ARefusedCopyIsReportedOnce) {
  MemDeviceOptions options;
  options.capacity = DeviceBlockCount(100);
  ASSERT_OK_AND_ASSIGN(const auto device, MemDevice::Create(options));
  const ManualClock clock;
  ASSERT_OK_AND_ASSIGN(const auto relocator,
                       MakeDeviceRelocator(device.get(), BlockLayout({}), {}, clock));
  EXPECT_THAT(CopyNow(relocator.get(), {M(0, 50, 2), M(8, 99, 2)}),
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(CopyNow(relocator.get(), {M(0, 50, 2)}), IsOk());
  EXPECT_THAT(relocator->Wait(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace gleaner
