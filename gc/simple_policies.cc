// The policies that exist to be compared with theory: FIFO, random and d-choices.
#include "gc/victim_policy.h"

namespace gleaner {
namespace {

class FifoPolicy : public VictimPolicy {
 public:
  SegmentId Pick(const SegmentTable& table, uint64_t, Random*) const override {
    return table.OldestCandidate();
  }
};

class DChoicesPolicy : public VictimPolicy {
 public:
  explicit DChoicesPolicy(uint32_t choices) : choices_(choices) {}
  SegmentId Pick(const SegmentTable& table, uint64_t, Random* random) const override {
    SegmentId best;
    for (uint32_t i = 0; i < choices_ && table.candidate_count() > 0; ++i) {
      const SegmentId id =
          table.candidate(static_cast<uint32_t>(random->Below(table.candidate_count())));
      if (!best.valid() || Better(table, id, best)) best = id;
    }
    return best;
  }

 private:
  static bool Better(const SegmentTable& table, SegmentId a, SegmentId b) {
    const uint32_t live_a = table.live_blocks_of(a);
    const uint32_t live_b = table.live_blocks_of(b);
    if (live_a != live_b) return live_a < live_b;
    return table.seal_rank_of(a) < table.seal_rank_of(b);
  }

  const uint32_t choices_;
};

}  // namespace

std::unique_ptr<VictimPolicy> MakeFifoPolicy() { return std::make_unique<FifoPolicy>(); }

std::unique_ptr<VictimPolicy> MakeRandomPolicy() {
  return std::make_unique<DChoicesPolicy>(1);
}

std::unique_ptr<VictimPolicy> MakeDChoicesPolicy(uint32_t choices) {
  return std::make_unique<DChoicesPolicy>(choices);
}

}  // namespace gleaner
