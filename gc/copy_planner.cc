#include "gc/copy_planner.h"

#include <algorithm>

#include "base/check.h"

namespace gleaner {

void OrderSurvivors(SurvivorOrder order, std::vector<Extent>* survivors) {
  if (order == SurvivorOrder::kVictim) return;
  // Live lbas are distinct, so the order is total and the same on every machine.
  std::sort(survivors->begin(), survivors->end(),
            [](const Extent& a, const Extent& b) { return a.lba < b.lba; });
}

CopyPlanner::CopyPlanner(absl::Span<const Extent> survivors) : survivors_(survivors) {
  for (const Extent& extent : survivors) remaining_ += extent.count;
}

void CopyPlanner::LayOver(PhysicalRange run, std::vector<Move>* moves) {
  const size_t before = moves->size();
  moves->resize(before + survivors_.size() - next_);
  Move* out = moves->data() + before;
  // In locals, which no store through `out` can change.
  const Extent* extent = survivors_.data() + next_;
  const Extent* const end = survivors_.data() + survivors_.size();
  BlockCount placed = placed_;
  PhysicalBlock to = run.start;
  BlockCount left = run.count;
  while (left.value() > 0 && extent != end) {
    GLEANER_DCHECK(extent->count.value() > 0);
    const BlockCount n = std::min(left, extent->count - placed);
    *out++ = {extent->lba + placed, extent->physical + placed, to, n};
    to += n;
    left -= n;
    placed += n;
    if (placed == extent->count) {
      ++extent;
      placed = BlockCount(0);
    }
  }
  next_ = static_cast<size_t>(extent - survivors_.data());
  placed_ = placed;
  moves->resize(static_cast<size_t>(out - moves->data()));
  remaining_ -= to - run.start;
}

}  // namespace gleaner
