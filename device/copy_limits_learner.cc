#include "device/copy_limits_learner.h"

#include <algorithm>

namespace gleaner {
namespace {

// What commands of at most `most` ranges, of at most `longest` blocks each, could take of `ranges`:
// the first of them, in one. Counts no further than that.
CopyLimitsLearner::Shape FirstCommand(absl::Span<const DeviceRange> ranges, uint32_t most,
                                      uint64_t longest) {
  CopyLimitsLearner::Shape shape;
  for (const DeviceRange& range : ranges) {
    const uint64_t room = uint64_t{most - shape.ranges} * longest;
    const uint64_t n = std::min(range.count.value(), room);
    shape.ranges += static_cast<uint32_t>((n + longest - 1) / longest);
    shape.blocks += n;
    if (shape.ranges == most) break;
  }
  return shape;
}

}  // namespace

CopyLimitsLearner::Shape CopyLimitsLearner::Within(const CopyLimits& in_force) const {
  return {
      std::min(accepted_.ranges, in_force.max_copy_ranges),
      std::min(accepted_.blocks, in_force.max_copy_blocks),
      std::min({accepted_.longest, in_force.max_range_blocks, in_force.max_copy_blocks})};
}

CopyLimits CopyLimitsLearner::ForNext(absl::Span<const DeviceRange> ranges,
                                      const CopyLimits& in_force,
                                      bool may_be_probe) const {
  if (!in_force.can_copy()) return in_force;
  if (!any_accepted())
    return Lowered(in_force,
                   {.max_copy_blocks = 1, .max_copy_ranges = 1, .max_range_blocks = 1});
  const Shape now = Within(in_force);
  CopyLimits next = Lowered(in_force, {.max_copy_blocks = now.blocks,
                                       .max_copy_ranges = now.ranges,
                                       .max_range_blocks = now.longest});
  if (!may_be_probe || ranges.empty()) return next;
  // A longer range: alone, so that nothing else can be refused.
  const uint64_t most_in_range =
      std::min(in_force.max_range_blocks, in_force.max_copy_blocks);
  if (ranges.front().count.value() > now.longest && most_in_range > now.longest) {
    const uint64_t n = std::min(2 * now.longest, most_in_range);
    return Lowered(in_force,
                   {.max_copy_blocks = n, .max_copy_ranges = 1, .max_range_blocks = n});
  }
  // More ranges: shorter ones, so that they have no more blocks together; if there are more than
  // blocks, of one block each: then whatever is refused limits the number of ranges.
  const uint64_t most_ranges =
      std::min<uint64_t>(in_force.max_copy_ranges, in_force.max_copy_blocks);
  if (most_ranges > now.ranges &&
      FirstCommand(ranges, now.ranges + 1, now.longest).ranges > now.ranges) {
    const auto n = static_cast<uint32_t>(std::min(uint64_t{2} * now.ranges, most_ranges));
    const uint64_t length = std::clamp<uint64_t>(now.blocks / n, 1, now.longest);
    return Lowered(in_force, {.max_copy_blocks = std::max<uint64_t>(now.blocks, n),
                              .max_copy_ranges = n,
                              .max_range_blocks = length});
  }
  // More blocks in as many ranges.
  if (in_force.max_copy_blocks > now.blocks &&
      FirstCommand(ranges, now.ranges, now.longest).blocks > now.blocks) {
    next.max_copy_blocks = std::min(2 * now.blocks, in_force.max_copy_blocks);
  }
  return next;
}

bool CopyLimitsLearner::WantsProbe(absl::Span<const DeviceRange> ranges,
                                   const CopyLimits& in_force) const {
  if (!in_force.can_copy()) return false;
  return !any_accepted() ||
         ForNext(ranges, in_force, true) != ForNext(ranges, in_force, false);
}

bool CopyLimitsLearner::IsProbe(Shape shape) const {
  return shape.ranges > accepted_.ranges || shape.blocks > accepted_.blocks ||
         shape.longest > accepted_.longest;
}

CopyLimits CopyLimitsLearner::Refused(Shape probe) const {
  if (probe.longest > accepted_.longest) return {.max_range_blocks = accepted_.longest};
  if (probe.ranges > accepted_.ranges) return {.max_copy_ranges = accepted_.ranges};
  return {.max_copy_blocks = accepted_.blocks};
}

CopyLimits CopyLimitsLearner::Accepted(Shape shape, Shape refused) {
  const bool ranges_may = accepted_.ranges < refused.ranges;
  const bool blocks_may = accepted_.blocks < refused.blocks;
  accepted_.ranges = std::max(accepted_.ranges, shape.ranges);
  accepted_.blocks = std::max(accepted_.blocks, shape.blocks);
  accepted_.longest = std::max(accepted_.longest, shape.longest);
  CopyLimits learned;
  if (refused.ranges == 0) return learned;
  const bool short_ranges = shape.blocks < uint64_t{2} * shape.ranges;
  if (ranges_may && (short_ranges || !blocks_may)) {
    learned.max_copy_ranges = accepted_.ranges;
  } else if (blocks_may) {
    learned.max_copy_blocks = accepted_.blocks;
  }
  return learned;
}

}  // namespace gleaner
