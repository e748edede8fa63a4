// Learns by trying how large a Copy command a device takes that reports no limits, or wrong ones.
// Pure.
//
//   CopyLimitsLearner learner;
//   // The device refused `refused`: send half as many ranges, ... and when a part was accepted:
//   device->LearnCopyLimits(learner.Accepted(part, refused));
//
// A refusal does not say which limit it was. One range is too long for the limit of a range. Of
// several, halves are tried until one is accepted; then the limit that commands so far do not speak
// against is to blame. Where both are possible, it is the number of ranges if they are short.
//
// Not thread-safe.
#pragma once

#include <cstdint>

#include "device/geometry.h"

namespace gleaner {

class CopyLimitsLearner {
 public:
  struct Shape {
    uint32_t ranges = 0;  // 0: none
    uint64_t blocks = 0;  // in all of them
  };

  // A command was accepted, as a part of one that had been refused (or of none). What follows for
  // the limits; zeroes: nothing.
  CopyLimits Accepted(Shape shape, Shape refused);

 private:
  // The most that was ever accepted.
  uint32_t ranges_ = 0;
  uint64_t blocks_ = 0;
};

}  // namespace gleaner
