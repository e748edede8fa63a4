// What each fault leaves behind, and that a seed says which.
#include "device/faulty_device.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "tests/device/copy_testing.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

class FaultyDeviceTest : public ::testing::Test {
 protected:
  void Open(const FaultModel& model) {
    auto mem = Mem(256);
    mem_ = mem.get();
    FillDevice(*mem_, Blocks(0, 32), 1);
    auto device = MakeFaultyDevice(std::move(mem), model, clock_);
    ASSERT_THAT(device, IsOk());
    device_ = *std::move(device);
    queue_ = *device_->OpenQueue(4);
  }

  // Four ranges of three blocks to block 100.
  OpResult Copy() {
    OpResult result;
    const std::vector<DeviceRange> sources = {Blocks(0, 3), Blocks(10, 3), Blocks(20, 3),
                                              Blocks(5, 3)};
    EXPECT_THAT(queue_->Copy(sources, DeviceBlock(100), {},
                             [&result](const OpResult& r) { result = r; }),
                IsOk());
    while (queue_->in_flight() > 0) queue_->Poll();
    return result;
  }
  // How many ranges of that copy have arrived from the first one on.
  uint32_t Arrived() {
    const uint64_t from[] = {0, 10, 20, 5};
    for (uint32_t i = 0; i < 4; ++i)
      if (Contents(*mem_, 100 + 3 * i, 3) != Contents(*mem_, from[i], 3)) return i;
    return 4;
  }

  ManualClock clock_;
  MemDevice* mem_ = nullptr;
  std::unique_ptr<Device> device_;
  std::unique_ptr<IoQueue> queue_;
};

TEST_F(FaultyDeviceTest, WithoutFaultsItIsTheDevice) {
  Open({});
  EXPECT_THAT(Copy().status, IsOk());
  EXPECT_EQ(Arrived(), 4u);
}

TEST_F(FaultyDeviceTest, AFailureDoesNothing) {
  Open({.fail = 1});
  const OpResult result = Copy();
  EXPECT_FALSE(result.status.ok());
  EXPECT_NE(result.nvme.type + result.nvme.code, 0);
  EXPECT_EQ(result.ranges_copied, 0u);
  EXPECT_EQ(Contents(*mem_, 100, 12), std::string(12 * 4096, '\0'));
}

TEST_F(FaultyDeviceTest, APartialCopySaysWhere) {
  bool beyond = false;
  uint32_t seen = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Open({.seed = seed, .partial = 1});
    const OpResult result = Copy();
    EXPECT_FALSE(result.status.ok());
    EXPECT_EQ(Arrived(), result.ranges_copied);
    EXPECT_LT(result.ranges_copied, 4u);
    seen |= 1u << result.ranges_copied;
    beyond |= Contents(*mem_, 109, 3) == Contents(*mem_, 5, 3);
  }
  EXPECT_EQ(seen, 15u);
  EXPECT_TRUE(beyond);
}

TEST_F(FaultyDeviceTest, AWrongCopyLooksRight) {
  Open({.wrong = 1});
  EXPECT_THAT(Copy().status, IsOk());
  EXPECT_EQ(Arrived(), 3u);
  EXPECT_TRUE(Contents(*mem_, 109, 2) == Contents(*mem_, 5, 2));
}

TEST_F(FaultyDeviceTest, AHangEndsInItsTime) {
  Open({.hang = 1, .hang_ms = 30});
  OpResult result;
  ASSERT_THAT(queue_->Copy({Blocks(0, 3)}, DeviceBlock(100), {},
                           [&result](const OpResult& r) { result = r; }),
              IsOk());
  queue_->Poll();
  clock_.Advance(absl::Milliseconds(29));
  queue_->Poll();
  EXPECT_EQ(queue_->in_flight(), 1);
  clock_.Advance(absl::Milliseconds(2));
  queue_->Poll();
  EXPECT_EQ(queue_->in_flight(), 0);
  EXPECT_THAT(result.status, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(Arrived(), 1u);  // done all the same
}

TEST_F(FaultyDeviceTest, TakesLessThanItSays) {
  for (const FaultModel& model :
       {FaultModel{.real_copy_blocks = 11}, FaultModel{.real_copy_ranges = 3},
        FaultModel{.real_range_blocks = 2}}) {
    Open(model);
    EXPECT_EQ(device_->copy_limits(), mem_->copy_limits());
    const OpResult result = Copy();
    EXPECT_THAT(result.status, StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_EQ(result.nvme.type, 1);
    EXPECT_EQ(result.nvme.code, 0x83);
  }
}

TEST_F(FaultyDeviceTest, HidesItsLimits) {
  Open({.real_copy_ranges = 3, .hide_limits = true});
  EXPECT_EQ(device_->hardware_copy_limits(), (CopyLimits{.unknown = true}));
  EXPECT_TRUE(device_->copy_limits().can_copy());
  EXPECT_EQ(Copy().nvme.code, 0x83);
}

TEST_F(FaultyDeviceTest, TheSameSeedFailsTheSame) {
  const auto run = [this](uint64_t seed) {
    Open({.seed = seed, .fail = 0.3, .partial = 0.3});
    std::vector<std::string> outcomes;
    for (int i = 0; i < 20; ++i) outcomes.push_back(Copy().status.ToString());
    return outcomes;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

}  // namespace
}  // namespace gleaner::testing
