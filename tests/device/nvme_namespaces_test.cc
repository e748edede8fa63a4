// Copies between two namespaces of one controller. Only fakes have been seen to offer them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "device/copy_engine.h"
#include "device/nvme_device.h"
#include "tests/device/copy_testing.h"
#include "tests/device/fake_nvme.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint16_t kFormats0And2 = 0x5;

FakeNvmeSetup Namespace(uint32_t nsid) {
  FakeNvmeSetup setup;
  setup.controller.nsid = nsid;
  setup.controller.ocfs = kFormats0And2;
  return setup;
}

// Namespaces 1, with data, and 2.
class NvmeNamespacesTest : public ::testing::Test {
 protected:
  void Open(const FakeNvmeSetup& source, const FakeNvmeSetup& target) {
    source_fake_ = std::make_unique<FakeNvme>(source);
    target_fake_ = std::make_unique<FakeNvme>(target);
    target_fake_->controller().SetSibling(&source_fake_->controller());
    target_fake_->controller().SetHostBehavior(0, 1);
    {
      ASSERT_OK_AND_ASSIGN(const auto device, OpenNvmeDevice(source_fake_->block_node(),
                                                             source_fake_->options()));
      FillDevice(*device, Blocks(0, 32), 5);
    }
    source_fake_->controller().SetHostBehavior(4, 0);
    ASSERT_OK_AND_ASSIGN(source_,
                         OpenNvmeDevice(source_fake_->block_node(),
                                        source_fake_->options(Access::kReadOnly)));
    ASSERT_OK_AND_ASSIGN(
        target_, OpenNvmeDevice(target_fake_->block_node(), target_fake_->options()));
  }

  CopyResult Copy(CopyMode mode, const std::vector<DeviceRange>& ranges) {
    engine_.reset();
    engine_ = Engine(*target_, mode);
    CopyJob job;
    DeviceBlock at(64);
    for (const DeviceRange& range : ranges) {
      job.runs.push_back({source_.get(), range, at});
      at += range.count;
    }
    return RunJob(*engine_, std::move(job));
  }
  std::vector<FakeNvmeController::Seen> Copies() {
    return target_fake_->controller().seen(0x19);
  }
  std::string Target(uint64_t start, uint64_t blocks) {
    return target_fake_->controller().Contents(start, blocks);
  }
  std::string Source(uint64_t start, uint64_t blocks) {
    return source_fake_->controller().Contents(start, blocks);
  }

  std::unique_ptr<FakeNvme> source_fake_;
  std::unique_ptr<FakeNvme> target_fake_;
  std::unique_ptr<Device> source_;
  std::unique_ptr<Device> target_;
  std::unique_ptr<CopyEngine> engine_;
};

TEST_F(NvmeNamespacesTest, OneCopiesFromTheOther) {
  Open(Namespace(1), Namespace(2));
  // Enabled for whom it copies to, and nothing else changed.
  EXPECT_EQ(target_fake_->controller().host_behavior(4), 0x04);
  EXPECT_EQ(target_fake_->controller().host_behavior(0), 1);
  EXPECT_EQ(source_fake_->controller().host_behavior(4), 0);
  EXPECT_THAT(Copy(CopyMode::kNative, {Blocks(8, 3), Blocks(1, 2)}).status, IsOk());
  EXPECT_TRUE(Target(64, 5) == Source(8, 3) + Source(1, 2));
  const auto copies = Copies();
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_EQ(copies[0].command.nsid, 2u);
  EXPECT_EQ(copies[0].command.cdw12, 0x201u);
  EXPECT_EQ(copies[0].list[0], 1);
  EXPECT_EQ(copies[0].list[32], 1);
}

TEST_F(NvmeNamespacesTest, RangesAreLimitedWhereTheyAreRead) {
  FakeNvmeSetup source = Namespace(1);
  source.controller.mssrl = 2;
  source.controller.mcl = 3;
  Open(source, Namespace(2));
  EXPECT_EQ(
      target_->copy_limits_from(*source_),
      (CopyLimits{.max_copy_blocks = 16, .max_copy_ranges = 3, .max_range_blocks = 2}));
  EXPECT_THAT(Copy(CopyMode::kNative, {Blocks(0, 9)}).status, IsOk());
  EXPECT_TRUE(Target(64, 9) == Source(0, 9));
  EXPECT_EQ(engine_->counters().failed_commands, 0u);
  EXPECT_EQ(engine_->counters().commands, 2u);
}

