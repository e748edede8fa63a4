// Where the blocks of a device of several members lie: chunks dealt to the members in turn,
// or one member after the other.
//
//   const AddressMap map = AddressMap::Stripe(DeviceBlockCount(16), 2, 100);
//   map.PlaceOf(DeviceBlock(20));  // member 1, its block 4; the chunk 16+16
//   map.BlockOf(1, DeviceBlock(4));  // DeviceBlock(20)
//
// Immutable, so thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/types.h"

namespace gleaner {

class AddressMap {
 public:
  // Chunk i is chunk i / members of member i % members.
  static AddressMap Stripe(DeviceBlockCount chunk, size_t members,
                           uint64_t chunks_per_member);
  // Each member begins where the one before ends. None is empty.
  static AddressMap Concat(const std::vector<DeviceBlockCount>& capacities);

  DeviceBlockCount capacity() const { return capacity_; }

  struct Place {
    size_t member = 0;
    DeviceBlock block;  // of the member
    // The blocks around it that follow each other on the member, as they do here: its
    // chunk, or the whole member.
    DeviceRange window;
  };
  // `block` is within the capacity.
  Place PlaceOf(DeviceBlock block) const;

  // The inverse.
  DeviceBlock BlockOf(size_t member, DeviceBlock block) const;

 private:
  DeviceBlockCount capacity_;
  uint64_t chunk_ = 0;  // 0: not a stripe
  size_t members_ = 0;
  std::vector<DeviceBlock> starts_;  // of each member, if not a stripe
};

}  // namespace gleaner
