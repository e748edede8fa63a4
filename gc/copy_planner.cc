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
  moves->reserve(moves->size() + survivors_.size() - next_);
  PhysicalBlock to = run.start;
  uint64_t left = run.count.value();
  while (left > 0 && !done()) {
    const Extent& extent = survivors_[next_];
    GLEANER_DCHECK(extent.count.value() > 0);
    const BlockCount n(std::min(left, extent.count.value() - placed_.value()));
    moves->push_back({extent.lba + placed_, extent.physical + placed_, to, n});
    to += n;
    left -= n.value();
    placed_ += n;
    if (placed_ == extent.count) {
      ++next_;
      placed_ = BlockCount(0);
    }
  }
  remaining_ -= to - run.start;
}

}  // namespace gleaner
