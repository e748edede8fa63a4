// What the foreground's reads and writes take, told by whoever sends them, for those who should
// hold back while that is too long.
//
//   ForegroundLatency latency(absl::Milliseconds(2));           // the 99th percentile, at most
//   options.foreground = &latency;                              // of one copy engine or several
//   latency.Record(clock.Now() - submitted);                    // at each completion
//
// A percentile is above its target if more operations than it leaves over are slower than that:
// two counters say so exactly, and there is no histogram.
//
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"

namespace gleaner {

class ForegroundLatency {
 public:
  struct Counts {
    uint64_t operations = 0;
    uint64_t slow = 0;  // longer than the target
  };

  // `percentile` is a share, above 0 and below 1.
  explicit ForegroundLatency(absl::Duration target, double percentile = 0.99)
      : target_(target), slow_share_(1 - percentile) {}

  void Record(absl::Duration latency) {
    // In this order: nobody sees more slow ones than there are.
    operations_.fetch_add(1, std::memory_order_release);
    if (latency > target_) slow_.fetch_add(1, std::memory_order_release);
  }

  absl::Duration target() const { return target_; }
  // Since the beginning.
  Counts counts() const {
    const uint64_t slow = slow_.load(std::memory_order_acquire);
    return {operations_.load(std::memory_order_acquire), slow};
  }
  // Whether the percentile of what lies between two counts is above the target.
  bool IsAbove(const Counts& from, const Counts& to) const {
    return static_cast<double>(to.slow - from.slow) >
           slow_share_ * static_cast<double>(to.operations - from.operations) + 1e-9;
  }

 private:
  const absl::Duration target_;
  const double slow_share_;
  std::atomic<uint64_t> operations_{0};
  std::atomic<uint64_t> slow_{0};
};

}  // namespace gleaner