TEST_F(NvmeNamespacesTest, AutoPrefersIt) {
  Open(Namespace(1), Namespace(2));
  const CopyResult result = Copy(CopyMode::kAuto, {Blocks(0, 8)});
  EXPECT_THAT(result.status, IsOk());
  EXPECT_EQ(result.runs[0].native, DeviceBlockCount(8));
}

TEST_F(NvmeNamespacesTest, WhatTheControllerCannotDoIsRefusedOrEmulated) {
  FakeNvmeSetup other_controller = Namespace(1);
  other_controller.controller.serial = "another";
  FakeNvmeSetup other_blocks = Namespace(1);
  other_blocks.controller.block_bytes = 512;
  FakeNvmeSetup without_format = Namespace(2);
  without_format.controller.ocfs = 1;
  for (const auto& [source, target] :
       std::vector<std::pair<FakeNvmeSetup, FakeNvmeSetup>>{
           {other_controller, Namespace(2)},
           {other_blocks, Namespace(2)},
           {Namespace(1), without_format},
           {Namespace(2), Namespace(2)}}) {
    source_.reset();
    target_.reset();
    Open(source, target);
    EXPECT_FALSE(target_->copy_limits_from(*source_).can_copy());
    EXPECT_THAT(
        Copy(CopyMode::kNative, {Blocks(0, 1)}).status,
        StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("no native copy from")));
    EXPECT_THAT(Copy(CopyMode::kAuto, {Blocks(0, 8)}).status, IsOk());
    EXPECT_EQ(Copies().size(), 0u);
  }
}

// As after a reset of the controller, which forgets what was enabled.
TEST_F(NvmeNamespacesTest, ARefusalSparesTheTargetsOwnCopies) {
  Open(Namespace(1), Namespace(2));
  target_fake_->controller().SetHostBehavior(4, 0);
  const CopyResult result = Copy(CopyMode::kAuto, {Blocks(0, 8), Blocks(16, 8)});
  EXPECT_THAT(result.status, IsOk());
  EXPECT_EQ(result.runs[0].emulated, DeviceBlockCount(8));
  EXPECT_EQ(result.runs[1].emulated, DeviceBlockCount(8));
  EXPECT_TRUE(Target(64, 16) == Source(0, 8) + Source(16, 8));
  EXPECT_EQ(engine_->counters().failed_commands, 1u);
  EXPECT_TRUE(target_->copy_limits().can_copy());
  CopyJob own;
  own.runs = {{target_.get(), Blocks(64, 4), DeviceBlock(200)}};
  EXPECT_EQ(RunJob(*engine_, own).runs[0].native, DeviceBlockCount(4));
  EXPECT_THAT(Copy(CopyMode::kNative, {Blocks(0, 8)}).status,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("invalid field")));
}

TEST_F(NvmeNamespacesTest, ASourceThatTheControllerDoesNotHaveIsReadByTheHost) {
  Open(Namespace(1), Namespace(2));
  target_fake_->controller().SetSibling(nullptr);
  const CopyResult result = Copy(CopyMode::kAuto, {Blocks(0, 8)});
  EXPECT_THAT(result.status, IsOk());
  EXPECT_EQ(result.runs[0].emulated, DeviceBlockCount(8));
  EXPECT_TRUE(Target(64, 8) == Source(0, 8));
}

TEST_F(NvmeNamespacesTest, AnotherDeviceIsCheckedToo) {
  Open(Namespace(1), Namespace(2));
  ASSERT_OK_AND_ASSIGN(const auto queue, target_->OpenQueue(2));
  const auto copy = [&](DeviceRange range) {
    return queue->CopyFrom(*source_, {range}, DeviceBlock(0), {}, [](const OpResult&) {});
  };
  EXPECT_THAT(copy(Blocks(508, 5)), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(copy(Blocks(0, 9)), StatusIs(absl::StatusCode::kInvalidArgument));
  const auto memory = Mem(64);
  EXPECT_THAT(queue->CopyFrom(*memory, {Blocks(0, 1)}, DeviceBlock(0), {},
                              [](const OpResult&) {}),
              StatusIs(absl::StatusCode::kUnimplemented,
                       HasSubstr("cannot copy natively from mem4096")));
}

}  // namespace
}  // namespace gleaner::testing
