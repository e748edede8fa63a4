// What is particular to NVMe: nodes, identify data, limits, statuses. The rest is in the
// conformance suites.
#include "device/nvme_device.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "tests/device/fake_nvme.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::FakeNvme;
using ::gleaner::testing::FakeNvmeController;
using ::gleaner::testing::FakeNvmeSetup;
using ::gleaner::testing::IsOk;
using ::gleaner::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

DeviceRange Blocks(uint64_t start, uint64_t count) {
  return {DeviceBlock(start), DeviceBlockCount(count)};
}

class NvmeDeviceTest : public ::testing::Test {
 protected:
  void TearDown() override {
    queue_.reset();
    device_.reset();
  }
  absl::StatusOr<std::unique_ptr<Device>> OpenNode(const std::string& path,
                                                   Access access = Access::kReadWrite) {
    return OpenNvmeDevice(path, fake_->options(access));
  }
  absl::Status OpenSetup(const FakeNvmeSetup& setup) {
    fake_ = std::make_unique<FakeNvme>(setup);
    return OpenNode(fake_->block_node()).status();
  }
  void Open(const FakeNvmeSetup& setup) {
    fake_ = std::make_unique<FakeNvme>(setup);
    const std::string node = setup.nodes.partition_sectors != 0 ? fake_->partition_node()
                             : setup.nodes.block                ? fake_->block_node()
                                                                : fake_->generic_node();
    ASSERT_OK_AND_ASSIGN(device_, OpenNode(node));
    ASSERT_OK_AND_ASSIGN(queue_, device_->OpenQueue(4));
  }
  FakeNvmeController& controller() { return fake_->controller(); }

  template <typename Submit>
  OpResult Run(Submit submit) {
    OpResult result;
    EXPECT_THAT(submit([&](const OpResult& r) { result = r; }), IsOk());
    EXPECT_THAT(queue_->Wait(), IsOk());
    return result;
  }
  OpResult Copy(std::vector<DeviceRange> sources, uint64_t target,
                CopyOptions options = {}) {
    return Run([&](OpDone done) {
      return queue_->Copy(sources, DeviceBlock(target), options, std::move(done));
    });
  }
  OpResult Write(uint64_t block, PlacementHint hint = {}) {
    AlignedBuffer data(device_->geometry().block_bytes);
    return Run([&](OpDone done) {
      return queue_->Write(Blocks(block, 1), data.data(), {.hint = hint},
                           std::move(done));
    });
  }

  std::unique_ptr<FakeNvme> fake_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<IoQueue> queue_;
};

// ---- Nodes ----

TEST_F(NvmeDeviceTest, AllNodesOfANamespaceAreOneDevice) {
  fake_ = std::make_unique<FakeNvme>(FakeNvmeSetup{.controller = {.block_bytes = 512}});
  for (const std::string& node : {fake_->block_node(), fake_->generic_node()}) {
    ASSERT_OK_AND_ASSIGN(device_, OpenNode(node));
    EXPECT_EQ(device_->name(), "nvme:" + node);
    EXPECT_EQ(device_->geometry().block_bytes, 512u);
    EXPECT_EQ(device_->geometry().capacity, DeviceBlockCount(512));
    AlignedBuffer data(512);
    EXPECT_THAT(WriteBlocks(*device_, Blocks(9, 1), data.data()), IsOk());
    device_.reset();
  }
  EXPECT_THAT(controller().seen(0x01), SizeIs(2));
}

