// A device in RAM that keeps the contract and no more: operations in flight complete in any order
// that a seed gives, some polls complete none, and those that a test chooses fail, leaving garbage
// or, in a zone, half of it, and half of the data of a write.
//
//   RoughDevice device(/*seed=*/1, {.capacity = DeviceBlockCount(1024)});
//   device.set_outcome([&](OpType type, DeviceRange) {
//     return type == OpType::kCopy ? absl::UnavailableError("no") : absl::OkStatus();
//   });
//
// For one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/random.h"
#include "base/types.h"
#include "device/device.h"
#include "device/mem_device.h"

namespace gleaner::testing {

class RoughDevice : public Device {
 public:
  // `options` as of mem, which keeps the data.
  RoughDevice(uint64_t seed, const MemDeviceOptions& options)
      : RoughDevice(seed, *MemDevice::Create(options)) {}

  // What becomes of an operation that would succeed; of a copy the range is its target.
  void set_outcome(std::function<absl::Status(OpType type, DeviceRange range)> outcome) {
    outcome_ = std::move(outcome);
  }

  // Flips a bit, behind everyone's back.
  absl::Status CorruptBlock(DeviceBlock block) { return mem_->CorruptBlock(block); }

 protected:
  absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int depth) override;
  absl::StatusOr<std::vector<ZoneInfo>> DoReportZones(DeviceRange range) override {
    return mem_->ReportZones(range);
  }

 private:
  friend class RoughQueue;

  RoughDevice(uint64_t seed, std::unique_ptr<MemDevice> mem);

  const std::unique_ptr<MemDevice> mem_;
  const std::unique_ptr<IoQueue> mem_queue_;
  Random random_;
  std::function<absl::Status(OpType type, DeviceRange range)> outcome_;
};

}  // namespace gleaner::testing
