// A device in RAM that keeps the whole contract strictly: it executes Copy, enforces
// limits and zone rules, and can lose what was not flushed. For tests, models and first
// experiments.
//
//   MemDeviceOptions options;
//   options.capacity = DeviceBlockCount(1 << 20);
//   options.volatile_cache = true;
//   GLEANER_ASSIGN_OR_RETURN(auto device, MemDevice::Create(options));
//   ... write, no flush ...
//   device->DropUnflushed();  // a power cut: the old contents are back
//
// Operations run inside Poll and Wait only, in the order of submission. Blocks that were
// never written read as zeroes and cost no memory. Thread-safe, as every Device.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "device/device.h"

namespace gleaner {

struct MemDeviceOptions {
  std::string name = "mem";
  Access access = Access::kReadWrite;
  uint32_t block_bytes = 4096;     // a power of two, 512 to 65536
  DeviceBlockCount capacity;       // on a zoned device a multiple of zone_size
  DeviceBlockCount zone_size;      // zero: not zoned
  DeviceBlockCount zone_capacity;  // zero: zone_size
  uint32_t max_open_zones = 0;     // zero: no limit
  uint32_t max_active_zones = 0;   // zero: no limit
  DeviceBlockCount max_transfer = DeviceBlockCount(256);
  CopyLimits copy_limits = {
      .max_copy_blocks = 1024, .max_copy_ranges = 128, .max_range_blocks = 128};
  // Keep what DropUnflushed needs: costs a copy of each block that is not flushed.
  bool volatile_cache = false;
};

class MemDevice : public Device {
 public:
  // InvalidArgument: options that describe no device. ResourceExhausted: not enough
  // address space.
  static absl::StatusOr<std::unique_ptr<MemDevice>> Create(
      const MemDeviceOptions& options);

  // A power cut as bad as the contract allows: every block goes back to what the last
  // flush covered, and with it the zones' write pointers. Operations in flight must have
  // completed. FailedPrecondition without volatile_cache.
  virtual absl::Status DropUnflushed() = 0;

  // Flips one bit of the block behind everyone's back. OutOfRange past the end.
  virtual absl::Status CorruptBlock(DeviceBlock block) = 0;

 protected:
  using Device::Device;
};

}  // namespace gleaner
