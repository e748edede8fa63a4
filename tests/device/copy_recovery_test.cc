// Each row of the table of recoveries, by itself and in the copy engine.
#include "device/copy_recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "device/copy_engine.h"
#include "tests/device/copy_testing.h"
#include "tests/device/scripted_device.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

OpResult ResultOf(const RecoveryRule& rule) {
  OpResult result;
  const bool nvme = rule.type != 0 || rule.code != 0;
  result.status =
      absl::Status(nvme ? absl::StatusCode::kUnknown : rule.status, "told to");
  result.nvme = {rule.type, rule.code, false};
  return result;
}

// Statuses that no row lists.
OpResult Unlisted(bool nvme) {
  OpResult result;
  result.status = absl::DataLossError("told to");
  if (nvme) {
    result.nvme = {6, 0x42, false};
  } else {
    result.status = absl::CancelledError("told to");
  }
  return result;
}

class RecoveryRowTest : public ::testing::TestWithParam<size_t> {
 protected:
  RecoveryRowTest() : rule_(RecoveryRules()[GetParam()]) {
    const size_t rows = RecoveryRules().size();
    failure_ = GetParam() + 2 < rows ? ResultOf(rule_) : Unlisted(GetParam() + 2 == rows);
    device_ = std::make_unique<ScriptedDevice>(Mem(256));
    FillDevice(*device_, Blocks(0, 64), 1);
    expected_ = Contents(*device_, 0, 3) + Contents(*device_, 10, 3) +
                Contents(*device_, 20, 3) + Contents(*device_, 30, 3);
  }

  // One command of four ranges. Its first `failures` attempts fail, each after it has copied
  // `progress` ranges.
  CopyResult Run(CopyMode mode, int failures, uint32_t progress) {
    int left = failures;
    device_->set_copy_outcome([this, left, progress](auto sources) mutable {
      ++commands_;
      if (left-- <= 0) return OpResult();
      OpResult result = failure_;
      result.ranges_copied = std::min<uint32_t>(progress, sources.size() - 1);
      return result;
    });
    engine_ = Engine(*device_, mode);
    CopyJob job;
    for (uint64_t i = 0; i < 4; ++i)
      job.runs.push_back({device_.get(), Blocks(10 * i, 3), DeviceBlock(100 + 3 * i)});
    return RunJob(*engine_, std::move(job));
  }
  bool AllThere() { return Contents(*device_, 100, 12) == expected_; }

  const RecoveryRule& rule_;
  OpResult failure_;
  std::unique_ptr<ScriptedDevice> device_;
  std::unique_ptr<CopyEngine> engine_;
  std::string expected_;
  int commands_ = 0;
};

TEST_P(RecoveryRowTest, IsFound) {
  EXPECT_EQ(&RecoveryRuleFor(failure_), &rule_);
  EXPECT_EQ(RecoveryFor(failure_, 1), rule_.action);
  if (rule_.attempts == kUnlimitedAttempts) {
    EXPECT_EQ(RecoveryFor(failure_, 1000), rule_.action);
  } else {
    EXPECT_EQ(RecoveryFor(failure_, rule_.attempts + 1), rule_.otherwise);
  }
  failure_.nvme.do_not_retry = true;
  const bool retries = rule_.action == RecoveryAction::kRetry;
  EXPECT_EQ(RecoveryFor(failure_, 1), retries ? rule_.otherwise : rule_.action);
}

TEST_P(RecoveryRowTest, InTheEngine) {
  const CopyResult result = Run(CopyMode::kAuto, 1, 1);
  const CopyCounters& c = engine_->counters();
  EXPECT_EQ(c.failed_commands, 1u);
  // What the device called copied is not copied again.
  EXPECT_EQ(Copied(result.runs[0]), 3u);
  if (rule_.action == RecoveryAction::kGiveUp) {
    EXPECT_EQ(result.status, failure_.status);
    EXPECT_EQ(Copied(result.runs[1]), 0u);
    EXPECT_EQ(c.retries + c.recovered_blocks.value(), 0u);
    return;
  }
  ASSERT_THAT(result.status, IsOk());
  EXPECT_TRUE(AllThere());
  const bool emulates = rule_.action == RecoveryAction::kEmulate ||
                        rule_.action == RecoveryAction::kAbandon;
  EXPECT_EQ(c.recovered_blocks.value(), emulates ? 9u : 0u);
  EXPECT_EQ(c.emulated_blocks.value(), emulates ? 9u : 0u);
  EXPECT_EQ(c.native_blocks.value(), emulates ? 3u : 12u);
  EXPECT_EQ(c.retries, emulates ? 0u : 1u);
  EXPECT_EQ(device_->copy_limits().can_copy(), rule_.action != RecoveryAction::kAbandon);
}

