// Zone rules, checked on every zoned backend; the others have no zones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "device/device.h"
#include "tests/device/conformance.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class ZoneConformanceTest : public DeviceConformanceTest {
 protected:
  absl::Status ZoneOp(absl::Status (IoQueue::*op)(DeviceBlock, OpDone), uint64_t zone) {
    return Run([&](OpDone d) {
             return (queue_.get()->*op)(DeviceBlock(zone), std::move(d));
           })
        .status;
  }
  OpResult Write(DeviceRange range) {
    const AlignedBuffer data = Stamped(range, 1);
    return Run(
        [&](OpDone d) { return queue_->Write(range, data.data(), {}, std::move(d)); });
  }
};

class NoZoneConformanceTest : public DeviceConformanceTest {};
class ZoneCopyConformanceTest : public ZoneConformanceTest {};

TEST_P(NoZoneConformanceTest, WithoutZonesThereAreNoZoneOperations) {
  AlignedBuffer buffer = Buffer(1);
  const auto unimplemented =
      StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("not zoned"));
  EXPECT_THAT(
      queue_->Append(DeviceBlock(0), DeviceBlockCount(1), buffer.data(), {}, Ignore()),
      unimplemented);
  EXPECT_THAT(queue_->ZoneOpen(DeviceBlock(0), Ignore()), unimplemented);
  EXPECT_THAT(queue_->ZoneClose(DeviceBlock(0), Ignore()), unimplemented);
  EXPECT_THAT(queue_->ZoneFinish(DeviceBlock(0), Ignore()), unimplemented);
  EXPECT_THAT(queue_->ZoneReset(DeviceBlock(0), Ignore()), unimplemented);
  EXPECT_THAT(device_->ReportZones(Blocks(0, 1)), unimplemented);
}

