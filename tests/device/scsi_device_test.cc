// What is particular to SCSI: nodes, what a disk says of itself, sense data, copies. The rest is in
// the conformance suites.
#include "device/scsi_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "device/copy_engine.h"
#include "tests/device/copy_testing.h"
#include "tests/device/fake_scsi.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::Blocks;
using ::gleaner::testing::FakeScsi;
using ::gleaner::testing::FakeScsiSetup;
using ::gleaner::testing::FakeScsiTarget;
using ::gleaner::testing::IsOk;
using ::gleaner::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Code = absl::StatusCode;

constexpr uint8_t kRead = 0x88;
constexpr uint8_t kWrite = 0x8a;
constexpr uint8_t kCopy = 0x83;

class ScsiDeviceTest : public ::testing::Test {
 protected:
  void TearDown() override {
    queue_.reset();
    device_.reset();
  }
  absl::StatusOr<std::unique_ptr<Device>> OpenNode(const std::string& path,
                                                   Access access = Access::kReadWrite) {
    return OpenScsiDevice(path, fake_->options(access));
  }
  absl::Status OpenSetup(const FakeScsiSetup& setup) {
    TearDown();
    fake_ = std::make_unique<FakeScsi>(setup);
    return OpenNode(setup.nodes.block ? fake_->block_node() : fake_->generic_node())
        .status();
  }
  void Open(const FakeScsiSetup& setup) {
    TearDown();
    fake_ = std::make_unique<FakeScsi>(setup);
    const std::string node = setup.nodes.partition_sectors != 0 ? fake_->partition_node()
                             : setup.nodes.block                ? fake_->block_node()
                                                                : fake_->generic_node();
    ASSERT_OK_AND_ASSIGN(device_, OpenNode(node));
    ASSERT_OK_AND_ASSIGN(queue_, device_->OpenQueue(4));
  }
  FakeScsiTarget& target() { return fake_->target(); }

  template <typename Submit>
  OpResult Run(Submit submit) {
    OpResult result;
    EXPECT_THAT(submit([&](const OpResult& r) { result = r; }), IsOk());
    EXPECT_THAT(queue_->Wait(), IsOk());
    return result;
  }
  OpResult Copy(std::vector<DeviceRange> sources, uint64_t to) {
    return Run([&](OpDone done) {
      return queue_->Copy(sources, DeviceBlock(to), {}, std::move(done));
    });
  }
  OpResult Write(uint64_t block, char value = 'x') {
    AlignedBuffer data(device_->geometry().block_bytes);
    data.data()[0] = value;
    return Run([&](OpDone done) {
      return queue_->Write(Blocks(block, 1), data.data(), {}, std::move(done));
    });
  }
  OpResult Read(uint64_t block) {
    AlignedBuffer data(device_->geometry().block_bytes);
    return Run([&](OpDone done) {
      return queue_->Read(Blocks(block, 1), data.data(), std::move(done));
    });
  }

  std::unique_ptr<FakeScsi> fake_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<IoQueue> queue_;
};

// ---- Nodes ----

TEST_F(ScsiDeviceTest, BothNodesOfADiskAreOneDevice) {
  fake_ = std::make_unique<FakeScsi>(FakeScsiSetup{.target = {.block_bytes = 512}});
  for (const std::string& node : {fake_->block_node(), fake_->generic_node()}) {
    ASSERT_OK_AND_ASSIGN(device_, OpenNode(node));
    EXPECT_EQ(device_->name(), "scsi:" + node);
    EXPECT_EQ(device_->geometry().block_bytes, 512u);
    EXPECT_EQ(device_->geometry().capacity, DeviceBlockCount(512));
    AlignedBuffer data(512);
    EXPECT_THAT(WriteBlocks(*device_, Blocks(9, 1), data.data()), IsOk());
    device_.reset();
  }
  EXPECT_THAT(target().seen(kWrite), SizeIs(2));
  Open({.nodes = {.block = false}});
  EXPECT_THAT(Write(3).status, IsOk());
}