TEST_P(RecoveryRowTest, InNativeModeNothingIsEmulated) {
  const CopyResult result = Run(CopyMode::kNative, 1, 1);
  const bool goes_on = rule_.action == RecoveryAction::kRetry ||
                       rule_.action == RecoveryAction::kSplit ||
                       rule_.action == RecoveryAction::kRereadZone;
  EXPECT_EQ(engine_->counters().emulated_blocks.value(), 0u);
  if (goes_on) {
    ASSERT_THAT(result.status, IsOk());
    EXPECT_TRUE(AllThere());
  } else {
    EXPECT_EQ(result.status, failure_.status);
    EXPECT_EQ(Copied(result.runs[0]), 3u);
  }
}

// Without progress the attempts come to an end, whatever the row.
TEST_P(RecoveryRowTest, AlwaysFailing) {
  const CopyResult result = Run(CopyMode::kAuto, 1 << 20, 0);
  EXPECT_LE(commands_, 12);
  if (result.status.ok()) {
    EXPECT_TRUE(AllThere());
    EXPECT_EQ(engine_->counters().recovered_blocks.value(), 12u);
  } else {
    EXPECT_EQ(result.status, failure_.status);
  }
}

std::string RowName(const ::testing::TestParamInfo<size_t>& info) {
  std::string name;
  for (const char c : RecoveryRules()[info.param].name)
    name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Rows, RecoveryRowTest,
                         ::testing::Range<size_t>(0, RecoveryRules().size()), RowName);

TEST(RecoveryRulesTest, EveryActionHasAName) {
  for (const RecoveryRule& rule : RecoveryRules()) {
    EXPECT_NE(RecoveryActionName(rule.action), "unknown");
    EXPECT_NE(RecoveryActionName(rule.otherwise), "unknown");
  }
}

// Progress begins the counting anew: a long command survives many hiccups.
TEST(CopyRecoveryTest, EachAttemptThatGetsOnIsAFirst) {
  ScriptedDevice device(Mem(256));
  FillDevice(device, Blocks(0, 8), 1);
  device.set_copy_outcome([](absl::Span<const DeviceRange> sources) {
    OpResult result;
    if (sources.size() == 1) return result;
    result.status = absl::UnavailableError("for a while");
    result.nvme = {0, 0x22, false};
    result.ranges_copied = 1;
    return result;
  });
  const auto engine = Engine(device, CopyMode::kNative);
  CopyJob job;
  for (uint64_t i = 0; i < 4; ++i)
    job.runs.push_back({&device, Blocks(2 * i, 1), DeviceBlock(100 + i)});
  EXPECT_THAT(RunJob(*engine, std::move(job)).status, IsOk());
  EXPECT_EQ(engine->counters().retries, 3u);
  EXPECT_EQ(engine->counters().commands, 1u);
}

// A zone that a failed copy has written further than it says cannot be written there again.
TEST(CopyRecoveryTest, AZoneThatWentOnIsReported) {
  auto mem = Mem(256, 4096, 64, 64);
  ScriptedDevice device(std::move(mem));
  FillDevice(device, Blocks(0, 16), 1);
  int copies = 0;
  device.set_copy_outcome([&](absl::Span<const DeviceRange>) {
    OpResult result;
    if (++copies > 1) return result;
    result.status = absl::FailedPreconditionError("invalid write");
    result.nvme = {1, 0xbc, false};
    result.ranges_copied = 2;  // done, and then told otherwise
    return result;
  });
  const auto engine = Engine(device, CopyMode::kAuto);
  CopyJob job;
  for (uint64_t i = 0; i < 4; ++i)
    job.runs.push_back({&device, Blocks(4 * i, 2), DeviceBlock(64 + 2 * i)});
  const CopyResult result = RunJob(*engine, std::move(job));
  ASSERT_THAT(result.status, IsOk());  // the write pointer says the same
  EXPECT_TRUE(Contents(device, 68, 2) == Contents(device, 8, 2));
  EXPECT_EQ(engine->counters().retries, 1u);
}

