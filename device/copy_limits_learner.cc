#include "device/copy_limits_learner.h"

#include <algorithm>

namespace gleaner {

CopyLimits CopyLimitsLearner::Accepted(Shape shape, Shape refused) {
  const bool ranges_may = ranges_ < refused.ranges;
  const bool blocks_may = blocks_ < refused.blocks;
  ranges_ = std::max(ranges_, shape.ranges);
  blocks_ = std::max(blocks_, shape.blocks);
  CopyLimits learned;
  if (refused.ranges == 0) return learned;
  const bool short_ranges = shape.blocks < uint64_t{2} * shape.ranges;
  if (ranges_may && (short_ranges || !blocks_may)) {
    learned.max_copy_ranges = ranges_;
  } else if (blocks_may) {
    learned.max_copy_blocks = blocks_;
  }
  return learned;
}

}  // namespace gleaner