TEST_F(ScsiDeviceTest, WrongNodesAreNamed) {
  fake_ = std::make_unique<FakeScsi>(FakeScsiSetup{});
  const auto invalid = [](absl::string_view what) {
    return StatusIs(Code::kInvalidArgument, HasSubstr(std::string(what)));
  };
  EXPECT_THAT(OpenNode(fake_->other_node()),
              invalid("/vda is no SCSI disk; name a disk, such as /dev/sda or /dev/sg0"));
  EXPECT_THAT(OpenNode(fake_->tape_node()), invalid("/st0 is no SCSI disk"));
  EXPECT_THAT(OpenNode(fake_->deaf_node()), invalid("does not take SCSI commands"));
  EXPECT_THAT(OpenNode(fake_->directory()), invalid("is no device node"));
  EXPECT_THAT(OpenNode(fake_->directory() + "/sys/devices/target7/7:0:0:0/block/sdq/ro"),
              invalid("is a regular file, not a SCSI disk; file:"));
  EXPECT_THAT(OpenNode(fake_->directory() + "/dev/sdz"),
              StatusIs(Code::kNotFound, HasSubstr("/dev/sdz")));
  EXPECT_THAT(OpenNode(fake_->dangling_node()),
              StatusIs(Code::kUnavailable, HasSubstr("no device behind")));
}

TEST_F(ScsiDeviceTest, APartitionKeepsToItsPlace) {
  Open({.target = {.block_bytes = 512, .blocks = 300},
        .nodes = {.partition_start = 100, .partition_sectors = 64}});
  EXPECT_EQ(device_->geometry().capacity, DeviceBlockCount(64));
  ASSERT_THAT(Write(63).status, IsOk());
  EXPECT_EQ(target().Contents(163, 1)[0], 'x');
  ASSERT_THAT(Copy({Blocks(63, 1)}, 0).status, IsOk());
  EXPECT_EQ(target().Contents(100, 1)[0], 'x');
  EXPECT_EQ(target().Contents(0, 100), std::string(100 * 512, '\0'));
  TearDown();
  fake_ = std::make_unique<FakeScsi>(
      FakeScsiSetup{.nodes = {.partition_start = 12, .partition_sectors = 64}});
  EXPECT_THAT(OpenNode(fake_->partition_node()),
              StatusIs(Code::kInvalidArgument, HasSubstr("a block of 4096")));
  fake_ = std::make_unique<FakeScsi>(
      FakeScsiSetup{.nodes = {.partition_start = 8 * 512, .partition_sectors = 8}});
  EXPECT_THAT(OpenNode(fake_->partition_node()),
              StatusIs(Code::kUnavailable, HasSubstr("past the disk's end, block 512")));
}

TEST_F(ScsiDeviceTest, ASecondOpeningForWritingIsRefused) {
  Open({.nodes = {.block = false}});
  EXPECT_THAT(OpenNode(fake_->generic_node()),
              StatusIs(Code::kFailedPrecondition, HasSubstr("in use")));
  EXPECT_THAT(OpenNode(fake_->generic_node(), Access::kReadOnly), IsOk());
  TearDown();
  EXPECT_THAT(OpenNode(fake_->generic_node()), IsOk());
}

// ---- What a disk says of itself ----

TEST_F(ScsiDeviceTest, GeometryIsWhatTheDiskAndTheKernelSay) {
  Open({.target = {.write_cache = true, .max_transfer_blocks = 32}});
  EXPECT_EQ(device_->geometry().max_transfer, DeviceBlockCount(32));
  EXPECT_EQ(device_->geometry().atomic_write, DeviceBlockCount(1));
  EXPECT_TRUE(device_->geometry().volatile_write_cache);
  Open({.target = {.write_cache = false, .max_transfer_blocks = 1000}});
  EXPECT_EQ(device_->geometry().max_transfer, DeviceBlockCount(126));  // of segments
  EXPECT_FALSE(device_->geometry().volatile_write_cache);
  Open({.target = {.has_mode_sense_10 = false, .write_cache = false}});
  EXPECT_FALSE(device_->geometry().volatile_write_cache);
  Open(
      {.target = {
           .has_mode_sense_10 = false, .has_mode_sense_6 = false, .write_cache = false}});
  EXPECT_TRUE(device_->geometry().volatile_write_cache);  // who knows
  Open({.target = {.max_transfer_blocks = 0, .max_write_same_blocks = 0},
        .nodes = {.max_segments = ""}});
  EXPECT_EQ(device_->geometry().max_transfer, DeviceBlockCount(32));  // not known
}

