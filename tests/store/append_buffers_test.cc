#include "store/append_buffers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "base/types.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "device/mem_device.h"
#include "extent_map/segment_geometry.h"
#include "gc/block_layout.h"
#include "tests/store/rough_device.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::IsOk;
using ::gleaner::testing::RoughDevice;
using ::gleaner::testing::StatusIs;

constexpr uint32_t kBlockBytes = 512;
constexpr ClassId kHot(0);
constexpr ClassId kCold(1);

PhysicalRange Blocks(uint64_t start, uint64_t count) {
  return {PhysicalBlock(start), BlockCount(count)};
}

// Segments of 16 blocks; writes of at most 8.
class AppendBuffersTest : public ::testing::Test {
 protected:
  void Open(std::unique_ptr<Device> device, uint32_t spare_buffers = 4) {
    device_ = std::move(device);
    queue_ = *device_->OpenQueue(4);
    buffers_ = std::make_unique<AppendBuffers>(
        queue_.get(), device_.get(), BlockLayout({}), SegmentGeometry(BlockCount(16)),
        AppendBuffers::Options{.block_bytes = kBlockBytes,
                               .classes = 2,
                               .buffer_blocks = 8,
                               .spare_buffers = spare_buffers});
  }
  static MemDeviceOptions MemOptions(uint64_t zone_size) {
    MemDeviceOptions options;
    options.block_bytes = kBlockBytes;
    options.capacity = DeviceBlockCount(1024);
    options.zone_size = DeviceBlockCount(zone_size);
    return options;
  }
  void OpenMem(uint64_t zone_size = 0) {
    Open(*MemDevice::Create(MemOptions(zone_size)));
  }
  // Every block filled with `letter`.
  void Stage(ClassId log_class, PhysicalRange run, char letter) {
    ASSERT_TRUE(buffers_->CanStage());
    const std::string data(run.count.value() * kBlockBytes, letter);
    buffers_->Stage(log_class, run, data.data());
  }
  void Wait() {
    while (queue_->in_flight() > 0) ASSERT_THAT(queue_->Wait(), IsOk());
  }
  // The first letter of a block; of an unwritten one a zero.
  char OnDevice(uint64_t block) {
    AlignedBuffer buffer(kBlockBytes);
    EXPECT_THAT(
        ReadBlocks(*device_, {DeviceBlock(block), DeviceBlockCount(1)}, buffer.data()),
        IsOk());
    return buffer.data()[0];
  }
  uint64_t writes() const { return device_->counters().writes; }

  std::unique_ptr<Device> device_;
  std::unique_ptr<IoQueue> queue_;
  std::unique_ptr<AppendBuffers> buffers_;
};

TEST_F(AppendBuffersTest, WhatFollowsSharesAWrite) {
  OpenMem();
  Stage(kHot, Blocks(0, 2), 'a');
  Stage(kCold, Blocks(32, 1), 'x');
  Stage(kHot, Blocks(2, 3), 'b');
  EXPECT_FALSE(buffers_->idle());
  EXPECT_EQ(queue_->in_flight(), 0);
  buffers_->SubmitAll();
  EXPECT_EQ(queue_->in_flight(), 2);
  Wait();
  EXPECT_TRUE(buffers_->idle());
  EXPECT_EQ(writes(), 2u);
  EXPECT_EQ(buffers_->blocks_written(), 6u);
  EXPECT_EQ(OnDevice(1), 'a');
  EXPECT_EQ(OnDevice(4), 'b');
  EXPECT_EQ(OnDevice(5), 0);
  EXPECT_EQ(OnDevice(32), 'x');
}

TEST_F(AppendBuffersTest, AGapAFullBufferOrASegmentsEndBeginAnother) {
  OpenMem();
  Stage(kHot, Blocks(0, 8), 'a');
  EXPECT_EQ(queue_->in_flight(), 1);  // full
  Stage(kHot, Blocks(8, 2), 'b');
  Stage(kHot, Blocks(12, 4), 'c');
  EXPECT_EQ(queue_->in_flight(), 2);  // a gap
  Stage(kHot, Blocks(16, 1), 'd');
  EXPECT_EQ(queue_->in_flight(), 3);  // another segment
  Stage(kHot, Blocks(17, 8), 'e');
  EXPECT_EQ(queue_->in_flight(), 4);  // does not fit
  buffers_->SubmitAll();
  while (!buffers_->idle()) {
    ASSERT_THAT(queue_->Wait(), IsOk());
    buffers_->Pump();
  }
  EXPECT_EQ(writes(), 5u);
  EXPECT_EQ(OnDevice(15), 'c');
  EXPECT_EQ(OnDevice(16), 'd');
  EXPECT_EQ(OnDevice(24), 'e');
}

