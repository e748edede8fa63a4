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
// take several sittings, the spells during which trial copies are in flight.
//
// What a path costs is the median of its last three trials: one that something else
// disturbed does not count. Between rounds all copies take the path that costs less, for long
// enough that what the trials cost is about 2 % at most. But the first three rounds, and one
// after a round that spoke for the other path, come soon. A path must be 3 % better to take
// over from the other: measurements are never quite equal. Ties go to native, which spares
// the host. So a class has been learned after 14 times `trial_blocks`.
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
  // Seconds per block in the last trials of a path.
  struct History {
    std::array<double, 3> last = {};
    uint64_t trials = 0;  // ever
    void Add(double cost) { last[trials++ % last.size()] = cost; }
    double newest() const { return last[(trials - 1) % last.size()]; }
    double Median() const;  // of two, their mean
  };
  struct Class {
    Stage stage = Stage::kTryNative;
    CopyPath path = CopyPath::kNative;  // of the steady stage
    uint64_t admitted = 0;              // to the trial, or since the last one
    uint64_t steady_blocks = 0;         // how long the steady stage is
    uint64_t measured_blocks = 0;       // in the trial so far
    absl::Duration measured_time;
    History costs[2];  // by path
  };

  void EndTrial(Class& c, CopyPath path);
  void EndRound(Class& c);
  static CopyPath Better(CopyPath incumbent, double incumbent_cost, double other_cost);

  const uint64_t trial_blocks_;
  std::array<Class, kSizeClasses> classes_;
};

}  // namespace gleaner