TEST_F(ScsiDeviceTest, DisksThatCannotBeDrivenAreRefused) {
  EXPECT_THAT(OpenSetup({.target = {.peripheral = 0x14}}),
              StatusIs(Code::kUnimplemented, HasSubstr("zoned SCSI disk (ZBC)")));
  EXPECT_THAT(OpenSetup({.target = {.peripheral = 0x05}}),
              StatusIs(Code::kInvalidArgument, HasSubstr("of type 05h (GLEANER FAKE")));
  EXPECT_THAT(OpenSetup({.target = {.peripheral = 0x20}}),
              StatusIs(Code::kUnavailable, HasSubstr("no device is connected")));
  EXPECT_THAT(OpenSetup({.target = {.block_bytes = 520}}),
              StatusIs(Code::kUnimplemented, HasSubstr("blocks of 520 bytes")));
}

TEST_F(ScsiDeviceTest, AWriteProtectedDiskIsOnlyRead) {
  for (const FakeScsiSetup& setup :
       {FakeScsiSetup{.target = {.write_protected = true}},
        FakeScsiSetup{.target = {.has_mode_sense_10 = false, .write_protected = true}},
        FakeScsiSetup{.nodes = {.read_only = "1"}}}) {
    EXPECT_THAT(OpenSetup(setup),
                StatusIs(Code::kPermissionDenied, HasSubstr("is write-protected")));
    EXPECT_THAT(OpenNode(fake_->block_node(), Access::kReadOnly), IsOk());
  }
}

TEST_F(ScsiDeviceTest, ErrorsOfTheSystemAreExplained) {
  fake_ = std::make_unique<FakeScsi>(FakeScsiSetup{});
  fake_->FailIoctls(EPERM);
  EXPECT_THAT(OpenNode(fake_->block_node()),
              StatusIs(Code::kPermissionDenied, HasSubstr("run as root")));
  fake_->FailIoctls(ENODEV);
  EXPECT_THAT(OpenNode(fake_->block_node()), StatusIs(Code::kUnavailable));
}

TEST_F(ScsiDeviceTest, ADiskThatIsNotReadySaysSo) {
  fake_ = std::make_unique<FakeScsi>(FakeScsiSetup{});
  target().FailNext(
      {.opcode = 0x9e, .status = 0x02, .sense = "7000020000000000000000003a00"});
  EXPECT_THAT(OpenNode(fake_->block_node()),
              StatusIs(Code::kUnavailable, HasSubstr("read capacity: medium not")));
}

// ---- Limits of copies ----

TEST_F(ScsiDeviceTest, CopyLimitsAreWhatTheDiskSays) {
  Open({.target = {.max_segments = 20, .max_segment_bytes = 1 << 20}});
  EXPECT_EQ(device_->hardware_copy_limits(), (CopyLimits{.max_copy_blocks = 5120,
                                                         .max_copy_ranges = 20,
                                                         .max_range_blocks = 256}));
  EXPECT_THAT(fake_->messages(), IsEmpty());
}

TEST_F(ScsiDeviceTest, ADiskWithoutCopySaysWhy) {
  const struct {
    testing::FakeScsiOptions target;
    const char* why;
    bool offered;
  } cases[] = {
      {{.third_party_copy = false}, "it offers no third-party copy", false},
      {{.designators = "51940004"
                       "00000001"},
       "it has no designator",
       false},
      {{.has_vital_pages = false}, "it has no designator", false},
      {{.tells_copy_parameters = false}, "it does not tell the limits", false},
      {{.max_segments = 0}, "its limits leave no room", true},
      {{.granularity_log2 = 13}, "its limits leave no room", true},
      {{.descriptor_types = "02e0"}, "its limits leave no room", true},
  };
  for (const auto& c : cases) {
    Open({.target = c.target});
    EXPECT_THAT(fake_->messages(),
                ElementsAre(AllOf(HasSubstr("no native copy: "), HasSubstr(c.why))));
    EXPECT_FALSE(device_->hardware_copy_limits().can_copy());
    EXPECT_EQ(device_->hardware_copy_limits().copy_offload, c.offered);
    EXPECT_THAT(queue_->Copy({Blocks(0, 1)}, DeviceBlock(9), {}, [](const OpResult&) {}),
                StatusIs(Code::kUnimplemented));
  }
}

