#include "device/mem_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <utility>

#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::IsOk;
using ::gleaner::testing::StatusIs;
using ::testing::HasSubstr;

DeviceRange Blocks(uint64_t start, uint64_t count) {
  return {DeviceBlock(start), DeviceBlockCount(count)};
}

// Each block of the device holds one character.
class MemDeviceTest : public ::testing::Test {
 protected:
  void Open(const MemDeviceOptions& options) {
    ASSERT_OK_AND_ASSIGN(device_, MemDevice::Create(options));
    ASSERT_OK_AND_ASSIGN(queue_, device_->OpenQueue(8));
  }
  MemDeviceOptions Volatile() const {
    MemDeviceOptions options;
    options.capacity = DeviceBlockCount(64);
    options.volatile_cache = true;
    return options;
  }
  static AlignedBuffer Filled(char c, uint64_t blocks = 1) {
    AlignedBuffer buffer(blocks * 4096);
    std::memset(buffer.data(), c, buffer.size());
    return buffer;
  }
  void Put(uint64_t block, char c) {
    ASSERT_THAT(WriteBlocks(*queue_, Blocks(block, 1), Filled(c).data()), IsOk());
  }
  char Get(uint64_t block) {
    AlignedBuffer buffer(4096);
    EXPECT_THAT(ReadBlocks(*queue_, Blocks(block, 1), buffer.data()), IsOk());
    EXPECT_EQ(buffer.data()[0], buffer.data()[4095]);
    return buffer.data()[0];
  }
  ZoneInfo Zone(uint64_t block) {
    return device_->ReportZones(Blocks(block, 1))->front();
  }

  std::unique_ptr<MemDevice> device_;
  std::unique_ptr<IoQueue> queue_;
};

TEST_F(MemDeviceTest, APowerCutTakesWhatWasNotFlushed) {
  Open(Volatile());
  EXPECT_TRUE(device_->geometry().volatile_write_cache);
  Put(0, 'a');
  ASSERT_THAT(FlushDevice(*queue_), IsOk());
  Put(0, 'b');
  Put(0, 'c');
  Put(1, 'd');
  EXPECT_EQ(Get(0), 'c');
  ASSERT_THAT(device_->DropUnflushed(), IsOk());
  EXPECT_EQ(Get(0), 'a');
  EXPECT_EQ(Get(1), '\0');
}

TEST_F(MemDeviceTest, CopyAndWriteZeroesAreLostToo) {
  Open(Volatile());
  Put(0, 'a');
  Put(1, 'b');
  ASSERT_THAT(FlushDevice(*queue_), IsOk());
  ASSERT_THAT(queue_->Copy({Blocks(0, 1)}, DeviceBlock(8), {}, [](const OpResult&) {}),
              IsOk());
  ASSERT_THAT(queue_->WriteZeroes(Blocks(1, 1), [](const OpResult&) {}), IsOk());
  ASSERT_THAT(queue_->Wait(), IsOk());
  EXPECT_EQ(Get(8), 'a');
  EXPECT_EQ(Get(1), '\0');
  ASSERT_THAT(device_->DropUnflushed(), IsOk());
  EXPECT_EQ(Get(8), '\0');
  EXPECT_EQ(Get(1), 'b');
}

TEST_F(MemDeviceTest, AFlushCoversOtherQueues) {
  Open(Volatile());
  Put(0, 'a');
  ASSERT_THAT(FlushDevice(*device_), IsOk());  // its own queue
  ASSERT_THAT(device_->DropUnflushed(), IsOk());
  EXPECT_EQ(Get(0), 'a');
}

// The write is submitted first and even executed first, but completes after the flush was
// submitted: the contract promises nothing, and this device gives nothing.
TEST_F(MemDeviceTest, AFlushDoesNotCoverWhatWasStillInFlight) {
  Open(Volatile());
  const AlignedBuffer data = Filled('a');
  ASSERT_THAT(queue_->Write(Blocks(0, 1), data.data(), {}, [](const OpResult&) {}),
              IsOk());
  ASSERT_THAT(queue_->Flush([](const OpResult& r) { EXPECT_THAT(r.status, IsOk()); }),
              IsOk());
  while (queue_->in_flight() > 0) ASSERT_THAT(queue_->Wait(), IsOk());
  EXPECT_EQ(Get(0), 'a');
  ASSERT_THAT(device_->DropUnflushed(), IsOk());
  EXPECT_EQ(Get(0), '\0');
}

TEST_F(MemDeviceTest, DeallocateIsDurableAtOnce) {
  Open(Volatile());
  Put(0, 'a');
  ASSERT_THAT(FlushDevice(*queue_), IsOk());
  ASSERT_THAT(queue_->Deallocate(Blocks(0, 1), [](const OpResult&) {}), IsOk());
  ASSERT_THAT(queue_->Wait(), IsOk());
  ASSERT_THAT(device_->DropUnflushed(), IsOk());
  EXPECT_EQ(Get(0), '\0');
}