// Devices that take less than they say: everything is copied, natively in the end, and the limits
// are learned.
TEST(CopyRecoveryTest, LearnsTheLimitsOfADeviceThatLies) {
  for (const CopyLimits truth :
       {CopyLimits{24, 1, 7}, CopyLimits{24, 4, 1}, CopyLimits{3, 4, 7},
        CopyLimits{1, 1, 1}, CopyLimits{6, 2, 4}, CopyLimits{24, 3, 5}}) {
    ScriptedDevice device(Mem(512));
    FillDevice(device, Blocks(0, 200), 1);
    int refused = 0;
    device.set_copy_outcome([&](absl::Span<const DeviceRange> sources) {
      uint64_t blocks = 0, longest = 0;
      for (const DeviceRange& range : sources) {
        blocks += range.count.value();
        longest = std::max(longest, range.count.value());
      }
      OpResult result;
      if (blocks <= truth.max_copy_blocks && sources.size() <= truth.max_copy_ranges &&
          longest <= truth.max_range_blocks)
        return result;
      ++refused;
      result.status = absl::InvalidArgumentError("too large");
      result.nvme = {1, 0x83, true};
      return result;
    });
    const auto engine = Engine(device, CopyMode::kNative);
    const std::string expected = Contents(device, 0, 150);
    for (int round = 0; round < 10; ++round) {
      CopyJob job;
      for (uint64_t at = 0; at < 150;) {
        const uint64_t n = std::min<uint64_t>(150 - at, 1 + (at + round) % 6);
        job.runs.push_back({&device, Blocks(at, n), DeviceBlock(250 + at)});
        at += n;
      }
      ASSERT_THAT(RunJob(*engine, std::move(job)).status, IsOk());
      ASSERT_TRUE(Contents(device, 250, 150) == expected);
    }
    EXPECT_EQ(engine->counters().emulated_blocks.value(), 0u);
    EXPECT_LE(refused, 40) << truth.max_copy_blocks << " " << truth.max_copy_ranges << " "
                           << truth.max_range_blocks;
    EXPECT_NE(device.copy_limits(), device.hardware_copy_limits());
  }
}

TEST(CopyRecoveryTest, ADeviceThatTakesNothingIsNotAskedAgain) {
  ScriptedDevice device(Mem(512));
  FillDevice(device, Blocks(0, 100), 1);
  int asked = 0;
  device.set_copy_outcome([&](absl::Span<const DeviceRange>) {
    ++asked;
    OpResult result;
    result.status = absl::InvalidArgumentError("too large");
    result.nvme = {1, 0x83, true};
    return result;
  });
  const auto engine = Engine(device, CopyMode::kAuto);
  for (int round = 0; round < 5; ++round) {
    CopyJob job;
    job.runs.push_back({&device, Blocks(0, 100), DeviceBlock(200)});
    ASSERT_THAT(RunJob(*engine, std::move(job)).status, IsOk());
  }
  EXPECT_TRUE(Contents(device, 200, 100) == Contents(device, 0, 100));
  EXPECT_LE(asked, 60);
  EXPECT_FALSE(device.copy_limits().can_copy());
  const auto native = Engine(device, CopyMode::kNative);
  CopyJob job;
  job.runs.push_back({&device, Blocks(0, 1), DeviceBlock(200)});
  EXPECT_THAT(RunJob(*native, std::move(job)).status,
              StatusIs(absl::StatusCode::kUnimplemented));
}

}  // namespace
}  // namespace gleaner::testing