TEST_F(ScsiDeviceTest, ListIdentifiersAreLeftOutWhereThatIsAllowed) {
  Open({});
  EXPECT_THAT(Copy({Blocks(0, 1)}, 9).status, IsOk());
  EXPECT_EQ(target().seen(kCopy)[0].data[1], 0x10);
  Open({.target = {.needs_no_list_id = true}});
  EXPECT_THAT(Copy({Blocks(0, 1)}, 9).status, IsOk());
  EXPECT_EQ(target().seen(kCopy)[0].data.substr(0, 2), std::string("\x00\x18", 2));
}

TEST_F(ScsiDeviceTest, NoMoreCopiesAreInFlightThanTheDiskTakes) {
  for (const bool needs_no_id : {false, true}) {
    for (const int most : {1, 2}) {
      Open({.target = {.needs_no_list_id = needs_no_id,
                       .max_concurrent = static_cast<uint8_t>(most)}});
      ASSERT_OK_AND_ASSIGN(auto other, device_->OpenQueue(4));
      int done = 0;
      const auto count = [&](const OpResult& r) {
        EXPECT_THAT(r.status, IsOk());
        ++done;
      };
      for (uint64_t i = 0; i < 4; ++i) {
        for (IoQueue* queue : {queue_.get(), other.get()})
          EXPECT_THAT(queue->Copy({Blocks(0, 1)}, DeviceBlock(9 + i), {}, count), IsOk());
      }
      while (queue_->in_flight() > 0) ASSERT_THAT(queue_->Wait(), IsOk());
      while (other->in_flight() > 0) ASSERT_THAT(other->Wait(), IsOk());
      EXPECT_EQ(done, 8);
      EXPECT_LE(target().most_copies(), most);
    }
  }
}

// ---- Failures ----

TEST_F(ScsiDeviceTest, AFailedCopySaysHowFarItCame) {
  for (const bool descriptor_sense : {false, true}) {
    Open({.target = {.descriptor_sense = descriptor_sense}});
    ASSERT_THAT(Write(0, 'a').status, IsOk());
    ASSERT_THAT(Write(4, 'c').status, IsOk());
    target().Damage(2);
    const OpResult result = Copy({Blocks(0, 1), Blocks(1, 2), Blocks(4, 1)}, 64);
    EXPECT_THAT(result.status,
                StatusIs(Code::kDataLoss,
                         AllOf(HasSubstr(device_->name()),
                               HasSubstr("copy at block 64 (4 blocks): unrecovered read "
                                         "error (SCSI sense ah/11h/00h)"))));
    EXPECT_EQ(result.ranges_copied, 1u);
    EXPECT_EQ(target().Contents(64, 1)[0], 'a');
    EXPECT_EQ(target().Contents(67, 1)[0], '\0');
  }
}

TEST_F(ScsiDeviceTest, UnitAttentionsAreHeardAndTheCommandRepeated) {
  Open({});
  for (const uint8_t opcode : {kRead, kWrite, kCopy})
    target().FailNext({.opcode = opcode,
                       .status = 0x02,
                       .sense = "7000060000000000000000002900",
                       .times = 2});
  EXPECT_THAT(Write(3).status, IsOk());
  EXPECT_THAT(Read(3).status, IsOk());
  EXPECT_THAT(Copy({Blocks(3, 1)}, 9).status, IsOk());
  EXPECT_THAT(target().seen(kWrite), SizeIs(3));
  EXPECT_THAT(target().seen(kCopy), SizeIs(3));
  // One that goes on and on is an error.
  target().FailNext({.opcode = kRead,
                     .status = 0x02,
                     .sense = "7000060000000000000000002900",
                     .times = 1000});
  EXPECT_THAT(Read(3).status,
              StatusIs(Code::kUnavailable, HasSubstr("unit attention (SCSI sense 6h")));
  EXPECT_THAT(target().seen(kRead), SizeIs(3 + 5));
}

