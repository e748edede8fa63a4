// Time is passed in: no code below cli/ and bench/ reads a clock that it was not given.
// Segment ages are not time in this sense: they are counted in user blocks written.
//
//   ManualClock clock;              // in tests and in models
//   clock.Advance(absl::Milliseconds(3));
//
// Thread-safe.
#pragma once

#include <atomic>

#include "absl/time/time.h"

namespace gleaner {

class Clock {
 public:
  virtual ~Clock() = default;
  // Time since an arbitrary fixed point; never goes backwards.
  virtual absl::Duration Now() const = 0;

  // The machine's monotonic clock; never destroyed.
  static const Clock& Real();
};

// Does not move by itself.
class ManualClock : public Clock {
 public:
  absl::Duration Now() const override {
    return absl::Nanoseconds(now_ns_.load(std::memory_order_relaxed));
  }
  void Advance(absl::Duration d) {
    now_ns_.fetch_add(absl::ToInt64Nanoseconds(d), std::memory_order_relaxed);
  }

 private:
  std::atomic<int64_t> now_ns_{0};
};

}  // namespace gleaner
