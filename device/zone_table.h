// The state machine of a zoned device's zones: write pointers, states, open and active
// limits, by the rules of NVMe's Zoned Namespaces. Pure bookkeeping; whoever owns it
// moves the data.
//
//   ZoneTable zones("mem", geometry);
//   GLEANER_RETURN_IF_ERROR(zones.Write({DeviceBlock(0), DeviceBlockCount(8)}));
//   zones.Info(DeviceBlock(0)).write_pointer;  // DeviceBlock(8)
//
// Errors: FailedPrecondition for a wrong state, a write elsewhere than at the write
// pointer, or too many open or active zones. Addresses have been checked against the
// geometry. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "device/device.h"

namespace gleaner {

class ZoneTable {
 public:
  // `geometry` must be zoned. All zones are empty.
  ZoneTable(std::string name, const Geometry& geometry);

  // Before a write or copy to the zone of `block` is in flight and after it; in between,
  // a second one is refused.
  absl::Status BeginWrite(DeviceBlock block);
  void EndWrite(DeviceBlock block);

  // Moves the write pointer over `range`, which must start there; opens the zone if need
  // be.
  absl::Status Write(DeviceRange range);
  // The same, wherever the write pointer is: returns where that was.
  absl::StatusOr<DeviceBlock> Append(DeviceBlock zone, DeviceBlockCount count);

  absl::Status Open(DeviceBlock zone);
  absl::Status Close(DeviceBlock zone);
  absl::Status Finish(DeviceBlock zone);
  absl::Status Reset(DeviceBlock zone);

  // After a loss of power that lost the data from `block` on (in its zone): the write
  // pointer goes back there. Then, for all zones, PowerCycle: none is open.
  void LoseFrom(DeviceBlock block);
  void PowerCycle();

  const ZoneInfo& Info(DeviceBlock block) const { return zones_[Index(block)]; }
  std::vector<ZoneInfo> Report(DeviceRange range) const;

 private:
  size_t Index(DeviceBlock block) const {
    return block.value() / geometry_.zone_size.value();
  }
  absl::Status MakeOpen(ZoneInfo& zone);
  void SetState(ZoneInfo& zone, ZoneState state);
  absl::Status WrongState(const ZoneInfo& zone, absl::string_view what) const;

  const std::string name_;
  const Geometry geometry_;
  std::vector<ZoneInfo> zones_;
  std::vector<bool> writing_;
  uint32_t open_ = 0;
  uint32_t active_ = 0;  // open or closed
};

}  // namespace gleaner