TEST_F(ScsiDeviceTest, ABusyDiskIsWaitedFor) {
  Open({});
  target().FailNext({.opcode = kWrite, .status = 0x08});
  EXPECT_THAT(Write(3).status, IsOk());
  EXPECT_THAT(target().seen(kWrite), SizeIs(2));
  // Whoever leaves meanwhile does not wait.
  target().FailNext({.opcode = kRead, .status = 0x28, .times = 1000});
  AlignedBuffer data(4096);
  EXPECT_THAT(queue_->Read(Blocks(0, 1), data.data(), [](const OpResult&) {}), IsOk());
  queue_.reset();
}

TEST_F(ScsiDeviceTest, AVanishedDiskIsUnavailable) {
  Open({});
  target().FailNext({.opcode = kWrite, .host = 0x01});
  EXPECT_THAT(Write(0).status,
              StatusIs(Code::kUnavailable,
                       HasSubstr("write at block 0: no connection to the device (SCSI")));
  fake_->FailIoctls(ENODEV);
  EXPECT_THAT(Write(5).status, StatusIs(Code::kUnavailable,
                                        HasSubstr("write at block 5: No such device")));
  EXPECT_THAT(Copy({Blocks(0, 1)}, 9).status, StatusIs(Code::kUnavailable));
}

TEST_F(ScsiDeviceTest, OtherFailuresAreNotRepeated) {
  Open({});
  target().FailNext(
      {.opcode = kWrite, .status = 0x02, .sense = "7000070000000000000000002700"});
  EXPECT_THAT(Write(3).status,
              StatusIs(Code::kPermissionDenied, HasSubstr("write protected")));
  target().FailNext({.opcode = kWrite, .status = 0x18});
  EXPECT_THAT(Write(3).status,
              StatusIs(Code::kPermissionDenied, HasSubstr("reservation conflict")));
  EXPECT_THAT(target().seen(kWrite), SizeIs(2));
  target().FailNext({.opcode = kRead, .resid = 512});
  EXPECT_THAT(Read(3).status,
              StatusIs(Code::kUnavailable, HasSubstr("512 bytes were not transferred")));
}

// ---- The copy engine ----

class ScsiCopyEngineTest : public ScsiDeviceTest {
 protected:
  // Copies blocks 0 to 7, in three ranges, to block 64.
  CopyResult CopyAll(CopyMode mode) {
    for (uint64_t i = 0; i < 8; ++i)
      EXPECT_THAT(Write(i, static_cast<char>('a' + i)).status, IsOk());
    const auto engine = testing::Engine(*device_, mode);
    CopyJob job;
    job.runs = {{device_.get(), Blocks(0, 2), DeviceBlock(64)},
                {device_.get(), Blocks(4, 4), DeviceBlock(66)},
                {device_.get(), Blocks(2, 2), DeviceBlock(70)}};
    CopyResult result = testing::RunJob(*engine, std::move(job));
    counters_ = engine->counters();
    return result;
  }
  // The first bytes of blocks 64 to 71.
  std::string Copied() {
    std::string bytes;
    for (uint64_t i = 64; i < 72; ++i) bytes += target().Contents(i, 1)[0];
    return bytes;
  }
  CopyCounters counters_;
};

TEST_F(ScsiCopyEngineTest, WhatHasTooManySegmentsIsSplit) {
  Open({.target = {.real_max_segments = 1}});
  EXPECT_THAT(CopyAll(CopyMode::kNative).status, IsOk());
  EXPECT_EQ(Copied(), "abefghcd");
  EXPECT_EQ(counters_.native_blocks, DeviceBlockCount(8));
  EXPECT_EQ(counters_.failed_commands, 1u);  // found out once
  EXPECT_EQ(
      device_->copy_limits(),
      (CopyLimits{.max_copy_blocks = 24, .max_copy_ranges = 1, .max_range_blocks = 8}));
}

