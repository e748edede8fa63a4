// Decides from measurements whether copies go natively or by host reads and writes, for
// each size class on its own. Knows no device and no clock.
//
//   PathChooser chooser(4096);
//   const PathChooser::Choice choice = chooser.Choose(size_class);
//   chooser.Admit(size_class, choice, blocks);
//   ... if choice.trial, run it with nothing else in flight, then
//   chooser.EndSitting(size_class, choice.path, blocks, elapsed);
//
// A round measures both paths in turn, in trials of `trial_blocks` each; a trial runs
// alone, since a device that serves two paths at once says nothing about either. It may
// take several sittings, the spells during which trial copies are in flight. Between
// rounds all copies take the path that was cheaper, for long enough that what the trials
// cost is about 2 % at most. A path must be 3 % better to take over from the other:
// measurements are never quite equal. Ties go to native, which spares the host.
//
// Not thread-safe.
#pragma once

#include <array>
#include <cstdint>

#include "absl/time/time.h"

namespace gleaner {

enum class CopyPath : uint8_t { kNative, kEmulated };

class PathChooser {
 public:
  struct Choice {
    CopyPath path = CopyPath::kNative;
    bool trial = false;
    friend bool operator==(const Choice&, const Choice&) = default;
  };

  // A trial should be several times what is in flight at once: it includes filling and
  // draining the pipeline.
  explicit PathChooser(uint64_t trial_blocks) : trial_blocks_(trial_blocks) {}

  // Commands whose ranges have about the same length: 0 for 1 block, 1 for 2 and 3, 2 for
  // 4 to 7,
  // ... `blocks` >= `ranges` >= 1.
  static constexpr int kSizeClasses = 10;
  static int SizeClass(uint64_t blocks, uint64_t ranges);

  // What the next copy of this class should do. While the last copies of a trial are
  // still in flight, that is already what comes after the trial.
  Choice Choose(int size_class) const;

  // The cheaper path as far as is known, without a trial: follow it without Admit.
  CopyPath BestPath(int size_class) const { return classes_[size_class].path; }

  // A copy of `blocks` follows `choice`, which Choose just returned.
  void Admit(int size_class, Choice choice, uint64_t blocks);

  // A sitting of a trial is over: `blocks` were copied in `elapsed`.
  void EndSitting(int size_class, CopyPath path, uint64_t blocks, absl::Duration elapsed);

 private:
  enum class Stage : uint8_t { kTryNative, kTryEmulated, kSteady };
  struct Class {
    Stage stage = Stage::kTryNative;
    CopyPath path = CopyPath::kNative;  // of the steady stage
    uint64_t admitted = 0;              // to the trial, or since the last one
    uint64_t steady_blocks = 0;         // how long the steady stage is
    uint64_t measured_blocks = 0;       // in the trial so far
    absl::Duration measured_time;
    // Seconds per block, by path: the mean of the last trial and the mean before it.
    double cost[2] = {0, 0};
    bool known[2] = {false, false};
  };

  void EndTrial(Class& c, CopyPath path);
  void EndRound(Class& c);

  const uint64_t trial_blocks_;
  std::array<Class, kSizeClasses> classes_;
};

}  // namespace gleaner
