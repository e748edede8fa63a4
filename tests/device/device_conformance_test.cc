// The Device contract for plain I/O, checked on every backend.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "device/device.h"
#include "tests/device/conformance.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

using ::testing::HasSubstr;

TEST_P(DeviceConformanceTest, GeometryMakesSense) {
  EXPECT_GE(geometry().block_bytes, 512u);
  EXPECT_GE(capacity(), 512u);
  EXPECT_EQ(capacity() % 64, 0u);
  EXPECT_GE(geometry().max_transfer, DeviceBlockCount(1));
  EXPECT_LE(geometry().buffer_alignment, geometry().block_bytes);
  EXPECT_FALSE(device_->name().empty());
  EXPECT_EQ(device_->copy_limits(), device_->hardware_copy_limits());
}

TEST_P(DeviceConformanceTest, QueueDepthIsOneTo4096) {
  EXPECT_THAT(device_->OpenQueue(0), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(device_->OpenQueue(4097), StatusIs(absl::StatusCode::kInvalidArgument));
  OpenQueue(5);
  EXPECT_EQ(queue_->depth(), 5);
  EXPECT_EQ(queue_->in_flight(), 0);
}

TEST_P(DeviceConformanceTest, NewDeviceReadsAsZeroes) {
  ExpectZeroes(Blocks(0, 16));
  ExpectZeroes(Blocks(capacity() - 1, 1));
}

TEST_P(DeviceConformanceTest, ReadsBackWhatWasWritten) {
  WriteStamped(Blocks(0, 3), 1);
  WriteStamped(Blocks(64, 2), 1);
  ExpectStamped(Blocks(0, 3), 1);
  ExpectStamped(Blocks(1, 1), 1);
  ExpectStamped(Blocks(64, 2), 1);
  ExpectZeroes(Blocks(3, 4));
}

TEST_P(DeviceConformanceTest, RefusesWhatIsOutOfBounds) {
  AlignedBuffer buffer = Buffer(2);
  const DeviceRange beyond = Blocks(capacity() - 1, 2);
  const DeviceRange overflowing = Blocks(2, ~uint64_t{0} - 1);
  for (const DeviceRange range : {beyond, overflowing, Blocks(capacity(), 1)}) {
    EXPECT_THAT(queue_->Read(range, buffer.data(), Ignore()),
                StatusIs(absl::StatusCode::kOutOfRange, HasSubstr(device_->name())));
    EXPECT_THAT(queue_->Write(range, buffer.data(), {}, Ignore()),
                StatusIs(absl::StatusCode::kOutOfRange));
    EXPECT_THAT(queue_->WriteZeroes(range, Ignore()),
                StatusIs(absl::StatusCode::kOutOfRange));
    if (!zoned()) {
      EXPECT_THAT(queue_->Deallocate(range, Ignore()),
                  StatusIs(absl::StatusCode::kOutOfRange));
    }
  }
  EXPECT_EQ(queue_->in_flight(), 0);
}

TEST_P(DeviceConformanceTest, RefusesEmptyRangesAndMisalignedBuffers) {
  AlignedBuffer buffer = Buffer(2);
  EXPECT_THAT(queue_->Read(Blocks(0, 0), buffer.data(), Ignore()),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(queue_->Write(Blocks(0, 0), buffer.data(), {}, Ignore()),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(queue_->Read(Blocks(0, 1), buffer.data() + 1, Ignore()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("aligned")));
  EXPECT_THAT(queue_->Write(Blocks(0, 1), buffer.data() + 256, {}, Ignore()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("aligned")));
  EXPECT_THAT(queue_->Write(Blocks(0, 1), nullptr, {}, Ignore()),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(
      queue_->Read(Blocks(0, 1), buffer.data() + geometry().buffer_alignment, Ignore()),
      IsOk());
  EXPECT_THAT(queue_->Wait(), IsOk());
}

TEST_P(DeviceConformanceTest, AFullQueueSaysSo) {
  OpenQueue(2);
  AlignedBuffer buffer = Buffer(1);
  int completed = 0;
  bool refused_ran = false;
  const auto count = [&](const OpResult& r) {
    EXPECT_THAT(r.status, IsOk());
    ++completed;
  };
  EXPECT_THAT(queue_->Read(Blocks(0, 1), buffer.data(), count), IsOk());
  EXPECT_THAT(queue_->Read(Blocks(0, 1), buffer.data(), count), IsOk());
  EXPECT_EQ(queue_->in_flight(), 2);
  EXPECT_THAT(queue_->Read(Blocks(0, 1), buffer.data(),
                           [&](const OpResult&) { refused_ran = true; }),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(queue_->Wait(), IsOk());
  EXPECT_THAT(queue_->Read(Blocks(0, 1), buffer.data(), count), IsOk());
  while (queue_->in_flight() > 0) EXPECT_THAT(queue_->Wait(), IsOk());
  EXPECT_EQ(completed, 3);
  EXPECT_FALSE(refused_ran);
}

TEST_P(DeviceConformanceTest, CompletionsRunOnlyInPollAndWait) {
  AlignedBuffer buffer = Buffer(4);
  int completed = 0;
  for (int i = 0; i < 4; ++i) {
    EXPECT_THAT(queue_->Read(Blocks(i, 1), buffer.data() + i * geometry().block_bytes,
                             [&](const OpResult&) { ++completed; }),
                IsOk());
    EXPECT_EQ(completed, 0);
  }
  EXPECT_EQ(queue_->in_flight(), 4);
  int told = 0;
  while (told < 4) told += queue_->Poll();
  EXPECT_EQ(told, 4);
  EXPECT_EQ(completed, 4);
  EXPECT_EQ(queue_->in_flight(), 0);
}

TEST_P(DeviceConformanceTest, WaitingForNothingIsAnError) {
  EXPECT_EQ(queue_->Poll(), 0);
  EXPECT_THAT(queue_->Wait(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_P(DeviceConformanceTest, CompletionsMaySubmit) {
  OpenQueue(1);
  AlignedBuffer buffer = Buffer(1);
  int completed = 0;
  std::function<void(const OpResult&)> next = [&](const OpResult& r) {
    EXPECT_THAT(r.status, IsOk());
    if (++completed == 100) return;
    EXPECT_THAT(queue_->Read(Blocks(completed, 1), buffer.data(), next), IsOk());
  };
  EXPECT_THAT(queue_->Read(Blocks(0, 1), buffer.data(), next), IsOk());
  while (queue_->in_flight() > 0) ASSERT_THAT(queue_->Wait(), IsOk());
  EXPECT_EQ(completed, 100);
}

TEST_P(DeviceConformanceTest, LargeOperationsAreSplitAndCompleteOnce) {
  const uint64_t blocks =
      std::min<uint64_t>(3 * geometry().max_transfer.value() + 1,
                         zoned() ? geometry().zone_capacity.value() : 512);
  for (int depth : {1, 2, 8}) {
    SCOPED_TRACE(depth);
    Open(Access::kReadWrite, depth);
    const DeviceRange range = Blocks(0, blocks);
    const AlignedBuffer data = Stamped(range, depth);
    int completed = 0;
    EXPECT_THAT(queue_->Write(range, data.data(), {},
                              [&](const OpResult& r) {
                                EXPECT_THAT(r.status, IsOk());
                                ++completed;
                              }),
                IsOk());
    while (queue_->in_flight() > 0) ASSERT_THAT(queue_->Wait(), IsOk());
    EXPECT_EQ(completed, 1);
    ExpectStamped(range, depth);
    EXPECT_EQ(device_->counters().writes, 1u);
    EXPECT_EQ(device_->counters().reads, 1u);
    EXPECT_EQ(device_->counters().blocks_written, DeviceBlockCount(blocks));
  }
}

TEST_P(DeviceConformanceTest, ManyLargeOperationsShareAShallowQueue) {
  OpenQueue(3);
  AlignedBuffer all = Buffer(3 * 40);
  for (uint64_t i = 0; i < 3; ++i) WriteStamped(Blocks(64 * i, 40), 1);
  int completed = 0;
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_THAT(
        queue_->Read(Blocks(64 * i, 40), all.data() + i * 40 * geometry().block_bytes,
                     [&](const OpResult& r) {
                       EXPECT_THAT(r.status, IsOk());
                       ++completed;
                     }),
        IsOk());
  }
  while (queue_->in_flight() > 0) ASSERT_THAT(queue_->Wait(), IsOk());
  EXPECT_EQ(completed, 3);
  const size_t bytes = 40 * geometry().block_bytes;
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(all.view().substr(i * bytes, bytes) ==
                Stamped(Blocks(64 * i, 40), 1).view());
  }
}

TEST_P(DeviceConformanceTest, WriteZeroesReadsAsZeroes) {
  WriteStamped(Blocks(0, 4), 1);
  if (zoned()) {
    EXPECT_THAT(Run([&](OpDone d) {
                  return queue_->WriteZeroes(Blocks(4, 20), std::move(d));
                }).status,
                IsOk());
    EXPECT_EQ(Zone(0).write_pointer, DeviceBlock(24));
  } else {
    WriteStamped(Blocks(4, 22), 1);
    EXPECT_THAT(Run([&](OpDone d) {
                  return queue_->WriteZeroes(Blocks(4, 20), std::move(d));
                }).status,
                IsOk());
    ExpectStamped(Blocks(24, 2), 1);
  }
  ExpectStamped(Blocks(0, 4), 1);
  ExpectZeroes(Blocks(4, 20));
  EXPECT_EQ(device_->counters().write_zeroes, 1u);
  EXPECT_EQ(device_->counters().blocks_zeroed, DeviceBlockCount(20));
}

TEST_P(DeviceConformanceTest, DeallocatedBlocksCanBeWrittenAgain) {
  WriteStamped(Blocks(0, 16), 1);
  const auto deallocate = [&](OpDone d) {
    return queue_->Deallocate(Blocks(3, 9), std::move(d));
  };
  if (zoned()) {
    EXPECT_THAT(Run(deallocate).status, StatusIs(absl::StatusCode::kUnimplemented));
    return;
  }
  EXPECT_THAT(Run(deallocate).status, IsOk());
  ExpectStamped(Blocks(0, 3), 1);
  ExpectStamped(Blocks(12, 4), 1);
  WriteStamped(Blocks(3, 9), 2);
  ExpectStamped(Blocks(3, 9), 2);
  EXPECT_EQ(device_->counters().blocks_deallocated, DeviceBlockCount(9));
}

TEST_P(DeviceConformanceTest, FlushSucceedsAndIsCounted) {
  EXPECT_THAT(FlushDevice(*queue_), IsOk());
  WriteStamped(Blocks(0, 1), 1);
  EXPECT_THAT(FlushDevice(*device_), IsOk());
  EXPECT_EQ(device_->counters().flushes, 2u);
  ExpectStamped(Blocks(0, 1), 1);
}

TEST_P(DeviceConformanceTest, CountersCountEachSuccessOnce) {
  AlignedBuffer buffer = Buffer(3);
  WriteStamped(Blocks(0, 2), 1);
  WriteStamped(Blocks(2, 3), 1);
  ASSERT_THAT(ReadBlocks(*queue_, Blocks(0, 3), buffer.data()), IsOk());
  EXPECT_FALSE(queue_->Read(Blocks(capacity(), 1), buffer.data(), Ignore()).ok());
  const DeviceCounters c = device_->counters();
  EXPECT_EQ(c.reads, 1u);
  EXPECT_EQ(c.writes, 2u);
  EXPECT_EQ(c.copies, 0u);
  EXPECT_EQ(c.blocks_read, DeviceBlockCount(3));
  EXPECT_EQ(c.blocks_written, DeviceBlockCount(5));
  EXPECT_EQ(c.bytes_read, 3u * geometry().block_bytes);
  EXPECT_EQ(c.bytes_written, 5u * geometry().block_bytes);
}

TEST_P(DeviceConformanceTest, ReadOnlyRefusesChanges) {
  Open(Access::kReadOnly, 4);
  AlignedBuffer buffer = Buffer(1);
  const auto denied = StatusIs(absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(queue_->Write(Blocks(0, 1), buffer.data(), {}, Ignore()), denied);
  EXPECT_THAT(
      queue_->Append(DeviceBlock(0), DeviceBlockCount(1), buffer.data(), {}, Ignore()),
      denied);
  EXPECT_THAT(queue_->WriteZeroes(Blocks(0, 1), Ignore()), denied);
  EXPECT_THAT(queue_->Deallocate(Blocks(0, 1), Ignore()), denied);
  EXPECT_THAT(queue_->Copy({Blocks(0, 1)}, DeviceBlock(64), {}, Ignore()), denied);
  EXPECT_THAT(queue_->ZoneReset(DeviceBlock(0), Ignore()), denied);
  ExpectZeroes(Blocks(0, 1));
}

TEST_P(DeviceConformanceTest, DestroyingAQueueDropsItsCompletions) {
  AlignedBuffer buffer = Buffer(32);
  bool ran = false;
  EXPECT_THAT(
      queue_->Read(Blocks(0, 32), buffer.data(), [&](const OpResult&) { ran = true; }),
      IsOk());
  EXPECT_THAT(queue_->Write(Blocks(0, 1), buffer.data(), {},
                            [&](const OpResult&) { ran = true; }),
              IsOk());
  queue_.reset();
  EXPECT_FALSE(ran);
  OpenQueue(1);
  ExpectZeroes(Blocks(64, 1));  // the device still works
}

TEST_P(DeviceConformanceTest, ThreadsWithTheirOwnQueuesDoNotDisturbEachOther) {
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([this, t] {
      const auto queue = device_->OpenQueue(4);
      ASSERT_THAT(queue, IsOk());
      for (uint64_t i = 0; i < 40; ++i) {
        const DeviceRange range = Blocks(64 * t + i, 1);
        const AlignedBuffer data = Stamped(range, t);
        AlignedBuffer back = Buffer(1);
        ASSERT_THAT(WriteBlocks(**queue, range, data.data()), IsOk());
        ASSERT_THAT(ReadBlocks(**queue, range, back.data()), IsOk());
        ASSERT_TRUE(back.view() == data.view());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(device_->counters().writes, 120u);
  EXPECT_EQ(device_->counters().reads, 120u);
}

// Zones are written in order only.
class RandomWritesConformanceTest : public DeviceConformanceTest {};

// Many operations in flight at once, against a plain array.
TEST_P(RandomWritesConformanceTest, RandomOperationsMatchAModel) {
  const uint64_t seed = 20240607;
  SCOPED_TRACE(seed);
  Random random(seed);
  std::string model(256 * geometry().block_bytes, '\0');
  constexpr int kSlots = 8;  // slot i works on blocks 32 i to 32 i + 31: no two overlap
  std::vector<AlignedBuffer> buffers;
  for (int i = 0; i < kSlots; ++i) buffers.push_back(Buffer(32));
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < kSlots; ++i) {
      const uint64_t offset = random.Below(32);
      const DeviceRange range = Blocks(32 * i + offset, 1 + random.Below(32 - offset));
      const size_t at = range.start.value() * geometry().block_bytes;
      const size_t bytes = range.count.value() * geometry().block_bytes;
      AlignedBuffer& buffer = buffers[i];
      const auto expect_ok = [](const OpResult& r) { EXPECT_THAT(r.status, IsOk()); };
      switch (random.Below(3)) {
        case 0:
          std::memcpy(buffer.data(), Stamped(range, round).data(), bytes);
          std::memcpy(model.data() + at, buffer.data(), bytes);
          ASSERT_THAT(queue_->Write(range, buffer.data(), {}, expect_ok), IsOk());
          break;
        case 1:
          std::memset(model.data() + at, 0, bytes);
          ASSERT_THAT(queue_->WriteZeroes(range, expect_ok), IsOk());
          break;
        default:
          ASSERT_THAT(
              queue_->Read(range, buffer.data(),
                           [&, at, bytes](const OpResult& r) {
                             EXPECT_THAT(r.status, IsOk());
                             EXPECT_EQ(
                                 std::memcmp(buffer.data(), model.data() + at, bytes), 0);
                           }),
              IsOk());
      }
    }
    while (queue_->in_flight() > 0) ASSERT_THAT(queue_->Wait(), IsOk());
  }
  ExpectContents(Blocks(0, 256), model);
}

INSTANTIATE_TEST_SUITE_P(Backends, DeviceConformanceTest, ::testing::ValuesIn(Backends()),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Backends, RandomWritesConformanceTest,
                         ::testing::ValuesIn(BackendsThat([](const Backend& b) {
                           return !b.zoned;
                         })),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace gleaner::testing