TEST_F(AppendBuffersTest, BlocksAreFoundUntilTheyAreWritten) {
  OpenMem();
  Stage(kHot, Blocks(3, 2), 'a');
  EXPECT_EQ(buffers_->Find(PhysicalBlock(2)), nullptr);
  ASSERT_NE(buffers_->Find(PhysicalBlock(4)), nullptr);
  EXPECT_EQ(*buffers_->Find(PhysicalBlock(4)), 'a');
  EXPECT_EQ(buffers_->Find(PhysicalBlock(5)), nullptr);
  EXPECT_FALSE(buffers_->WrittenBefore(SegmentId(0), PhysicalBlock(4)));
  EXPECT_TRUE(buffers_->WrittenBefore(SegmentId(0), PhysicalBlock(3)));
  EXPECT_TRUE(buffers_->WrittenBefore(SegmentId(1), PhysicalBlock(32)));
  buffers_->Submit(kHot);
  EXPECT_EQ(*buffers_->Find(PhysicalBlock(3)), 'a');
  Wait();
  EXPECT_EQ(buffers_->Find(PhysicalBlock(3)), nullptr);
  EXPECT_TRUE(buffers_->WrittenBefore(SegmentId(0), PhysicalBlock(16)));
}

TEST_F(AppendBuffersTest, BuffersAreFreeAgainAfterTheirWrite) {
  Open(*MemDevice::Create(MemOptions(0)), /*spare_buffers=*/0);
  Stage(kHot, Blocks(0, 8), 'a');
  Stage(kCold, Blocks(32, 1), 'b');
  EXPECT_FALSE(buffers_->CanStage());
  Wait();
  EXPECT_TRUE(buffers_->CanStage());
}

