#include "gc/pacing.h"

#include <algorithm>
#include <cmath>

namespace gleaner {
namespace {

uint32_t ShareOf(uint32_t segments, double share) {
  return static_cast<uint32_t>(std::ceil(share * segments));
}

}  // namespace

std::optional<PacingDecision> Pace(const PacingInput& input,
                                   const PacingOptions& options) {
  const uint32_t spare = input.free_segments + input.released_segments;
  if (input.free_segments == 0 || spare < options.foreground_segments) {
    // Without stale blocks a commit is all that helps.
    if (input.reclaimable_blocks == 0 && input.released_segments == 0)
      return std::nullopt;
    const uint32_t wanted =
        input.reclaimable_blocks > 0 ? options.foreground_segments : 0;
    return PacingDecision{.goal = {.spare_segments = wanted, .free_segments = 1},
                          .max_blocks = options.foreground_max_blocks,
                          .foreground = true};
  }
  if (input.reclaimable_blocks == 0) return std::nullopt;
  const double share = input.idle >= options.idle_after
                           ? std::max(options.idle_share, options.background_share)
                           : options.background_share;
  const uint32_t wanted =
      std::max(options.foreground_segments + 1, ShareOf(input.total_segments, share));
  if (spare >= wanted) return std::nullopt;
  return PacingDecision{.goal = {.spare_segments = wanted},
                        .max_blocks = options.background_max_blocks,
                        .foreground = false};
}

}  // namespace gleaner
