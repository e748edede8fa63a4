// What a device is: its block size, capacity, zones, and the limits of its Copy command.
//
//   const Geometry& g = device->geometry();
//   if (g.zoned()) reserve(g.zone_capacity);
//   CopyLimits mine = Lowered(device->hardware_copy_limits(), {.max_copy_ranges = 8});
//   if (mine.can_copy()) ...
//
// All counts are in device blocks (the device's logical blocks) and one-based. Plain
// values.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "base/types.h"

namespace gleaner {

// Limits of one Copy command. In NVMe's words MCL, MSRC + 1 and MSSRL.
struct CopyLimits {
  uint64_t max_copy_blocks = 0;   // in all ranges together; 0: the device cannot copy
  uint32_t max_copy_ranges = 0;   // source ranges
  uint64_t max_range_blocks = 0;  // in one source range
  // Whether the device offers Copy (hardware limits), and whether the user wants it used.
  bool copy_offload = true;
  // The device offers Copy and does not say how much of it; what it did not say is zero in its
  // hardware limits. The real limits are learned by trying, from the smallest command on.
  bool unknown = false;

  // Whether a Copy command may be sent at all.
  bool can_copy() const {
    return copy_offload && max_copy_blocks > 0 && max_copy_ranges > 0 &&
           max_range_blocks > 0;
  }
  friend bool operator==(const CopyLimits&, const CopyLimits&) = default;
};

// The smaller of each limit. A zero in `wish` means "as the hardware has it"; a wish
// beyond the hardware changes nothing; copy_offload is on where it is on in both.
CopyLimits Lowered(const CopyLimits& hardware, const CopyLimits& wish);

// The most that may be tried: where limits are unknown, what one NVMe command can express in
// place of each that is zero; else the limits as they are.
CopyLimits WithCaps(const CopyLimits& hardware);

// Blocks in all ranges together.
DeviceBlockCount TotalBlocks(absl::Span<const DeviceRange> ranges);

// Whether a copy of these sources may be sent in one command.
bool KeepsLimits(absl::Span<const DeviceRange> sources, const CopyLimits& limits);

struct Geometry {
  uint32_t block_bytes = 4096;  // a power of two, at least 512
  DeviceBlockCount capacity;

  // Zones all have the size `zone_size`; only their first `zone_capacity` blocks can be
  // written (zone_capacity <= zone_size). Zero: not zoned. The capacity is a multiple of
  // zone_size.
  DeviceBlockCount zone_size;
  DeviceBlockCount zone_capacity;
  uint32_t max_open_zones = 0;    // 0: no limit
  uint32_t max_active_zones = 0;  // open, closed; 0: no limit

  // The most that one command to the device reads or writes. IoQueue splits larger reads
  // and writes; an append cannot be larger.
  DeviceBlockCount max_transfer = DeviceBlockCount(256);
  // A write of at most this much, at a multiple of it, is never torn by a power cut.
  DeviceBlockCount atomic_write = DeviceBlockCount(1);
  // What a buffer's address must be a multiple of, in bytes; never more than block_bytes.
  uint32_t buffer_alignment = 512;
  // Whether completed writes can be lost before the next flush.
  bool volatile_write_cache = false;

  bool zoned() const { return zone_size.value() != 0; }
  // The number of zones; the device must be zoned.
  uint64_t zones() const { return capacity.value() / zone_size.value(); }
  // The first block of the zone that holds `block`; the device must be zoned.
  DeviceBlock ZoneStart(DeviceBlock block) const {
    return DeviceBlock(block.value() - block.value() % zone_size.value());
  }
};

// Whether every block of `range` exists on a device of this capacity. Never overflows.
inline bool InBounds(DeviceRange range, DeviceBlockCount capacity) {
  return range.start.value() <= capacity.value() &&
         range.count.value() <= capacity.value() - range.start.value();
}

}  // namespace gleaner
