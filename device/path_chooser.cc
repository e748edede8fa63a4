#include "device/path_chooser.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace gleaner {
namespace {

// How much cheaper the other path must be before it takes over.
constexpr double kHysteresis = 0.97;
// Steady blocks for each trial block: at least this, so that draining the pipeline for a
// trial costs little ...
constexpr double kLeastSteady = 64;
// ... and this times the relative cost of the dearer path, so that using it for a trial
// does.
constexpr double kSteadyPerExcess = 50;
constexpr double kMostSteady = 16384;

}  // namespace

int PathChooser::SizeClass(uint64_t blocks, uint64_t ranges) {
  return std::min<int>(std::bit_width(blocks / ranges) - 1, kSizeClasses - 1);
}

PathChooser::Choice PathChooser::Choose(int size_class) const {
  const Class& c = classes_[size_class];
  const bool trial_is_full = c.admitted >= trial_blocks_;
  switch (c.stage) {
    case Stage::kTryNative:
      return {trial_is_full ? CopyPath::kEmulated : CopyPath::kNative, true};
    case Stage::kTryEmulated:
      if (!trial_is_full) return {CopyPath::kEmulated, true};
      break;
    case Stage::kSteady:
      break;
  }
  return {c.path, false};
}

void PathChooser::Admit(int size_class, Choice choice, uint64_t blocks) {
  Class& c = classes_[size_class];
  c.admitted += blocks;
  if (!choice.trial && c.stage == Stage::kSteady && c.admitted >= c.steady_blocks) {
    c.stage = Stage::kTryNative;
    c.admitted = 0;
  }
}

void PathChooser::EndSitting(int size_class, CopyPath path, uint64_t blocks,
                             absl::Duration elapsed) {
  Class& c = classes_[size_class];
  c.measured_blocks += blocks;
  c.measured_time += elapsed;
  if (c.admitted >= trial_blocks_) EndTrial(c, path);
}

void PathChooser::EndTrial(Class& c, CopyPath path) {
  const int i = static_cast<int>(path);
  c.admitted = 0;
  const uint64_t blocks = std::exchange(c.measured_blocks, 0);
  const absl::Duration time = std::exchange(c.measured_time, absl::ZeroDuration());
  if (blocks == 0) return;  // all failed, and nothing was learned: try again
  const double cost = absl::ToDoubleSeconds(time) / static_cast<double>(blocks);
  c.cost[i] = c.known[i] ? (c.cost[i] + cost) / 2 : cost;
  c.known[i] = true;
  if (path == CopyPath::kNative) {
    c.stage = Stage::kTryEmulated;
  } else {
    EndRound(c);
  }
}

void PathChooser::EndRound(Class& c) {
  const CopyPath other =
      c.path == CopyPath::kNative ? CopyPath::kEmulated : CopyPath::kNative;
  const double cost = c.cost[static_cast<int>(c.path)];
  const double other_cost = c.cost[static_cast<int>(other)];
  if (other_cost < kHysteresis * cost) c.path = other;
  const double cheaper = std::min(cost, other_cost);
  const double excess =
      cheaper > 0 ? std::max(cost, other_cost) / cheaper - 1 : kMostSteady;
  const double steady = std::clamp(kSteadyPerExcess * excess, kLeastSteady, kMostSteady);
  c.steady_blocks = static_cast<uint64_t>(steady * static_cast<double>(trial_blocks_));
  c.stage = Stage::kSteady;
}

}  // namespace gleaner
