#include "tests/device/conformance.h"

#include "device/mem_device.h"

namespace gleaner::testing {
namespace {

using DeviceOr = absl::StatusOr<std::unique_ptr<Device>>;

MemDeviceOptions MemOptions(Access access) {
  MemDeviceOptions options;
  options.access = access;
  options.capacity = DeviceBlockCount(512);
  options.max_transfer = DeviceBlockCount(8);
  options.copy_limits = {
      .max_copy_blocks = 16, .max_copy_ranges = 3, .max_range_blocks = 8};
  return options;
}

DeviceOr Mem(Access access) { return MemDevice::Create(MemOptions(access)); }

DeviceOr Mem512(Access access) {
  MemDeviceOptions options = MemOptions(access);
  options.block_bytes = 512;
  return MemDevice::Create(options);
}

DeviceOr MemWithoutCopy(Access access) {
  MemDeviceOptions options = MemOptions(access);
  options.copy_limits = {};
  return MemDevice::Create(options);
}

DeviceOr MemVolatile(Access access) {
  MemDeviceOptions options = MemOptions(access);
  options.volatile_cache = true;
  return MemDevice::Create(options);
}

DeviceOr MemZoned(Access access) {
  MemDeviceOptions options = MemOptions(access);
  options.zone_size = DeviceBlockCount(64);
  options.zone_capacity = DeviceBlockCount(48);
  options.max_open_zones = 3;
  options.max_active_zones = 4;
  return MemDevice::Create(options);
}

}  // namespace

std::vector<Backend> Backends() {
  return {
      {"mem", Mem},
      {"mem_512", Mem512},
      {"mem_without_copy", MemWithoutCopy},
      {"mem_volatile", MemVolatile},
      {"mem_zoned", MemZoned},
  };
}

}  // namespace gleaner::testing
