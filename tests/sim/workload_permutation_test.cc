#include "sim/workload_permutation.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

namespace gleaner {
namespace {

void ExpectBijective(uint64_t n, uint64_t seed) {
  const WorkloadPermutation permutation(n, seed);
  std::vector<bool> hit(n);
  for (uint64_t i = 0; i < n; ++i) {
    const uint64_t to = permutation.At(i);
    ASSERT_LT(to, n) << i;
    ASSERT_FALSE(hit[to]) << i;
    hit[to] = true;
  }
}

TEST(WorkloadPermutationTest, IsBijective) {
  for (uint64_t n = 1; n <= 600; ++n) ExpectBijective(n, n * 31);
  for (uint64_t n : {4095, 4096, 4097, 65537, 445644, 1 << 20}) ExpectBijective(n, 5);
}

TEST(WorkloadPermutationTest, StaysBelowAHugeSize) {
  for (uint64_t n : {(uint64_t{1} << 53), (uint64_t{1} << 40) + 1}) {
    const WorkloadPermutation permutation(n, 5);
    std::set<uint64_t> to;
    for (uint64_t i = 0; i < 10000; ++i) to.insert(permutation.At(i));
    EXPECT_EQ(to.size(), 10000u);
    EXPECT_LT(*to.rbegin(), n);
    EXPECT_GT(*to.rbegin(), n / 100 * 99);
  }
}

// The first tenth goes everywhere alike: 2785 or so into each sixteenth.
TEST(WorkloadPermutationTest, Spreads) {
  constexpr uint64_t kBlocks = 445644;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const WorkloadPermutation permutation(kBlocks, seed);
    std::vector<int> counts(16);
    uint64_t neighbours = 0;
    for (uint64_t i = 0; i < kBlocks / 10; ++i) {
      ++counts[permutation.At(i) * 16 / kBlocks];
      neighbours += permutation.At(i) + 1 == permutation.At(i + 1);
    }
    for (int count : counts) EXPECT_NEAR(count, 2785, 270) << "seed " << seed;
    EXPECT_LT(neighbours, 10u) << "seed " << seed;
  }
}

TEST(WorkloadPermutationTest, SeedsDiffer) {
  const WorkloadPermutation a(1000, 1), b(1000, 2);
  int same = 0;
  for (uint64_t i = 0; i < 1000; ++i) same += a.At(i) == b.At(i);
  EXPECT_LT(same, 10);
}

// Part of the contract: published results carry seeds.
TEST(WorkloadPermutationTest, IsFixed) {
  const WorkloadPermutation permutation(445644, 7);
  EXPECT_EQ(permutation.At(0), 424209u);
  EXPECT_EQ(permutation.At(1), 335905u);
  EXPECT_EQ(permutation.At(445643), 135515u);
}

}  // namespace
}  // namespace gleaner
