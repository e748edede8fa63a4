// Learns by trying how large a Copy command a device takes that reports no limits, or wrong ones.
// Pure.
//
//   CopyLimitsLearner learner;
//   const CopyLimits next = learner.ForNext(ranges, device->copy_limits(), true);
//   // sent; then one of
//   learner.Accepted(shape, {});
//   device->LearnCopyLimits(learner.Refused(shape));
//
// Where limits are unknown, the first command is one block in one range. Later ones may be a probe:
// up to twice what was accepted, in one limit at a time, so that a refusal says which limit it was.
// Each limit is refused at most once, and is then between a half of the true one and that.
//
// Of a device that lies, a refusal does not say which limit it was. One range is too long for the
// limit of a range. Of several, halves are tried until one is accepted; then the limit that
// commands so far do not speak against is to blame. Where both are possible, it is the number of
// ranges if they are short.
//
// Not thread-safe.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "device/geometry.h"

namespace gleaner {

class CopyLimitsLearner {
 public:
  struct Shape {
    uint32_t ranges = 0;   // 0: none
    uint64_t blocks = 0;   // in all of them
    uint64_t longest = 0;  // in one of them
  };

  // Unknown limits: those of the next command, of which `ranges` are what there is to copy. Within
  // what was accepted, or a probe if there `may_be` one and the ranges call for it. Nothing above
  // `in_force`.
  CopyLimits ForNext(absl::Span<const DeviceRange> ranges, const CopyLimits& in_force,
                     bool may_be_probe) const;
  // Whether ForNext would make a probe.
  bool WantsProbe(absl::Span<const DeviceRange> ranges, const CopyLimits& in_force) const;
  // Whether a command asks for more than any that was accepted.
  bool IsProbe(Shape shape) const;
  // Whether any command was accepted.
  bool any_accepted() const { return accepted_.ranges > 0; }
  // A probe that ForNext made was refused, and not the first command: the limit that it shows.
  CopyLimits Refused(Shape probe) const;

  // A command was accepted, as a part of one that had been refused (or of none). What follows for
  // the limits; zeroes: nothing.
  CopyLimits Accepted(Shape shape, Shape refused);

 private:
  // What was accepted, under the limits in force.
  Shape Within(const CopyLimits& in_force) const;

  // The most that was ever accepted, each by itself: limits do not depend on each other.
  Shape accepted_;
};

}  // namespace gleaner
