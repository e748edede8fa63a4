#include <algorithm>

#include "gc/placement.h"

namespace gleaner {
namespace {

constexpr ClassId kHot(0);
constexpr ClassId kWarm(1);
constexpr ClassId kCold(2);

// Percent of the latest interval in a block's age.
constexpr uint64_t kLatestWeight = 70;

// Times are kept in units of 64 blocks, so that 32 bits last for 10^11 blocks.
constexpr uint64_t kUnitBlocks = 64;

class TemperaturePlacement : public Placement {
 public:
  TemperaturePlacement(const PlacementOptions& options,
                       const TemperatureThresholds& thresholds)
      : thresholds_(thresholds), known_(std::max<uint64_t>(1, options.volume_blocks)) {}

  uint32_t classes() const override { return 3; }
  uint32_t user_classes() const override { return 3; }

  ClassId ForUserWrite(Lba lba, uint64_t now_blocks) override {
    Known& known =
        known_[lba.value() < known_.size() ? lba.value() : lba.value() % known_.size()];
    const uint32_t now = static_cast<uint32_t>(now_blocks / kUnitBlocks + 1);
    const uint32_t last = known.last_write;
    known.last_write = now;
    if (last == kNever) return kWarm;
    const uint32_t interval = now - last;
    known.age =
        known.age == kNoAge
            ? interval
            : static_cast<uint32_t>(
                  (kLatestWeight * interval + (100 - kLatestWeight) * known.age) / 100);
    const uint64_t age_blocks = known.age * kUnitBlocks;
    if (age_blocks < thresholds_.hot_blocks) return kHot;
    return age_blocks < thresholds_.cold_blocks ? kWarm : kCold;
  }

  std::optional<ClassId> ForVictim(const SegmentInfo&, uint64_t) override {
    return kCold;
  }

  uint64_t memory_bytes() const override { return known_.capacity() * sizeof(Known); }

 private:
  static constexpr uint32_t kNever = 0;
  static constexpr uint32_t kNoAge = UINT32_MAX;
  struct Known {
    uint32_t last_write = kNever;  // units since the beginning, plus one
    uint32_t age = kNoAge;         // units
  };

  const TemperatureThresholds thresholds_;
  std::vector<Known> known_;
};

}  // namespace

std::unique_ptr<Placement> MakeTemperaturePlacement(
    const PlacementOptions& options, const TemperatureThresholds& thresholds) {
  return std::make_unique<TemperaturePlacement>(options, thresholds);
}

}  // namespace gleaner
