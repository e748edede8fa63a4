#include "device/marker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "device/mem_device.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::IsOk;
using ::gleaner::testing::StatusIs;
using ::testing::HasSubstr;

// A device of 4 MiB: its first and last MiB are blocks 0 to 255 and 768 to 1023.
class MarkerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MemDeviceOptions options;
    options.name = "mem:test";
    options.capacity = DeviceBlockCount(1024);
    ASSERT_OK_AND_ASSIGN(device_, MemDevice::Create(options));
  }
  void Put(uint64_t block, size_t offset, absl::string_view text) {
    AlignedBuffer buffer(4096);
    std::memcpy(buffer.data() + offset, text.data(), text.size());
    ASSERT_THAT(
        WriteBlocks(*device_, {DeviceBlock(block), DeviceBlockCount(1)}, buffer.data()),
        IsOk());
  }

  std::unique_ptr<MemDevice> device_;
};

TEST_F(MarkerTest, ZeroesMayBeOverwritten) {
  EXPECT_THAT(CheckOverwritable(*device_), IsOk());
  Put(256, 0, "in the middle nobody looks");
  Put(767, 0, "in the middle nobody looks");
  EXPECT_THAT(CheckOverwritable(*device_), IsOk());
}

TEST_F(MarkerTest, ForeignDataMayNot) {
  Put(255, 4095, "x");
  EXPECT_THAT(CheckOverwritable(*device_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("mem:test")));
  EXPECT_THAT(CheckOverwritable(*device_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("first MiB")));
  Put(255, 0, "");
  Put(768, 0, "x");
  EXPECT_THAT(CheckOverwritable(*device_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("last MiB")));
}

TEST_F(MarkerTest, OurOwnDataMay) {
  Put(0, 0, "user data");
  Put(1, 0, {kGleanerMarker, kGleanerMarkerBytes});
  EXPECT_THAT(CheckOverwritable(*device_), IsOk());
  Put(1, 512, {kGleanerMarker, kGleanerMarkerBytes});  // not at a block's start
  EXPECT_THAT(CheckOverwritable(*device_),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  Put(1023, 0, {kGleanerMarker, kGleanerMarkerBytes});
  EXPECT_THAT(CheckOverwritable(*device_), IsOk());
}

TEST_F(MarkerTest, SmallDevicesAreLookedAtWhole) {
  MemDeviceOptions options;
  options.capacity = DeviceBlockCount(1);
  ASSERT_OK_AND_ASSIGN(device_, MemDevice::Create(options));
  EXPECT_THAT(CheckOverwritable(*device_), IsOk());
  Put(0, 100, "x");
  EXPECT_THAT(CheckOverwritable(*device_),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

// Data on media: the bytes never change.
TEST(MarkerBytesTest, AreFixed) {
  EXPECT_EQ(kGleanerMarkerBytes, 8u);
  EXPECT_EQ(std::memcmp(kGleanerMarker, "\x47\x6c\x65\x61\x6e\x65\x72\x1a", 8), 0);
}

}  // namespace
}  // namespace gleaner
