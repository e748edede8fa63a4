// Where a store's blocks lie on a device.
//
//   BlockLayout layout({.first = DeviceBlock(0), .device_blocks_per_block = 8});
//   layout.ToDevice(PhysicalBlock(2));  // device block(16)
//
// Immutable, so thread-safe.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace gleaner {

class BlockLayout {
 public:
  struct Options {
    DeviceBlock first{0};                  // where physical block 0 lies
    uint32_t device_blocks_per_block = 1;  // a power of two
  };
  explicit BlockLayout(const Options& options) : options_(options) {}

  DeviceBlock ToDevice(PhysicalBlock block) const {
    return options_.first + ToDevice(block - PhysicalBlock(0));
  }
  DeviceBlockCount ToDevice(BlockCount count) const {
    return DeviceBlockCount(count.value() * options_.device_blocks_per_block);
  }
  DeviceRange ToDevice(PhysicalRange range) const {
    return {ToDevice(range.start), ToDevice(range.count)};
  }

 private:
  Options options_;
};

}  // namespace gleaner
