#include "gc/fitted_logs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace gleaner {
namespace {

// What ClassId can number.
constexpr uint32_t kMostLogs = 255;

// User writes only, both, relocated blocks only: hot to cold.
constexpr size_t kUser = 0, kBoth = 1, kRelocated = 2;
using Kinds = std::array<uint32_t, 3>;

uint32_t Sum(const Kinds& kinds) { return kinds[0] + kinds[1] + kinds[2]; }

// How many logs each kind has. False: fewer do not do.
bool Shrink(uint32_t most, Kinds* logs) {
  while (Sum(*logs) > most) {
    size_t widest = kRelocated;
    for (const size_t kind : {kBoth, kUser})
      if ((*logs)[kind] > (*logs)[widest]) widest = kind;
    if ((*logs)[widest] <= 1) return false;
    --(*logs)[widest];
  }
  return true;
}

class FittedPlacement : public Placement {
 public:
  FittedPlacement(std::unique_ptr<Placement> placement, LogMap map)
      : placement_(std::move(placement)), map_(std::move(map)) {}

  uint32_t classes() const override { return map_.logs; }
  uint32_t relocation_classes() const override { return map_.relocation_logs; }
  // A log beside the first of its class takes no user writes.
  uint32_t user_classes() const override {
    return map_.classes[placement_->user_classes() - 1].first.value() + 1u;
  }

  ClassId ForUserWrite(Lba lba, uint64_t now_blocks) override {
    return map_.classes[placement_->ForUserWrite(lba, now_blocks).value()].first;
  }
  std::optional<ClassId> ForVictim(const SegmentInfo& victim,
                                   uint64_t now_blocks) override {
    const std::optional<ClassId> found = placement_->ForVictim(victim, now_blocks);
    if (!found.has_value()) return std::nullopt;
    return LogOf(*found, turn_++);
  }
  ClassId ForRelocation(const SegmentInfo& victim, Lba lba,
                        uint64_t now_blocks) override {
    // The blocks of one victim stay together.
    return LogOf(placement_->ForRelocation(victim, lba, now_blocks),
                 victim.sealed_at_blocks);
  }

  bool needs_modified() const override { return placement_->needs_modified(); }
  uint64_t memory_bytes() const override { return placement_->memory_bytes(); }

 private:
  ClassId LogOf(ClassId log_class, uint64_t turn) const {
    const ClassLogs& logs = map_.classes[log_class.value()];
    return ClassId(static_cast<uint8_t>(logs.first.value() + turn % logs.count));
  }

  const std::unique_ptr<Placement> placement_;
  const LogMap map_;
  uint64_t turn_ = 0;
};

}  // namespace

absl::StatusOr<LogMap> FitLogs(const ClassShape& shape, const LogOptions& options) {
  const uint32_t both = shape.user_classes + shape.relocation_classes - shape.classes;
  GLEANER_CHECK(shape.user_classes > 0 && shape.relocation_classes > 0 &&
                both <= std::min(shape.user_classes, shape.relocation_classes));
  const Kinds classes = {shape.classes - shape.relocation_classes, both,
                         shape.classes - shape.user_classes};
  const uint32_t most = options.most == 0 ? kMostLogs : std::min(options.most, kMostLogs);
  Kinds logs = classes;
  // Blocks of relocation alone may share a log with the coldest that take both.
  bool joined = false;
  if (!Shrink(most, &logs)) {
    joined = classes[kUser] > 0 && classes[kBoth] > 0 && classes[kRelocated] > 0;
    const uint32_t least = std::min(shape.classes, 2u);
    if (most < least) {
      return absl::ResourceExhaustedError(
          absl::StrCat(least, " open segments are needed, ", most, " can be"));
    }
    if (joined) logs[kRelocated] = 0;
  }
  const uint32_t relocating = logs[kBoth] + logs[kRelocated];
  const uint32_t copies =
      std::clamp((most - logs[kUser]) / relocating, 1u,
                 std::max(1u, std::min(options.logs_per_relocation_class, kMostLogs)));

  LogMap map;
  for (size_t kind = kUser; kind <= kRelocated; ++kind) {
    const uint32_t copies_here = kind == kUser ? 1 : copies;
    for (uint32_t i = 0; i < classes[kind]; ++i) {
      const bool with_previous = kind == kRelocated && joined;
      if (!with_previous && i < logs[kind]) map.logs += copies_here;
      map.classes.push_back({ClassId(static_cast<uint8_t>(map.logs - copies_here)),
                             static_cast<uint8_t>(copies_here)});
    }
  }
  map.relocation_logs = map.logs - logs[kUser];
  return map;
}

ClassShape ShapeOf(const Placement& placement) {
  return {placement.classes(), placement.user_classes(), placement.relocation_classes()};
}

absl::StatusOr<std::unique_ptr<Placement>> FitPlacement(
    std::unique_ptr<Placement> placement, const LogOptions& options) {
  GLEANER_ASSIGN_OR_RETURN(LogMap map, FitLogs(ShapeOf(*placement), options));
  // As many logs as classes are the classes themselves.
  if (map.logs == placement->classes()) return placement;
  return std::make_unique<FittedPlacement>(std::move(placement), std::move(map));
}

}  // namespace gleaner