TEST_F(ScsiCopyEngineTest, OnlyWhatWasNotCopiedIsEmulated) {
  Open({});
  // At the second of three segments: two blocks are said to be on media.
  target().FailNext({.opcode = kCopy,
                     .status = 0x02,
                     .sense = "70000a00000000"
                              "0a"
                              "00000001"
                              "1100"});
  EXPECT_THAT(CopyAll(CopyMode::kAuto).status, IsOk());
  EXPECT_EQ(Copied(), std::string("\0\0efghcd", 8));
  EXPECT_EQ(counters_.native_blocks, DeviceBlockCount(2));
  EXPECT_EQ(counters_.emulated_blocks, DeviceBlockCount(6));
  EXPECT_TRUE(device_->copy_limits().can_copy());
}

TEST_F(ScsiCopyEngineTest, ACopyOfABusyDiskIsSentAgain) {
  Open({});
  target().FailNext({.opcode = kCopy,
                     .status = 0x02,
                     .sense = "70000a00000000"
                              "0a"
                              "00000000"
                              "0d01",
                     .times = 2});
  EXPECT_THAT(CopyAll(CopyMode::kNative).status, IsOk());
  EXPECT_EQ(Copied(), "abefghcd");
  EXPECT_EQ(counters_.retries, 2u);
}

TEST_F(ScsiCopyEngineTest, ADiskThatDoesNotCopyAfterAllIsNotAskedAgain) {
  Open({});
  target().FailNext({.opcode = kCopy,
                     .status = 0x02,
                     .sense = "7000050000000000000000002000",
                     .times = 1000});
  EXPECT_THAT(CopyAll(CopyMode::kAuto).status, IsOk());
  EXPECT_EQ(Copied(), "abefghcd");
  EXPECT_FALSE(device_->copy_limits().can_copy());
}

// ---- Zeroes and unmapping ----

TEST_F(ScsiDeviceTest, ZeroesAndUnmappingKeepTheirOwnLimits) {
  Open({});
  ASSERT_THAT(Write(9).status, IsOk());
  const auto zero = [&](OpDone d) {
    return queue_->WriteZeroes(Blocks(3, 8), std::move(d));
  };
  EXPECT_THAT(Run(zero).status, IsOk());
  EXPECT_THAT(target().seen(0x93), SizeIs(2));
  EXPECT_EQ(target().Contents(9, 1)[0], '\0');
  const auto unmap = [&](OpDone d) {
    return queue_->Deallocate(Blocks(0, 250), std::move(d));
  };
  EXPECT_THAT(Run(unmap).status, IsOk());
  EXPECT_THAT(target().seen(0x42), SizeIs(3));
  EXPECT_EQ(target().Contents(249, 1)[0], '\xdd');
  EXPECT_EQ(target().Contents(250, 1)[0], '\0');
}

TEST_F(ScsiDeviceTest, WithoutTheirCommandsZeroesAreWrittenAndNothingIsUnmapped) {
  for (const bool seems_to_have : {false, true}) {
    Open({.target = {.unmaps = false,
                     .max_write_same_blocks = seems_to_have ? 4u : 0u,
                     .has_write_same = false}});
    ASSERT_THAT(Write(3).status, IsOk());
    const auto unmap = [&](OpDone d) {
      return queue_->Deallocate(Blocks(3, 1), std::move(d));
    };
    EXPECT_THAT(Run(unmap).status, IsOk());
    EXPECT_EQ(target().Contents(3, 1)[0], 'x');
    const auto zero = [&](OpDone d) {
      return queue_->WriteZeroes(Blocks(1, 7), std::move(d));
    };
    EXPECT_THAT(Run(zero).status, IsOk());
    EXPECT_THAT(Run(zero).status, IsOk());
    EXPECT_EQ(target().Contents(3, 1)[0], '\0');
    // Found out once.
    EXPECT_THAT(target().seen(0x93), SizeIs(seems_to_have ? 1 : 0));
    EXPECT_THAT(target().seen(0x42), IsEmpty());
  }
}

}  // namespace
}  // namespace gleaner
