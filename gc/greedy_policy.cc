#include "gc/victim_policy.h"

namespace gleaner {
namespace {

class GreedyPolicy : public VictimPolicy {
 public:
  SegmentId Pick(const SegmentTable& table, uint64_t, Random*) const override {
    return table.FewestLiveCandidate();
  }
};

}  // namespace

std::unique_ptr<VictimPolicy> MakeGreedyPolicy() {
  return std::make_unique<GreedyPolicy>();
}

}  // namespace gleaner
