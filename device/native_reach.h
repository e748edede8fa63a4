// Which parts of a copy run can be copied natively: those whose blocks lie in one window of
// the source and one of the target, and where the target's Copy reaches the source.
//
//   NativeReach reach(*target);
//   for (DeviceBlockCount at; at < run.from.count;) {
//     const NativeReach::Part part = reach.PartAt(run, at);
//     part.native ? compile(part.blocks) : emulate(part.blocks);
//     at += part.blocks;
//   }
//
// Internal to the copy engine. Not thread-safe.
#pragma once

#include "base/types.h"
#include "device/copy_engine.h"
#include "device/device.h"
#include "device/geometry.h"

namespace gleaner {

class NativeReach {
 public:
  // The limits are those of now. `target` must outlive this.
  explicit NativeReach(const Device& target);

  struct Part {
    DeviceBlockCount blocks;  // in a run that is not native at all: what is left of it
    bool native = false;
  };
  // From `offset` on, which is less than the run's length. The run is within its devices.
  Part PartAt(const CopyRun& run, DeviceBlockCount offset);

  // Of copies from the source that was asked for last.
  const CopyLimits& limits() const { return limits_; }

 private:
  const Device& target_;
  CopyWindow target_window_;  // the one that was looked at last, as is
  const Device* source_ = nullptr;
  CopyWindow source_window_;  // this
  CopyLimits limits_;
};

}  // namespace gleaner
