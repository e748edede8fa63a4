#include <cmath>

#include "gc/placement.h"

namespace gleaner {
namespace {

class AgeMatchPlacement : public Placement {
 public:
  AgeMatchPlacement(const PlacementOptions& options, uint32_t relocated_classes)
      : segment_blocks_(options.segment_blocks),
        changed_at_(1 + relocated_classes, 0.0) {}

  uint32_t classes() const override { return static_cast<uint32_t>(changed_at_.size()); }
  uint32_t relocation_classes() const override { return classes(); }
  bool needs_modified() const override { return true; }

  ClassId ForUserWrite(Lba, uint64_t) override { return ClassId(0); }

  std::optional<ClassId> ForVictim(const SegmentInfo& victim,
                                   uint64_t now_blocks) override {
    if (!started_) SpreadOver(now_blocks);
    // The user's open segment is half full on average.
    changed_at_[0] = static_cast<double>(now_blocks) - segment_blocks_ / 2.0;
    size_t nearest = 0;
    for (size_t i = 1; i < changed_at_.size(); ++i) {
      if (Distance(i, victim) < Distance(nearest, victim)) nearest = i;
    }
    // Its mean follows what it takes in, over about a segment.
    changed_at_[nearest] += (victim.modified_at_blocks - changed_at_[nearest]) *
                            victim.live_blocks / (victim.live_blocks + segment_blocks_);
    return ClassId(static_cast<uint8_t>(nearest));
  }

 private:
  double Distance(size_t i, const SegmentInfo& victim) const {
    return std::abs(changed_at_[i] - victim.modified_at_blocks);
  }

  // Before anything was relocated: equally spaced over the past, the last class the oldest.
  void SpreadOver(uint64_t now_blocks) {
    started_ = true;
    const size_t relocated = changed_at_.size() - 1;
    for (size_t i = 1; i <= relocated; ++i) {
      changed_at_[i] = static_cast<double>(now_blocks) *
                       static_cast<double>(relocated - i) /
                       static_cast<double>(relocated);
    }
  }

  const double segment_blocks_;
  bool started_ = false;
  std::vector<double> changed_at_;  // mean time of change of each class's recent blocks
};

}  // namespace

std::unique_ptr<Placement> MakeAgeMatchPlacement(const PlacementOptions& options,
                                                 uint32_t relocated_classes) {
  return std::make_unique<AgeMatchPlacement>(options, relocated_classes);
}

}  // namespace gleaner
