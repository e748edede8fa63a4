// A seeded pseudo-random permutation of 0..n-1 that is computed, not stored.
//
//   const WorkloadPermutation permutation(445'644, /*seed=*/7);
//   permutation.At(0);  // where 0 goes; no two go to one place
//
// Immutable, so thread-safe. O(1) memory; about 5 ns.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "base/check.h"
#include "base/random.h"

namespace gleaner {

class WorkloadPermutation {
 public:
  // `n` is at least one.
  WorkloadPermutation(uint64_t n, uint64_t seed) : n_(n) {
    GLEANER_CHECK(n > 0);
    const int bits = std::bit_width(n - 1);
    mask_ = bits == 0 ? 0 : ~uint64_t{0} >> (64 - bits);
    shift_ = std::max(1, (bits + 1) / 2);
    Random random(seed);
    for (Round& round : rounds_) round = {random.Next(), random.Next() | 1};
  }

  // `i` is below n.
  uint64_t At(uint64_t i) const {
    // A permutation of the next power of two; what it puts past the end it permutes
    // again, which ends, because the cycle leads back to i, and makes a permutation of
    // what is left.
    do {
      i = Mix(i);
    } while (i >= n_);
    return i;
  }

 private:
  // Each step is invertible modulo the power of two: adding, multiplying by an odd
  // number, and folding the upper half onto the lower.
  struct Round {
    uint64_t add;
    uint64_t multiply;
  };

  uint64_t Mix(uint64_t x) const {
    for (const Round& round : rounds_) {
      x = (x + round.add) * round.multiply & mask_;
      x ^= x >> shift_;
    }
    return x;
  }

  uint64_t n_;
  uint64_t mask_;
  int shift_;
  Round rounds_[3];
};

}  // namespace gleaner
