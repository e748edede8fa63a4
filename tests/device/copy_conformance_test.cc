// Copy, checked on every backend that has it; the others say that they cannot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "device/aligned_buffer.h"
#include "device/device.h"
#include "tests/device/conformance.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

using ::testing::HasSubstr;

class CopyConformanceTest : public DeviceConformanceTest {};
class NoCopyConformanceTest : public DeviceConformanceTest {};

TEST_P(NoCopyConformanceTest, CopyIsRefused) {
  EXPECT_THAT(Copy({Blocks(8, 4), Blocks(0, 2)}, 64).status,
              StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("cannot copy")));
  EXPECT_EQ(device_->hardware_copy_limits().max_copy_blocks, 0u);
}

TEST_P(CopyConformanceTest, CopyMovesDataInListOrder) {
  WriteStamped(Blocks(0, 16), 1);
  const std::vector<DeviceRange> sources = {Blocks(8, 4), Blocks(0, 2), Blocks(15, 1)};
  const OpResult result = Copy(sources, 64);
  ASSERT_THAT(result.status, IsOk());
  std::string expected;
  for (const DeviceRange& source : sources) {
    const AlignedBuffer stamped = Stamped(source, 1);
    expected.append(stamped.data(), stamped.size());
  }
  ExpectContents(Blocks(64, 7), expected);
  ExpectStamped(Blocks(0, 16), 1);
  EXPECT_EQ(device_->counters().copies, 1u);
  EXPECT_EQ(device_->counters().copy_ranges, 3u);
  EXPECT_EQ(device_->counters().blocks_copied, DeviceBlockCount(7));
  EXPECT_EQ(device_->counters().blocks_written,
            DeviceBlockCount(16));  // no copy is a write
}

TEST_P(CopyConformanceTest, CopyKeepsItsLimits) {
  const CopyLimits expected = {.max_copy_blocks = GetParam().max_copy_blocks,
                               .max_copy_ranges = 3,
                               .max_range_blocks = 8};
  ASSERT_EQ(device_->hardware_copy_limits(), expected);
  WriteStamped(Blocks(0, 32), 1);
  const auto invalid = StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("limit"));
  EXPECT_THAT(Copy({Blocks(0, 9)}, 64).status, invalid);
  if (expected.max_copy_blocks < 24) {  // there is such a limit
    EXPECT_THAT(Copy({Blocks(0, 8), Blocks(8, 8), Blocks(16, 1)}, 64).status, invalid);
  }
  EXPECT_THAT(Copy({Blocks(0, 1), Blocks(2, 1), Blocks(4, 1), Blocks(6, 1)}, 64).status,
              invalid);
  EXPECT_THAT(Copy({}, 64).status, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Copy({Blocks(0, 8), Blocks(16, 8)}, 64).status, IsOk());
  EXPECT_THAT(Copy({Blocks(0, 1), Blocks(2, 1), Blocks(4, 1)}, 128).status, IsOk());
}

TEST_P(CopyConformanceTest, CopyLimitsCanBeLoweredAndCopySwitchedOff) {
  WriteStamped(Blocks(0, 8), 1);
  device_->LowerCopyLimits({.max_copy_ranges = 1, .max_range_blocks = 4000});
  EXPECT_EQ(device_->copy_limits(),
            (CopyLimits{.max_copy_blocks = GetParam().max_copy_blocks,
                        .max_copy_ranges = 1,
                        .max_range_blocks = 8}));
  EXPECT_THAT(Copy({Blocks(0, 1), Blocks(2, 1)}, 64).status,
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Copy({Blocks(0, 8)}, 64).status, IsOk());
  device_->LowerCopyLimits({.copy_offload = false});
  EXPECT_THAT(Copy({Blocks(0, 8)}, 128).status,
              StatusIs(absl::StatusCode::kUnimplemented));
  device_->LowerCopyLimits({});
  EXPECT_EQ(device_->copy_limits(), device_->hardware_copy_limits());
}

TEST_P(CopyConformanceTest, CopyRefusesBadRanges) {
  WriteStamped(Blocks(0, 16), 1);
  EXPECT_THAT(Copy({Blocks(0, 1), Blocks(4, 0)}, 64).status,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
  EXPECT_THAT(Copy({Blocks(capacity(), 1)}, 64).status,
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(Copy({Blocks(0, 8)}, capacity() - 7).status,
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(Copy({Blocks(0, 4), Blocks(8, 8)}, 16).status, IsOk());
  EXPECT_THAT(Copy({Blocks(0, 4), Blocks(8, 4)}, 5).status,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("overlap")));
}

INSTANTIATE_TEST_SUITE_P(Backends, CopyConformanceTest,
                         ::testing::ValuesIn(BackendsThat([](const Backend& b) {
                           return b.copies;
                         })),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Backends, NoCopyConformanceTest,
                         ::testing::ValuesIn(BackendsThat([](const Backend& b) {
                           return !b.copies;
                         })),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace gleaner::testing