TEST_F(AppendBuffersTest, AFailedWriteIsToldOnceAndTriedAgain) {
  auto rough = std::make_unique<RoughDevice>(3, MemOptions(0));
  int failures = 2;
  rough->set_outcome([&](OpType type, DeviceRange) {
    return type == OpType::kWrite && failures > 0 && failures-- > 0
               ? absl::UnavailableError("for a while")
               : absl::OkStatus();
  });
  Open(std::move(rough));
  Stage(kHot, Blocks(0, 3), 'a');
  for (int i = 0; i < 2; ++i) {
    buffers_->SubmitAll();
    Wait();
    EXPECT_FALSE(buffers_->idle());
    EXPECT_EQ(*buffers_->Find(PhysicalBlock(2)), 'a');
    EXPECT_EQ(buffers_->blocks_written(), 0u);
    buffers_->Pump();
    EXPECT_EQ(queue_->in_flight(), 0);  // not before somebody knows
    EXPECT_THAT(buffers_->TakeStatus(), StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_THAT(buffers_->TakeStatus(), IsOk());
    buffers_->Pump();
    EXPECT_EQ(queue_->in_flight(), 1);
  }
  Wait();
  EXPECT_TRUE(buffers_->idle());
  EXPECT_EQ(OnDevice(2), 'a');
}

// -- Zoned ------------------------------------------------------------------------------------

// Half of a write arrives; the rest follows, or, if it is not the half that was written, an error.
TEST_F(AppendBuffersTest, InAZoneAFailedWriteGoesOnWhereItEnded) {
  for (const bool spoilt : {false, true}) {
    auto rough = std::make_unique<RoughDevice>(1, MemOptions(16));
    int fails = 1;
    rough->set_outcome([&fails](OpType type, DeviceRange) {
      return type == OpType::kWrite && fails-- > 0 ? absl::UnavailableError("no")
                                                   : absl::OkStatus();
    });
    RoughDevice& device = *rough;
    Open(std::move(rough));
    Stage(kHot, Blocks(0, 6), 'a');
    buffers_->SubmitAll();
    Stage(kHot, Blocks(6, 2), 'b');
    buffers_->SubmitAll();
    Wait();
    EXPECT_EQ(device.counters().writes, 0u);
    EXPECT_THAT(buffers_->TakeStatus(), StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_EQ(OnDevice(2), 'a');
    EXPECT_EQ(OnDevice(3), 0);
    if (spoilt) {
      ASSERT_THAT(device.CorruptBlock(DeviceBlock(1)), IsOk());
    }
    buffers_->Pump();
    Wait();
    if (spoilt) {
      EXPECT_THAT(buffers_->TakeStatus(), StatusIs(absl::StatusCode::kDataLoss));
      EXPECT_FALSE(buffers_->idle());
      EXPECT_NE(buffers_->Find(PhysicalBlock(1)), nullptr);
      continue;
    }
    EXPECT_THAT(buffers_->TakeStatus(), IsOk());
    EXPECT_TRUE(buffers_->idle());
    EXPECT_EQ(OnDevice(0), 'a');
    EXPECT_EQ(OnDevice(5), 'a');
    EXPECT_EQ(OnDevice(7), 'b');
    EXPECT_EQ(device.counters().writes, 2u);
  }
}

TEST_F(AppendBuffersTest, AZoneIsWrittenInOrderOneWriteAtATime) {
  OpenMem(16);
  Stage(kHot, Blocks(0, 8), 'a');
  Stage(kHot, Blocks(8, 8), 'b');
  Stage(kHot, Blocks(16, 8), 'c');
  Stage(kCold, Blocks(32, 8), 'x');
  EXPECT_EQ(queue_->in_flight(), 2);  // one of each class
  while (!buffers_->idle()) ASSERT_THAT(queue_->Wait(), IsOk());
  EXPECT_THAT(buffers_->TakeStatus(), IsOk());
  EXPECT_EQ(OnDevice(15), 'b');
  EXPECT_EQ(OnDevice(23), 'c');
}

TEST_F(AppendBuffersTest, WhatLiesBehindAHeldRunWaits) {
  OpenMem(16);
  Stage(kHot, Blocks(0, 2), 'a');
  buffers_->Submit(kHot);
  buffers_->Hold(kHot, Blocks(2, 4));
  EXPECT_FALSE(buffers_->IsReached(Blocks(2, 4)));
  Stage(kHot, Blocks(6, 2), 'b');
  buffers_->SubmitAll();
  Wait();
  EXPECT_TRUE(buffers_->IsReached(Blocks(3, 1)));
  EXPECT_EQ(OnDevice(1), 'a');
  EXPECT_FALSE(buffers_->idle());
  EXPECT_TRUE(buffers_->WrittenBefore(SegmentId(0), PhysicalBlock(2)));
  // Someone else writes the run, in two parts.
  const std::string data(4 * kBlockBytes, 'h');
  AlignedBuffer aligned(data.size());
  std::copy(data.begin(), data.end(), aligned.data());
  ASSERT_THAT(
      WriteBlocks(*device_, {DeviceBlock(2), DeviceBlockCount(4)}, aligned.data()),
      IsOk());
  buffers_->Unhold(Blocks(2, 1));
  EXPECT_EQ(queue_->in_flight(), 0);
  buffers_->Unhold(Blocks(3, 3));
  EXPECT_EQ(queue_->in_flight(), 1);
  Wait();
  EXPECT_EQ(OnDevice(5), 'h');
  EXPECT_EQ(OnDevice(7), 'b');
}

// The end of a zone, the next one of the class, and what another class does meanwhile.
TEST_F(AppendBuffersTest, AZoneIsFullBeforeItsClassBeginsTheNext) {
  OpenMem(16);
  buffers_->Hold(kHot, Blocks(0, 16));
  Stage(kHot, Blocks(16, 8), 'b');
  buffers_->Hold(kHot, Blocks(24, 8));
  Stage(kCold, Blocks(32, 8), 'x');
  EXPECT_EQ(queue_->in_flight(), 1);  // of the other class
  EXPECT_TRUE(buffers_->IsNext(Blocks(0, 16)));
  EXPECT_FALSE(buffers_->IsReached(Blocks(24, 8)));
  Wait();
  EXPECT_EQ(OnDevice(32), 'x');
  buffers_->Unhold(Blocks(0, 16));
  EXPECT_EQ(queue_->in_flight(), 1);
  EXPECT_FALSE(buffers_->IsNext(Blocks(24, 8)));
  Wait();
  EXPECT_TRUE(buffers_->IsNext(Blocks(24, 8)));
}

TEST_F(AppendBuffersTest, OfTwoHeldRunsTheFirstIsNext) {
  OpenMem(16);
  buffers_->Hold(kHot, Blocks(0, 16));
  buffers_->Hold(kHot, Blocks(16, 4));
  EXPECT_TRUE(buffers_->IsReached(Blocks(16, 4)));
  EXPECT_FALSE(buffers_->IsNext(Blocks(16, 4)));
  buffers_->Unhold(Blocks(0, 16));
  EXPECT_TRUE(buffers_->IsNext(Blocks(16, 4)));
}

}  // namespace
}  // namespace gleaner
