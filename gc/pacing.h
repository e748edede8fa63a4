// When to clean, towards what and how much at a time: in the background by free space and idle
// time, in the foreground, in bounded steps, when space is nearly out. Pure: values in, values
// out.
//
//   const auto pace = Pace({.free_segments = 3, .total_segments = 100,
//                           .reclaimable_blocks = 512}, {});
//   if (!pace.has_value()) return;  // nothing to do
//   cleaner.Step(pace->goal, {.now_blocks = now, .max_blocks = pace->max_blocks,
//                             .foreground = pace->foreground});
//
// Thread-safe: no state.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "gc/cleaner.h"

namespace gleaner {

struct PacingOptions {
  // Foreground cleaning below so many spare (free or released) segments, or when none is free.
  // Larger: fewer stalls for want of a segment, less room for data to die before it is moved.
  uint32_t foreground_segments = 2;
  // Background cleaning below this share of spare segments; never below foreground_segments + 1.
  // Larger: longer bursts of writes without foreground cleaning, more write amplification.
  double background_share = 0.05;
  // The same while the user is idle. Larger: more is moved that would have died by itself.
  double idle_share = 0.10;
  // So long after the last user request the user is idle.
  absl::Duration idle_after = absl::Seconds(1);
  // Blocks of one step in the foreground, while the user waits, and in the background. Larger:
  // fewer steps, longer pauses.
  uint64_t foreground_max_blocks = 2048;
  uint64_t background_max_blocks = 512;
};

struct PacingInput {
  uint32_t free_segments = 0;
  uint32_t released_segments = 0;
  uint32_t total_segments = 0;
  uint64_t reclaimable_blocks = 0;  // SegmentTable::reclaimable_blocks()
  absl::Duration idle;              // since the last user request
};

struct PacingDecision {
  Cleaner::Goal goal;
  // The parts of Cleaner::Budget that are pacing's to say.
  uint64_t max_blocks = 0;
  bool foreground = false;

  friend bool operator==(const PacingDecision& a, const PacingDecision& b) {
    return a.goal.spare_segments == b.goal.spare_segments &&
           a.goal.free_segments == b.goal.free_segments && a.max_blocks == b.max_blocks &&
           a.foreground == b.foreground;
  }
};

// Nothing if there is enough room, or none to be won: neither stale blocks nor released segments
// that a commit would free.
std::optional<PacingDecision> Pace(const PacingInput& input,
                                   const PacingOptions& options);

}  // namespace gleaner