TEST_F(NvmeDeviceTest, WrongNodesAreNamed) {
  fake_ = std::make_unique<FakeNvme>(FakeNvmeSetup{});
  const auto invalid = [](absl::string_view what) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(std::string(what)));
  };
  EXPECT_THAT(OpenNode(fake_->controller_node()),
              invalid("is an NVMe controller, not a namespace; name a namespace, such as "
                      "/dev/nvme0n1"));
  EXPECT_THAT(OpenNode(fake_->other_disk_node()), invalid("is no NVMe namespace"));
  EXPECT_THAT(OpenNode(fake_->directory()), invalid("is no device node"));
  EXPECT_THAT(OpenNode(fake_->directory() + "/sys/class/block/nvme7n1/ro"),
              invalid("is a regular file, not an NVMe namespace; file:"));
  EXPECT_THAT(OpenNode(fake_->directory() + "/dev/nvme9n1"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/dev/nvme9n1")));
  EXPECT_THAT(OpenNode(fake_->dangling_node()),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no device behind")));
}

TEST_F(NvmeDeviceTest, APartitionKeepsToItsPlace) {
  Open({.controller = {.block_bytes = 512, .blocks = 300},
        .nodes = {.partition_start = 100, .partition_sectors = 64}});
  EXPECT_EQ(device_->geometry().capacity, DeviceBlockCount(64));
  AlignedBuffer data(512);
  data.data()[3] = 'x';
  ASSERT_THAT(WriteBlocks(*queue_, Blocks(63, 1), data.data()), IsOk());
  EXPECT_EQ(controller().Contents(163, 1)[3], 'x');
  ASSERT_THAT(Copy({Blocks(63, 1)}, 0).status, IsOk());
  EXPECT_EQ(controller().Contents(100, 1)[3], 'x');
  EXPECT_EQ(controller().Contents(0, 100), std::string(100 * 512, '\0'));
  EXPECT_THAT(WriteBlocks(*queue_, Blocks(64, 1), data.data()),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(NvmeDeviceTest, PartitionsThatDoNotFitAreRefused) {
  const auto open = [this](uint64_t start, uint64_t sectors) {
    fake_ = std::make_unique<FakeNvme>(
        FakeNvmeSetup{.nodes = {.partition_start = start, .partition_sectors = sectors}});
    return OpenNode(fake_->partition_node()).status();
  };
  EXPECT_THAT(open(8, 8), IsOk());
  EXPECT_THAT(open(12, 64), StatusIs(absl::StatusCode::kInvalidArgument,
                                     HasSubstr("does not begin at a block of 4096")));
  EXPECT_THAT(open(8, 7), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(open(8 * 512, 8), StatusIs(absl::StatusCode::kUnavailable,
                                         HasSubstr("past the namespace's end")));
  EXPECT_THAT(open(8, 8 * 512), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(NvmeDeviceTest, ASecondOpeningForWritingIsRefused) {
  Open({});
  EXPECT_THAT(OpenNode(fake_->generic_node()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("in use")));
  EXPECT_THAT(OpenNode(fake_->block_node()),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(OpenNode(fake_->generic_node(), Access::kReadOnly), IsOk());
  TearDown();
  EXPECT_THAT(OpenNode(fake_->generic_node()), IsOk());
}

TEST_F(NvmeDeviceTest, WithoutPassthroughTheIoctlServesAndSaysSo) {
  Open({});  // no such file takes commands by io_uring
  EXPECT_THAT(fake_->messages(),
              ElementsAre(AllOf(HasSubstr(fake_->block_node()),
                                HasSubstr("no io_uring passthrough (Operation not"),
                                HasSubstr("ioctl"))));
  EXPECT_THAT(Write(3).status, IsOk());
  Open({.nodes = {.generic = false}});
  EXPECT_THAT(fake_->messages(), ElementsAre(HasSubstr("has no generic node")));
  EXPECT_THAT(Write(3).status, IsOk());
  Open({.nodes = {.block = false}});
  EXPECT_THAT(Write(3).status, IsOk());
}

// ---- Identify data ----

TEST_F(NvmeDeviceTest, GeometryIsWhatTheDeviceAndTheKernelSay) {
  Open({.controller = {.mdts = 5, .awupf_0 = 15, .vwc = 1}});
  EXPECT_EQ(device_->geometry().max_transfer, DeviceBlockCount(32));  // MDTS
  EXPECT_EQ(device_->geometry().atomic_write, DeviceBlockCount(16));
  EXPECT_TRUE(device_->geometry().volatile_write_cache);
  Open({.nodes = {.max_hw_sectors_kb = "512"}});
  EXPECT_EQ(device_->geometry().max_transfer, DeviceBlockCount(126));  // of segments
  EXPECT_EQ(device_->geometry().atomic_write, DeviceBlockCount(1));
  EXPECT_FALSE(device_->geometry().volatile_write_cache);
  Open({.nodes = {.max_hw_sectors_kb = "256"}});
  EXPECT_EQ(device_->geometry().max_transfer, DeviceBlockCount(64));
  Open({.nodes = {.max_segments = ""}});
  EXPECT_EQ(device_->geometry().max_transfer, DeviceBlockCount(32));  // not known
  Open({.controller = {.zone_blocks = 64, .zone_capacity = 48, .zasl = 2, .mdts = 5}});
  EXPECT_EQ(device_->geometry().max_transfer, DeviceBlockCount(4));
}

TEST_F(NvmeDeviceTest, HostTrafficIsWhatTheDriveHasCounted) {
  Open({.controller = {.data_units_read = 3, .data_units_written = 20}});
  ASSERT_OK_AND_ASSIGN(const HostTraffic traffic, device_->ReportHostTraffic());
  EXPECT_EQ(traffic.bytes_read, 1'536'000u);
  EXPECT_EQ(traffic.bytes_written, 10'240'000u);
}

TEST_F(NvmeDeviceTest, CopyLimitsAreWhatTheDeviceSays) {
  Open({.controller = {.mssrl = 100, .mcl = 70000, .msrc_0 = 255}});
  EXPECT_EQ(device_->hardware_copy_limits(), (CopyLimits{.max_copy_blocks = 70000,
                                                         .max_copy_ranges = 256,
                                                         .max_range_blocks = 100}));
  // Advertised without limits: what may be tried is what a command can say.
  Open({.controller = {.hides_copy_limits = true}});
  EXPECT_EQ(device_->hardware_copy_limits(), (CopyLimits{.unknown = true}));
  EXPECT_EQ(device_->copy_limits(), (CopyLimits{.max_copy_blocks = 65536,
                                                .max_copy_ranges = 256,
                                                .max_range_blocks = 65536,
                                                .unknown = true}));
  // What it does say is believed.
  Open({.controller = {.mssrl = 0, .mcl = 20, .msrc_0 = 3}});
  EXPECT_EQ(device_->copy_limits(), (CopyLimits{.max_copy_blocks = 20,
                                                .max_copy_ranges = 4,
                                                .max_range_blocks = 65536,
                                                .unknown = true}));
  Open({.controller = {.oncs = 0x0c}});
  EXPECT_EQ(device_->hardware_copy_limits(), (CopyLimits{.copy_offload = false}));
}

TEST_F(NvmeDeviceTest, FormatsThatCannotBeKeptAreRefused) {
  const auto unimplemented = [](absl::string_view what) {
    return StatusIs(absl::StatusCode::kUnimplemented, HasSubstr(std::string(what)));
  };
  EXPECT_THAT(OpenSetup({.controller = {.metadata_bytes = 8}}),
              unimplemented("8 bytes of metadata"));
  EXPECT_THAT(OpenSetup({.controller = {.dps = 1}}), unimplemented("protection type 1"));
  EXPECT_THAT(OpenSetup({.controller = {.block_bytes = 131072, .blocks = 4}}),
              unimplemented("512 to 65536"));
  EXPECT_THAT(OpenSetup({.controller = {.csi = 1}}), unimplemented("command set 1"));
  EXPECT_THAT(OpenSetup({.controller = {.blocks = 64, .zone_blocks = 128}}),
              unimplemented("zone size of 128"));
}

TEST_F(NvmeDeviceTest, AWriteProtectedNamespaceIsOnlyRead) {
  for (const FakeNvmeSetup& setup : {FakeNvmeSetup{.controller = {.nsattr = 1}},
                                     FakeNvmeSetup{.nodes = {.read_only = "1"}}}) {
    EXPECT_THAT(OpenSetup(setup), StatusIs(absl::StatusCode::kPermissionDenied,
                                           HasSubstr("is write-protected")));
    EXPECT_THAT(OpenNode(fake_->block_node(), Access::kReadOnly), IsOk());
  }
}

TEST_F(NvmeDeviceTest, ErrorsOfTheSystemAreExplained) {
  fake_ = std::make_unique<FakeNvme>(FakeNvmeSetup{});
  fake_->FailIoctls(EACCES);
  EXPECT_THAT(OpenNode(fake_->block_node()),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("run as root")));
  fake_->FailIoctls(ENODEV);
  EXPECT_THAT(OpenNode(fake_->block_node()), StatusIs(absl::StatusCode::kUnavailable));
  fake_->FailIoctls(ENOTTY);
  EXPECT_THAT(OpenNode(fake_->block_node()), StatusIs(absl::StatusCode::kInvalidArgument,
                                                      HasSubstr("take NVMe commands")));
}

// ---- Zones ----

TEST_F(NvmeDeviceTest, ZonesOfUnlikeCapacityAreRefused) {
  Open({.controller = {
            .blocks = 256 * 16, .zone_blocks = 16, .zone_capacity = 12, .mdts = 1}});
  EXPECT_EQ(device_->geometry().zones(), 256u);  // more than one report holds
  EXPECT_EQ(device_->geometry().zone_capacity, DeviceBlockCount(12));
  ASSERT_OK_AND_ASSIGN(const auto zones, device_->ReportZones(Blocks(17, 4000)));
  ASSERT_THAT(zones, SizeIs(251));
  EXPECT_EQ(zones.front().start, DeviceBlock(16));
  EXPECT_EQ(zones.back().start, DeviceBlock(16 * 251));
  TearDown();
  controller().SetZoneCapacity(200, 11);
  EXPECT_THAT(OpenNode(fake_->block_node()),
              StatusIs(absl::StatusCode::kUnimplemented,
                       HasSubstr("unlike capacity: 12 blocks, and 11 at block 3200")));
  controller().SetZoneState(200, 0xf);  // offline: nobody will use it
  EXPECT_THAT(OpenNode(fake_->block_node()), IsOk());
}

// ---- Commands ----

TEST_F(NvmeDeviceTest, AFailedCopySaysHowFarItCame) {
  Open({});
  controller().FailNext(0x19, 0x4281, 1);
  const OpResult result = Copy({Blocks(0, 1), Blocks(8, 2)}, 64);
  EXPECT_THAT(
      result.status,
      StatusIs(absl::StatusCode::kDataLoss,
               AllOf(HasSubstr(device_->name()), HasSubstr("copy at block 64 (3 blocks)"),
                     HasSubstr("unrecovered read error (NVMe status 2h/81h"))));
  EXPECT_EQ(result.ranges_copied, 1u);
  EXPECT_EQ(result.nvme.type, 2);
  EXPECT_EQ(result.nvme.code, 0x81);
  EXPECT_TRUE(result.nvme.do_not_retry);
}

TEST_F(NvmeDeviceTest, AVanishedNamespaceIsUnavailable) {
  Open({});
  controller().FailNext(0x01, 0x0370);
  EXPECT_THAT(Write(0).status,
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("host path error")));
  fake_->FailIoctls(ENODEV);
  const OpResult result = Write(5);
  EXPECT_THAT(result.status, StatusIs(absl::StatusCode::kUnavailable,
                                      HasSubstr("write at block 5: No such device")));
  EXPECT_EQ(result.nvme.code, 0);
}

TEST_F(NvmeDeviceTest, WhatAResetCancelsIsRepeatedUnlessItMovesAWritePointer) {
  Open({});
  fake_->LoseNextCompletion(EINTR);
  EXPECT_THAT(Write(3).status, IsOk());
  EXPECT_THAT(controller().seen(0x01), SizeIs(2));
  fake_->LoseNextCompletion(EINTR);
  EXPECT_THAT(Copy({Blocks(0, 1)}, 9).status, IsOk());
  EXPECT_THAT(controller().seen(0x19), SizeIs(2));
  Open({.controller = {.zone_blocks = 64, .zone_capacity = 48}});
  fake_->LoseNextCompletion(EINTR);
  EXPECT_THAT(Write(0).status,
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("write at block 0: cancelled by a reset")));
  AlignedBuffer data(4096);
  fake_->LoseNextCompletion(EINTR);
  const auto append = [&](OpDone done) {
    return queue_->Append(DeviceBlock(64), DeviceBlockCount(1), data.data(), {},
                          std::move(done));
  };
  EXPECT_THAT(Run(append).status, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(controller().seen(0x7d), SizeIs(1));
  fake_->LoseNextCompletion(EINTR);
  const auto reset = [&](OpDone d) {
    return queue_->ZoneReset(DeviceBlock(0), std::move(d));
  };
  EXPECT_THAT(Run(reset).status, IsOk());
  EXPECT_THAT(Write(0).status, IsOk());
}

TEST_F(NvmeDeviceTest, ACommandWaitsForAPath) {
  Open({});
  fake_->LoseNextCompletion(EAGAIN);
  EXPECT_THAT(Write(3).status, IsOk());
  EXPECT_THAT(controller().seen(0x01), SizeIs(2));
  // Whoever leaves meanwhile does not wait.
  fake_->FailIoctls(EAGAIN);
  AlignedBuffer data(4096);
  EXPECT_THAT(queue_->Read(Blocks(0, 1), data.data(), [](const OpResult&) {}), IsOk());
  queue_.reset();
}

TEST_F(NvmeDeviceTest, HintsGoOnlyToDevicesThatTakeThem) {
  const PlacementHint hint = {.dtype = 2, .dspec = 5};
  Open({.controller = {.enabled_directives = 0b100}});
  EXPECT_THAT(Write(0, hint).status, IsOk());
  EXPECT_THAT(Copy({Blocks(0, 1)}, 9, {.hint = hint}).status, IsOk());
  EXPECT_THAT(Write(0, {.dtype = 1, .dspec = 5}).status, IsOk());
  const auto writes = controller().seen(0x01);
  EXPECT_EQ(writes[0].command.cdw12, 0x00200000u);
  EXPECT_EQ(writes[0].command.cdw13, 0x00050000u);
  EXPECT_EQ(writes[1].command.cdw12, 0u);
  EXPECT_EQ(controller().seen(0x19)[0].command.cdw13, 0x00050000u);
  Open({});
  EXPECT_THAT(Write(0, hint).status, IsOk());
  EXPECT_EQ(controller().seen(0x01)[0].command.cdw12, 0u);
}

TEST_F(NvmeDeviceTest, ZeroesAndDeallocationsKeepTheirOwnLimits) {
  Open({.controller = {.wzsl = 1, .dmrsl = 100}});  // 8 KiB
  const auto zero = [&](OpDone d) {
    return queue_->WriteZeroes(Blocks(3, 5), std::move(d));
  };
  EXPECT_THAT(Run(zero).status, IsOk());
  const auto zeroes = controller().seen(0x08);
  ASSERT_THAT(zeroes, SizeIs(3));
  EXPECT_EQ(zeroes[2].command.cdw10, 7u);
  EXPECT_EQ(zeroes[2].command.cdw12, 0u);
  const auto free = [&](OpDone d) {
    return queue_->Deallocate(Blocks(0, 250), std::move(d));
  };
  EXPECT_THAT(Run(free).status, IsOk());
  ASSERT_THAT(controller().seen(0x09), SizeIs(3));
  EXPECT_EQ(controller().Contents(249, 1)[0], '\xdd');
  EXPECT_EQ(controller().Contents(250, 1)[0], '\0');
  EXPECT_EQ(device_->counters().deallocates, 1u);
}

TEST_F(NvmeDeviceTest, WithoutTheirCommandsZeroesAreWrittenAndNothingIsDeallocated) {
  Open({.controller = {.oncs = 0}});
  AlignedBuffer data(4096);
  data.data()[7] = 'x';
  ASSERT_THAT(WriteBlocks(*queue_, Blocks(3, 1), data.data()), IsOk());
  const auto free = [&](OpDone d) {
    return queue_->Deallocate(Blocks(3, 1), std::move(d));
  };
  EXPECT_THAT(Run(free).status, IsOk());
  EXPECT_EQ(controller().Contents(3, 1)[7], 'x');
  const auto zero = [&](OpDone d) {
    return queue_->WriteZeroes(Blocks(3, 1), std::move(d));
  };
  EXPECT_THAT(Run(zero).status, IsOk());
  EXPECT_EQ(controller().Contents(3, 1)[7], '\0');
  EXPECT_THAT(controller().seen(0x08), IsEmpty());
  EXPECT_THAT(controller().seen(0x09), IsEmpty());
}

}  // namespace
}  // namespace gleaner