TEST_P(ZoneConformanceTest, ZonesAreReported) {
  EXPECT_EQ(geometry().zone_size, DeviceBlockCount(64));
  EXPECT_EQ(geometry().zone_capacity, DeviceBlockCount(48));
  WriteStamped(Blocks(64, 5), 1);
  ASSERT_OK_AND_ASSIGN(const auto zones, device_->ReportZones(Blocks(63, 66)));
  ASSERT_EQ(zones.size(), 3u);
  EXPECT_EQ(zones[0].start, DeviceBlock(0));
  EXPECT_EQ(zones[0].state, ZoneState::kEmpty);
  EXPECT_EQ(zones[0].write_pointer, DeviceBlock(0));
  EXPECT_EQ(zones[1].start, DeviceBlock(64));
  EXPECT_EQ(zones[1].capacity, DeviceBlockCount(48));
  EXPECT_EQ(zones[1].write_pointer, DeviceBlock(69));
  EXPECT_EQ(zones[1].state, ZoneState::kOpen);
  EXPECT_EQ(zones[2].start, DeviceBlock(128));
  EXPECT_THAT(device_->ReportZones(Blocks(0, capacity() + 1)),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_P(ZoneConformanceTest, WritesGoToTheWritePointer) {
  EXPECT_THAT(Write(Blocks(1, 1)).status,
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Write(Blocks(0, 2)).status, IsOk());
  EXPECT_THAT(Write(Blocks(0, 2)).status,
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Write(Blocks(3, 1)).status,
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Write(Blocks(2, 1)).status, IsOk());
  EXPECT_EQ(Zone(0).write_pointer, DeviceBlock(3));
  ExpectStamped(Blocks(0, 2), 1);
  EXPECT_EQ(device_->counters().writes, 2u);
}

TEST_P(ZoneConformanceTest, AZoneIsFullAtItsCapacity) {
  EXPECT_THAT(Write(Blocks(0, 49)).status, StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(Write(Blocks(48, 1)).status, StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(Write(Blocks(0, 48)).status, IsOk());
  EXPECT_EQ(Zone(0).state, ZoneState::kFull);
  EXPECT_EQ(Zone(0).write_pointer, DeviceBlock(48));
  AlignedBuffer data = Buffer(1);
  EXPECT_THAT(Run([&](OpDone d) {
                return queue_->Append(DeviceBlock(0), DeviceBlockCount(1), data.data(),
                                      {}, std::move(d));
              }).status,
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_P(ZoneConformanceTest, ReadsCrossZones) {
  WriteStamped(Blocks(0, 48), 1);
  WriteStamped(Blocks(64, 3), 1);
  AlignedBuffer data = Buffer(67);
  ASSERT_THAT(ReadBlocks(*queue_, Blocks(0, 67), data.data()), IsOk());
  const size_t zone_bytes = 64 * geometry().block_bytes;
  EXPECT_TRUE(data.view().substr(0, 48 * geometry().block_bytes) ==
              Stamped(Blocks(0, 48), 1).view());
  EXPECT_TRUE(data.view().substr(zone_bytes) == Stamped(Blocks(64, 3), 1).view());
}

TEST_P(ZoneConformanceTest, AppendsInFlightTogetherSayWhereTheyWent) {
  std::vector<AlignedBuffer> data;
  std::vector<DeviceBlock> at(4);
  for (uint64_t i = 0; i < 4; ++i) data.push_back(Stamped(Blocks(i, 2), 7));
  for (size_t i = 0; i < 4; ++i) {
    ASSERT_THAT(queue_->Append(DeviceBlock(128), DeviceBlockCount(2), data[i].data(), {},
                               [&at, i](const OpResult& r) {
                                 EXPECT_THAT(r.status, IsOk());
                                 at[i] = r.written_at;
                               }),
                IsOk());
  }
  while (queue_->in_flight() > 0) ASSERT_THAT(queue_->Wait(), IsOk());
  for (size_t i = 0; i < 4; ++i)
    ExpectContents({at[i], DeviceBlockCount(2)}, data[i].view());
  std::sort(at.begin(), at.end());
  EXPECT_EQ(at, (std::vector<DeviceBlock>{DeviceBlock(128), DeviceBlock(130),
                                          DeviceBlock(132), DeviceBlock(134)}));
  EXPECT_EQ(Zone(128).write_pointer, DeviceBlock(136));
  EXPECT_EQ(device_->counters().writes, 4u);
}

TEST_P(ZoneConformanceTest, AppendsAreLimited) {
  AlignedBuffer data = Buffer(64);
  const auto append = [&](uint64_t zone, uint64_t count) {
    return queue_->Append(DeviceBlock(zone), DeviceBlockCount(count), data.data(), {},
                          Ignore());
  };
  EXPECT_THAT(append(1, 1), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(append(0, 49), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(append(0, geometry().max_transfer.value() + 1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("transfer limit")));
}

TEST_P(ZoneConformanceTest, OneWriteInFlightPerZone) {
  AlignedBuffer data = Buffer(1);
  std::vector<absl::Status> results(3);
  const auto submit = [&](uint64_t block, size_t i) {
    ASSERT_THAT(
        queue_->Write(Blocks(block, 1), data.data(), {},
                      [&results, i](const OpResult& r) { results[i] = r.status; }),
        IsOk());
  };
  submit(0, 0);
  submit(1, 1);
  submit(64, 2);
  while (queue_->in_flight() > 0) ASSERT_THAT(queue_->Wait(), IsOk());
  EXPECT_THAT(results[0], IsOk());
  EXPECT_THAT(results[1],
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("in flight")));
  EXPECT_THAT(results[2], IsOk());
  EXPECT_THAT(Write(Blocks(1, 1)).status, IsOk());  // the zone is free again
}

TEST_P(ZoneConformanceTest, AWriteInADestroyedQueueFreesItsZone) {
  AlignedBuffer data = Buffer(1);
  ASSERT_THAT(queue_->Write(Blocks(0, 1), data.data(), {}, Ignore()), IsOk());
  OpenQueue(4);
  const uint64_t next = Zone(0).write_pointer.value();  // executed or not, both are legal
  EXPECT_THAT(Write(Blocks(next, 1)).status, IsOk());
}

TEST_P(ZoneConformanceTest, OpenAndActiveZonesAreLimited) {
  ASSERT_EQ(geometry().max_open_zones, 3u);
  ASSERT_EQ(geometry().max_active_zones, 4u);
  const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Write(Blocks(0, 1)).status, IsOk());
  EXPECT_THAT(Write(Blocks(64, 1)).status, IsOk());
  EXPECT_THAT(ZoneOp(&IoQueue::ZoneOpen, 128), IsOk());
  EXPECT_EQ(Zone(128).state, ZoneState::kOpen);
  EXPECT_THAT(Write(Blocks(192, 1)).status, refused);  // three are open
  EXPECT_THAT(ZoneOp(&IoQueue::ZoneClose, 0), IsOk());
  EXPECT_EQ(Zone(0).state, ZoneState::kClosed);
  EXPECT_THAT(Write(Blocks(192, 1)).status, IsOk());
  EXPECT_THAT(ZoneOp(&IoQueue::ZoneClose, 64), IsOk());
  EXPECT_THAT(Write(Blocks(256, 1)).status,
              refused);  // two open, two closed: four active
  EXPECT_THAT(ZoneOp(&IoQueue::ZoneFinish, 64), IsOk());
  EXPECT_THAT(Write(Blocks(256, 1)).status, IsOk());
}

TEST_P(ZoneConformanceTest, AClosedZoneReopensAndAnEmptyOneCloses) {
  EXPECT_THAT(ZoneOp(&IoQueue::ZoneClose, 0),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(ZoneOp(&IoQueue::ZoneOpen, 0), IsOk());
  EXPECT_THAT(ZoneOp(&IoQueue::ZoneClose, 0), IsOk());
  // NVMe keeps it closed; what follows the rules of ZBC makes it empty again.
  EXPECT_THAT(Zone(0).state, AnyOf(ZoneState::kEmpty, ZoneState::kClosed));
  EXPECT_EQ(Zone(0).write_pointer, DeviceBlock(0));
  EXPECT_THAT(Write(Blocks(0, 1)).status, IsOk());
  EXPECT_THAT(ZoneOp(&IoQueue::ZoneClose, 0), IsOk());
  EXPECT_THAT(Write(Blocks(1, 1)).status, IsOk());
  EXPECT_EQ(Zone(0).state, ZoneState::kOpen);
  EXPECT_THAT(ZoneOp(&IoQueue::ZoneOpen, 3),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(device_->counters().zone_operations, 3u);
}

TEST_P(ZoneConformanceTest, FinishFillsAndResetEmpties) {
  EXPECT_THAT(Write(Blocks(0, 5)).status, IsOk());
  EXPECT_THAT(ZoneOp(&IoQueue::ZoneFinish, 0), IsOk());
  EXPECT_EQ(Zone(0).state, ZoneState::kFull);
  EXPECT_THAT(Write(Blocks(5, 1)).status,
              StatusIs(absl::StatusCode::kFailedPrecondition));
  ExpectStamped(Blocks(0, 5), 1);
  EXPECT_THAT(ZoneOp(&IoQueue::ZoneReset, 0), IsOk());
  EXPECT_EQ(Zone(0).state, ZoneState::kEmpty);
  EXPECT_EQ(Zone(0).write_pointer, DeviceBlock(0));
  EXPECT_THAT(Write(Blocks(0, 1)).status, IsOk());
}

TEST_P(ZoneCopyConformanceTest, CopyGoesToTheWritePointer) {
  EXPECT_THAT(Write(Blocks(0, 48)).status, IsOk());
  EXPECT_THAT(Copy({Blocks(4, 2)}, 65).status,
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Copy({Blocks(4, 2), Blocks(1, 1)}, 64).status, IsOk());
  EXPECT_EQ(Zone(64).write_pointer, DeviceBlock(67));
  EXPECT_THAT(Copy({Blocks(60, 8)}, 128).status,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("zone")));
  EXPECT_THAT(Copy({Blocks(0, 8)}, 128 + 41).status,
              StatusIs(absl::StatusCode::kOutOfRange));
}

INSTANTIATE_TEST_SUITE_P(Backends, ZoneConformanceTest,
                         ::testing::ValuesIn(BackendsThat([](const Backend& b) {
                           return b.zoned;
                         })),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Backends, NoZoneConformanceTest,
                         ::testing::ValuesIn(BackendsThat([](const Backend& b) {
                           return !b.zoned;
                         })),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Backends, ZoneCopyConformanceTest,
                         ::testing::ValuesIn(BackendsThat([](const Backend& b) {
                           return b.zoned && b.copies;
                         })),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace gleaner::testing
