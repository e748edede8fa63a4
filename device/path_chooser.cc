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
// The same while one more round may change what follows.
constexpr double kSoon = 4;

CopyPath Other(CopyPath path) {
  return path == CopyPath::kNative ? CopyPath::kEmulated : CopyPath::kNative;
}

}  // namespace

double PathChooser::History::Median() const {
  if (trials == 2) return (last[0] + last[1]) / 2;
  if (trials < 2) return last[0];
  return std::max(std::min(last[0], last[1]),
                  std::min(std::max(last[0], last[1]), last[2]));
}

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
  c.costs[i].Add(absl::ToDoubleSeconds(time) / static_cast<double>(blocks));
  if (path == CopyPath::kNative) {
    c.stage = Stage::kTryEmulated;
  } else {
    EndRound(c);
  }
}

CopyPath PathChooser::Better(CopyPath incumbent, double incumbent_cost,
                             double other_cost) {
  return other_cost < kHysteresis * incumbent_cost ? Other(incumbent) : incumbent;
}

void PathChooser::EndRound(Class& c) {
  const History& mine = c.costs[static_cast<int>(c.path)];
  const History& others = c.costs[static_cast<int>(Other(c.path))];
  const double cost = mine.Median();
  const double other_cost = others.Median();
  const CopyPath says_newest = Better(c.path, mine.newest(), others.newest());
  c.path = Better(c.path, cost, other_cost);
  double steady = kSoon;
  if (mine.trials >= mine.last.size() && says_newest == c.path) {
    const double cheaper = std::min(cost, other_cost);
    const double excess =
        cheaper > 0 ? std::max(cost, other_cost) / cheaper - 1 : kMostSteady;
    steady = std::clamp(kSteadyPerExcess * excess, kLeastSteady, kMostSteady);
  }
  c.steady_blocks = static_cast<uint64_t>(steady * static_cast<double>(trial_blocks_));
  c.stage = Stage::kSteady;
}

}  // namespace gleaner
