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

  // Of each number of live blocks the oldest scores best, so the oldest of each bucket suffices;
  // and none that follow are wanted once the oldest of all would not do with as many live.
  SegmentId Pick(const SegmentTable& table, uint64_t now_blocks, Random*) const override {
    const SegmentId oldest = table.OldestCandidate();
    if (!oldest.valid()) return oldest;
    const uint64_t oldest_age = Age(table, oldest, now_blocks);
    const double span = std::max<double>(1, static_cast<double>(oldest_age));
    const uint64_t least_age = oldest_age < threshold_blocks_ ? 0 : threshold_blocks_;
    const auto score_of = [&](uint32_t live, uint64_t age) {
      const double stale =
          1.0 - static_cast<double>(live) / static_cast<double>(table.capacity_blocks());
      return kAgeWeight * static_cast<double>(age) / span + (1 - kAgeWeight) * stale;
    };
    SegmentId best;
    double best_score = -1;
    table.ForEachBucketOldest(
        1, [&](uint32_t live) { return score_of(live, oldest_age) >= best_score; },
        [&](SegmentId id) {
          const uint64_t age = Age(table, id, now_blocks);
          if (age < least_age) return;
          const double score = score_of(table.live_blocks_of(id), age);
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
