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
  // Blocks until Now() is at least `time`.
  virtual void SleepUntil(absl::Duration time) const = 0;

  // The machine's monotonic clock; never destroyed.
  static const Clock& Real();
};

// Does not move by itself: by Advance, and for whoever sleeps.
class ManualClock : public Clock {
 public:
  absl::Duration Now() const override {
    return absl::Nanoseconds(now_ns_.load(std::memory_order_relaxed));
  }
  // At once: the clock moves on.
  void SleepUntil(absl::Duration time) const override {
    const int64_t until =
        absl::ToInt64Nanoseconds(absl::Ceil(time, absl::Nanoseconds(1)));
    int64_t now = now_ns_.load(std::memory_order_relaxed);
    while (now < until &&
           !now_ns_.compare_exchange_weak(now, until, std::memory_order_relaxed)) {
    }
  }
  void Advance(absl::Duration d) {
    now_ns_.fetch_add(absl::ToInt64Nanoseconds(d), std::memory_order_relaxed);
  }

 private:
  mutable std::atomic<int64_t> now_ns_{0};
};

}  // namespace gleaner
