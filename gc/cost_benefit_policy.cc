#include "gc/victim_policy.h"

namespace gleaner {
namespace {

// (1 - u) age / (1 + u) with u = live / capacity, both sides times the capacity. Rounding does
// not change its order: it never falls with age, and never rises with live.
double Score(const SegmentTable& table, uint32_t live_blocks, double age_blocks) {
  const double capacity = table.capacity_blocks();
  const double live = live_blocks;
  return (capacity - live) * age_blocks / (capacity + live);
}

// The highest score, of equals the earliest seal, of the `per_bucket` oldest of each bucket.
// None is older than `oldest_blocks`, so that the search ends where even that age would not do.
template <typename AgeOf>
SegmentId PickBest(const SegmentTable& table, uint32_t per_bucket, double oldest_blocks,
                   AgeOf age_of) {
  SegmentId best;
  double best_score = -1;
  table.ForEachBucketOldest(
      per_bucket,
      [&](uint32_t live) { return Score(table, live, oldest_blocks) >= best_score; },
      [&](SegmentId id) {
        const double score = Score(table, table.live_blocks_of(id), age_of(id));
        if (score < best_score) return;
        if (score == best_score && table.seal_rank_of(id) > table.seal_rank_of(best))
          return;
        best_score = score;
        best = id;
      });
  return best;
}

// For a fixed number of live blocks the score grows with age, so the oldest of each bucket
// suffices.
class CostBenefitPolicy : public VictimPolicy {
 public:
  SegmentId Pick(const SegmentTable& table, uint64_t now_blocks, Random*) const override {
    const SegmentId oldest = table.OldestCandidate();
    if (!oldest.valid()) return oldest;
    const auto age_of = [&](SegmentId id) {
      return static_cast<double>(now_blocks - table.sealed_at_of(id));
    };
    return PickBest(table, 1, age_of(oldest), age_of);
  }
};

class CostBenefitModifiedPolicy : public VictimPolicy {
 public:
  SegmentId Pick(const SegmentTable& table, uint64_t now_blocks, Random*) const override {
    const auto now = static_cast<double>(now_blocks);
    return PickBest(table, kPerBucket, now - table.oldest_modified_at(),
                    [&](SegmentId id) { return now - table.modified_at_of(id); });
  }
  bool needs_modified() const override { return true; }

 private:
  static constexpr uint32_t kPerBucket = 8;
};

}  // namespace

std::unique_ptr<VictimPolicy> MakeCostBenefitPolicy() {
  return std::make_unique<CostBenefitPolicy>();
}

std::unique_ptr<VictimPolicy> MakeCostBenefitModifiedPolicy() {
  return std::make_unique<CostBenefitModifiedPolicy>();
}

}  // namespace gleaner
