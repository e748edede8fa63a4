#include "gc/victim_policy.h"

namespace gleaner {
namespace {

// Keeps the highest score, of equals the earliest seal.
class Best {
 public:
  explicit Best(const SegmentTable& table) : table_(table) {}
  void Offer(SegmentId id, double score) {
    if (score < score_) return;
    if (score == score_ && table_.seal_rank_of(id) > table_.seal_rank_of(id_)) return;
    score_ = score;
    id_ = id;
  }
  SegmentId id() const { return id_; }

 private:
  const SegmentTable& table_;
  double score_ = -1;
  SegmentId id_;
};

// (1 - u) age / (1 + u) with u = live / capacity, both sides times the capacity.
double Score(const SegmentTable& table, SegmentId id, double age_blocks) {
  const double capacity = table.capacity_blocks();
  const double live = table.live_blocks_of(id);
  return (capacity - live) * age_blocks / (capacity + live);
}

// For a fixed number of live blocks the score grows with age, so the oldest of each bucket
// suffices.
class CostBenefitPolicy : public VictimPolicy {
 public:
  SegmentId Pick(const SegmentTable& table, uint64_t now_blocks, Random*) const override {
    Best best(table);
    table.ForEachBucketOldest(1, [&](SegmentId id) {
      best.Offer(
          id, Score(table, id, static_cast<double>(now_blocks - table.sealed_at_of(id))));
    });
    return best.id();
  }
};

class CostBenefitModifiedPolicy : public VictimPolicy {
 public:
  SegmentId Pick(const SegmentTable& table, uint64_t now_blocks, Random*) const override {
    Best best(table);
    table.ForEachBucketOldest(kPerBucket, [&](SegmentId id) {
      best.Offer(id, Score(table, id,
                           static_cast<double>(now_blocks) - table.modified_at_of(id)));
    });
    return best.id();
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
