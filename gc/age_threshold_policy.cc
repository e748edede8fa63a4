#include <algorithm>

#include "gc/victim_policy.h"

namespace gleaner {
namespace {

// Weights of age and of stale share, as in F2FS (atgc_age_weight, in percent).
constexpr double kAgeWeight = 0.6;

class AgeThresholdPolicy : public VictimPolicy {
 public:
  explicit AgeThresholdPolicy(uint64_t threshold_blocks)
      : threshold_blocks_(threshold_blocks) {}

  // Of each number of live blocks the oldest scores best, so the oldest of each bucket suffices.
  SegmentId Pick(const SegmentTable& table, uint64_t now_blocks, Random*) const override {
    const SegmentId oldest = table.OldestCandidate();
    if (!oldest.valid()) return oldest;
    const double span = std::max<double>(1, Age(table, oldest, now_blocks));
    const bool waived = Age(table, oldest, now_blocks) < threshold_blocks_;
    SegmentId best;
    double best_score = -1;
    table.ForEachBucketOldest(1, [&](SegmentId id) {
      const uint64_t age = Age(table, id, now_blocks);
      if (!waived && age < threshold_blocks_) return;
      const double stale = 1.0 - static_cast<double>(table.live_blocks_of(id)) /
                                     static_cast<double>(table.capacity_blocks());
      const double score =
          kAgeWeight * static_cast<double>(age) / span + (1 - kAgeWeight) * stale;
      if (score < best_score) return;
      if (score == best_score && table.seal_rank_of(id) > table.seal_rank_of(best))
        return;
      best_score = score;
      best = id;
    });
    return best;
  }

 private:
  static uint64_t Age(const SegmentTable& table, SegmentId id, uint64_t now_blocks) {
    return now_blocks - table.sealed_at_of(id);
  }

  const uint64_t threshold_blocks_;
};

}  // namespace

std::unique_ptr<VictimPolicy> MakeAgeThresholdPolicy(uint64_t threshold_blocks) {
  return std::make_unique<AgeThresholdPolicy>(threshold_blocks);
}

}  // namespace gleaner
