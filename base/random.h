// A seeded generator whose sequence never changes between versions, compilers or libraries:
// results that carry a seed can be reproduced. xoshiro256** (Blackman and Vigna, 2018), seeded
// by splitmix64.
//
//   Random random(42);
//   uint64_t block = random.Below(445644);
//
// Not thread-safe; give each thread its own.
#pragma once

#include <cstdint>

namespace gleaner {

// One step of splitmix64 (Steele et al., 2014): a good 64-bit mixer. Consecutive inputs give
// unrelated outputs.
constexpr uint64_t Mix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

class Random {
 public:
  explicit Random(uint64_t seed) {
    for (auto& word : state_) {
      word = Mix64(seed);
      seed += 0x9e3779b97f4a7c15;
    }
  }

  // Uniform in [0, 2^64).
  uint64_t Next() {
    const uint64_t result = Rotl(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = Rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, n), without bias (Lemire, 2019). n must not be zero.
  uint64_t Below(uint64_t n) {
    unsigned __int128 product = static_cast<unsigned __int128>(Next()) * n;
    if (static_cast<uint64_t>(product) < n) [[unlikely]] {
      const uint64_t threshold = -n % n;
      while (static_cast<uint64_t>(product) < threshold)
        product = static_cast<unsigned __int128>(Next()) * n;
    }
    return static_cast<uint64_t>(product >> 64);
  }

  // Uniform in [0, 1), 53 bits.
  double NextDouble() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

 private:
  static constexpr uint64_t Rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

  uint64_t state_[4];
};

}  // namespace gleaner
