// A device whose operations take the time that a test says, on a clock that only it
// moves: it serves them one after another, and waiting for one advances the clock. Keeps
// its data, executes Copy, and fails what it is told to fail.
//
//   ManualClock clock;
//   CostDevice device(&clock, DeviceBlockCount(1 << 16));
//   device.costs().per_native_range = absl::Microseconds(60);
//
// For one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "base/clock.h"
#include "device/device.h"

namespace gleaner::testing {

struct Costs {
  absl::Duration per_read;  // operations
  absl::Duration per_block_read;
  absl::Duration per_write;
  absl::Duration per_block_written;
  absl::Duration per_command;
  absl::Duration per_native_range;
  absl::Duration per_native_block;
};

class CostDevice : public Device {
 public:
  // An operation as a test sees it: to fail it, or to look at it.
  struct Seen {
    OpType type;
    DeviceRange range;
    size_t ranges;  // of a copy
  };

  CostDevice(ManualClock* clock, DeviceBlockCount capacity,
             const CopyLimits& limits = {.max_copy_blocks = 1024,
                                         .max_copy_ranges = 128,
                                         .max_range_blocks = 128});

  Costs& costs() { return costs_; }
  // What becomes of an operation that would succeed.
  void set_outcome(std::function<OpResult(const Seen&)> outcome) {
    outcome_ = std::move(outcome);
  }
  // Whether ever a read was started while a write was in flight.
  bool read_beside_write() const { return read_beside_write_; }
  int most_copies_in_flight() const { return most_copies_in_flight_; }

 protected:
  absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int depth) override;

 private:
  friend class CostQueue;

  ManualClock& clock_;
  Costs costs_;
  std::function<OpResult(const Seen&)> outcome_;
  absl::Duration busy_until_;
  int writes_in_flight_ = 0;
  int copies_in_flight_ = 0;
  int most_copies_in_flight_ = 0;
  bool read_beside_write_ = false;
};

}  // namespace gleaner::testing