TEST_F(MemDeviceTest, APowerCutTakesTheWritePointerBack) {
  MemDeviceOptions options = Volatile();
  options.zone_size = DeviceBlockCount(16);
  Open(options);
  ASSERT_THAT(WriteBlocks(*queue_, Blocks(0, 3), Filled('a', 3).data()), IsOk());
  ASSERT_THAT(WriteBlocks(*queue_, Blocks(32, 16), Filled('c', 16).data()), IsOk());
  ASSERT_THAT(FlushDevice(*queue_), IsOk());
  ASSERT_THAT(WriteBlocks(*queue_, Blocks(3, 13), Filled('b', 13).data()), IsOk());
  ASSERT_THAT(WriteBlocks(*queue_, Blocks(16, 2), Filled('d', 2).data()), IsOk());
  EXPECT_EQ(Zone(0).state, ZoneState::kFull);
  ASSERT_THAT(device_->DropUnflushed(), IsOk());
  EXPECT_EQ(Zone(0).state, ZoneState::kClosed);
  EXPECT_EQ(Zone(0).write_pointer, DeviceBlock(3));
  EXPECT_EQ(Zone(16).state, ZoneState::kEmpty);
  EXPECT_EQ(Zone(32).state, ZoneState::kFull);
  EXPECT_EQ(Get(2), 'a');
  EXPECT_EQ(Get(3), '\0');
  Put(3, 'e');
}

TEST_F(MemDeviceTest, WithoutAVolatileCacheNothingCanBeDropped) {
  MemDeviceOptions options = Volatile();
  options.volatile_cache = false;
  Open(options);
  Put(0, 'a');
  EXPECT_THAT(device_->DropUnflushed(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(Get(0), 'a');
}

TEST_F(MemDeviceTest, CorruptBlockChangesOneBit) {
  Open(Volatile());
  Put(5, 'a');
  ASSERT_THAT(device_->CorruptBlock(DeviceBlock(5)), IsOk());
  AlignedBuffer buffer(4096);
  ASSERT_THAT(ReadBlocks(*queue_, Blocks(5, 1), buffer.data()), IsOk());
  int changed_bits = 0;
  for (char c : buffer.view()) changed_bits += __builtin_popcount((c ^ 'a') & 0xff);
  EXPECT_EQ(changed_bits, 1);
  EXPECT_THAT(device_->CorruptBlock(DeviceBlock(64)),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(MemDeviceTest, DefaultLimits) {
  Open(Volatile());
  EXPECT_EQ(device_->hardware_copy_limits(), (CopyLimits{.max_copy_blocks = 1024,
                                                         .max_copy_ranges = 128,
                                                         .max_range_blocks = 128}));
}

TEST_F(MemDeviceTest, AHugeDeviceCostsWhatIsTouched) {
  MemDeviceOptions options;
  options.capacity = DeviceBlockCount(uint64_t{1} << 28);  // 1 TiB
  Open(options);
  Put((uint64_t{1} << 28) - 1, 'z');
  EXPECT_EQ(Get((uint64_t{1} << 28) - 1), 'z');
  EXPECT_EQ(Get(12345678), '\0');
}

TEST_F(MemDeviceTest, RefusesOptionsThatDescribeNoDevice) {
  const auto expect_invalid = [](const MemDeviceOptions& options,
                                 absl::string_view what) {
    EXPECT_THAT(MemDevice::Create(options), StatusIs(absl::StatusCode::kInvalidArgument,
                                                     HasSubstr(std::string(what))));
  };
  MemDeviceOptions options;
  expect_invalid(options, "capacity of zero");
  options.capacity = DeviceBlockCount(~uint64_t{0});
  expect_invalid(options, "128 TiB");
  options.capacity = DeviceBlockCount(64);
  options.block_bytes = 1000;
  expect_invalid(options, "power of two");
  options.block_bytes = 256;
  expect_invalid(options, "power of two");
  options.block_bytes = 4096;
  options.max_open_zones = 1;
  expect_invalid(options, "without a zone size");
  options.zone_size = DeviceBlockCount(48);
  expect_invalid(options, "multiple of the zone size");
  options.zone_size = DeviceBlockCount(32);
  options.zone_capacity = DeviceBlockCount(33);
  expect_invalid(options, "zone capacity");
  options.zone_capacity = DeviceBlockCount(32);
  EXPECT_THAT(MemDevice::Create(options), IsOk());
}

}  // namespace
}  // namespace gleaner
