#include "device/geometry.h"

#include <gtest/gtest.h>

#include "base/types.h"

namespace gleaner {
namespace {

TEST(CopyLimitsTest, LoweredIsTheSmallerOfEachAndZeroMeansUnchanged) {
  const CopyLimits hardware = {
      .max_copy_blocks = 1024, .max_copy_ranges = 128, .max_range_blocks = 64};
  EXPECT_EQ(Lowered(hardware, {}), hardware);
  EXPECT_EQ(Lowered(hardware, {.max_copy_blocks = 2048, .max_copy_ranges = 8}),
            (CopyLimits{
                .max_copy_blocks = 1024, .max_copy_ranges = 8, .max_range_blocks = 64}));
  EXPECT_FALSE(Lowered(hardware, {.copy_offload = false}).can_copy());
  EXPECT_FALSE(Lowered({.copy_offload = false}, {.copy_offload = true}).copy_offload);
}

TEST(CopyLimitsTest, EveryLimitMustAllowCopying) {
  const CopyLimits one = {
      .max_copy_blocks = 1, .max_copy_ranges = 1, .max_range_blocks = 1};
  EXPECT_TRUE(one.can_copy());
  EXPECT_FALSE(CopyLimits{}.can_copy());
  EXPECT_FALSE((CopyLimits{.max_copy_ranges = 1, .max_range_blocks = 1}).can_copy());
  EXPECT_FALSE((CopyLimits{.max_copy_blocks = 1, .max_range_blocks = 1}).can_copy());
  EXPECT_FALSE((CopyLimits{.max_copy_blocks = 1, .max_copy_ranges = 1}).can_copy());
}

TEST(CopyLimitsTest, WhatIsUnknownIsTriedUpToWhatACommandCanSay) {
  const CopyLimits none{.unknown = true};
  EXPECT_FALSE(none.can_copy());
  EXPECT_EQ(WithCaps(none), (CopyLimits{65536, 256, 65536, true, true}));
  EXPECT_EQ(WithCaps({7, 0, 0, true, true}), (CopyLimits{7, 256, 65536, true, true}));
  EXPECT_EQ(WithCaps({}), CopyLimits{});  // known to be none
  EXPECT_EQ(Lowered(WithCaps(none), {.max_copy_ranges = 9}),
            (CopyLimits{65536, 9, 65536, true, true}));
  EXPECT_FALSE(Lowered(WithCaps(none), {.copy_offload = false}).can_copy());
}

TEST(GeometryTest, Zones) {
  Geometry geometry;
  geometry.capacity = DeviceBlockCount(256);
  EXPECT_FALSE(geometry.zoned());
  geometry.zone_size = DeviceBlockCount(64);
  EXPECT_TRUE(geometry.zoned());
  EXPECT_EQ(geometry.zones(), 4u);
  EXPECT_EQ(geometry.ZoneStart(DeviceBlock(63)), DeviceBlock(0));
  EXPECT_EQ(geometry.ZoneStart(DeviceBlock(64)), DeviceBlock(64));
}

TEST(GeometryTest, InBoundsNeverOverflows) {
  const DeviceBlockCount capacity(10);
  EXPECT_TRUE(InBounds({DeviceBlock(8), DeviceBlockCount(2)}, capacity));
  EXPECT_TRUE(InBounds({DeviceBlock(10), DeviceBlockCount(0)}, capacity));
  EXPECT_FALSE(InBounds({DeviceBlock(8), DeviceBlockCount(3)}, capacity));
  EXPECT_FALSE(InBounds({DeviceBlock(11), DeviceBlockCount(0)}, capacity));
  EXPECT_FALSE(InBounds({DeviceBlock(8), DeviceBlockCount(~uint64_t{0})}, capacity));
}

}  // namespace
}  // namespace gleaner
