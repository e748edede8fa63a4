// Decides how much a copy engine may have in flight, and when more: so many bytes per second, and
// less while the foreground is slower than it should be. Knows no device and no clock.
//
//   CopyThrottle throttle({.max_bytes_per_second = 64 << 20, .chunk_bytes = 512 << 10});
//   throttle.Observe(now);
//   if (throttle.MayStart(now)) throttle.Start(now, bytes);  // at most MaxUnitBytes()
//   ...
//   throttle.End(bytes);
//
// Rate: what is begun within any time t is at most rate x (t + 20 ms), or one unit of the least
// size. Units are of at most 10 ms of the rate.
//
// Latency: every 10 ms, or later where the foreground does little, what it told since then is
// judged. Too slow: what may be in flight is halved, from what there was down to kLeastUnitBytes;
// then a pause follows each unit, twice as long each time up to kLongestPause. Fast enough, or
// nothing told: the pause is halved, then what may be in flight grows by a sixteenth. One unit at
// a time always gets through.
//
// Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "device/foreground_latency.h"

namespace gleaner {

class CopyThrottle {
 public:
  struct Options {
    uint64_t max_bytes_per_second = 0;              // 0: no limit
    const ForegroundLatency* foreground = nullptr;  // null: none is told of
    uint64_t chunk_bytes = 512 << 10;  // the largest unit while anything is held back
  };
  static constexpr uint64_t kLeastUnitBytes = 64 << 10;
  static constexpr uint64_t kNoLimit = UINT64_MAX;
  static constexpr absl::Duration kLongestPause = absl::Milliseconds(128);

  explicit CopyThrottle(const Options& options);

  bool on() const { return options_.max_bytes_per_second > 0 || options_.foreground; }
  // Listens to the foreground; changes anything at most every 10 ms.
  void Observe(absl::Duration now);
  // Whether the foreground is being spared.
  bool backed_off() const { return window_bytes_ < kNoLimit; }

  // Of the next unit.
  uint64_t MaxUnitBytes() const;
  bool MayStart(absl::Duration now) const;
  // Before this nothing may start, whatever ends.
  absl::Duration next_start() const { return std::max(next_by_rate_, paused_until_); }

  void Start(absl::Duration now, uint64_t bytes);
  void End(uint64_t bytes) { in_flight_bytes_ -= bytes; }
  // Something is sent again.
  void Charge(absl::Duration now, uint64_t bytes);

 private:
  void BackOff();
  void Recover();

  const Options options_;
  absl::Duration next_by_rate_ = -absl::InfiniteDuration();
  absl::Duration paused_until_ = -absl::InfiniteDuration();
  uint64_t in_flight_bytes_ = 0;
  uint64_t peak_bytes_ = 0;  // in flight, since the last judgement

  ForegroundLatency::Counts judged_;
  absl::Duration judged_at_ = -absl::InfiniteDuration();
  uint64_t window_bytes_ = kNoLimit;
  uint64_t whole_window_bytes_ = 0;  // the most that was in flight with no limit
  absl::Duration pause_;
};

}  // namespace gleaner
