#include "sim/zipf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace gleaner {
namespace {

// Pearson's statistic over classes that are expected to hold 20 draws at least (smaller
// ones are put together), less its mean, in its standard deviations. Of the right
// distribution it is within a few of zero.
double ChiSquareDeviations(const std::vector<uint64_t>& counts,
                           const std::vector<double>& probabilities, double draws) {
  double chi_square = 0, classes = 0, expected = 0, seen = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    expected += probabilities[i] * draws;
    seen += static_cast<double>(counts[i]);
    if (expected < 20 && i + 1 < counts.size()) continue;
    if (expected > 0) chi_square += (seen - expected) * (seen - expected) / expected;
    ++classes;
    expected = seen = 0;
  }
  if (classes == 1) return 0;
  return (chi_square - (classes - 1)) / std::sqrt(2 * (classes - 1));
}

// Probabilities of ranks 1 to n, the first at 0.
std::vector<double> Probabilities(uint64_t n, double alpha) {
  std::vector<double> p;
  double sum = 0;
  for (uint64_t rank = n; rank >= 1; --rank) {  // small terms first
    p.push_back(std::pow(static_cast<double>(rank), -alpha));
    sum += p.back();
  }
  for (double& each : p) each /= sum;
  return {p.rbegin(), p.rend()};
}

TEST(ZipfDistributionTest, HasTheExactProbabilities) {
  for (uint64_t n : {1, 2, 3, 31, 32, 33, 100, 1000, 5000}) {
    for (double alpha : {0.01, 0.5, 0.8, 0.99, 1.0, 1.2, 2.0, 5.0, 20.0}) {
      const ZipfDistribution zipf(n, alpha);
      Random random(n * 100 + static_cast<uint64_t>(alpha * 10));
      constexpr int kDraws = 1000000;
      std::vector<uint64_t> counts(n);
      for (int i = 0; i < kDraws; ++i) {
        const uint64_t rank = zipf.Draw(random);
        ASSERT_TRUE(rank >= 1 && rank <= n) << rank;
        ++counts[rank - 1];
      }
      EXPECT_LT(std::abs(ChiSquareDeviations(counts, Probabilities(n, alpha), kDraws)), 5)
          << "n " << n << " alpha " << alpha;
    }
  }
}

// Over many ranks, a hundredth of an octave at a time.
TEST(ZipfDistributionTest, HasTheExactProbabilitiesOfAVolume) {
  constexpr uint64_t kRanks = 3'000'000;
  constexpr int kDraws = 4'000'000;
  const auto class_of = [](uint64_t rank) {
    return static_cast<size_t>(std::log2(static_cast<double>(rank)) * 100);
  };
  for (double alpha : {0.8, 1.0, 1.2}) {
    const std::vector<double> p = Probabilities(kRanks, alpha);
    std::vector<double> expected(class_of(kRanks) + 1);
    for (uint64_t rank = 1; rank <= kRanks; ++rank)
      expected[class_of(rank)] += p[rank - 1];
    const ZipfDistribution zipf(kRanks, alpha);
    Random random(17);
    std::vector<uint64_t> counts(expected.size());
    for (int i = 0; i < kDraws; ++i) ++counts[class_of(zipf.Draw(random))];
    EXPECT_LT(std::abs(ChiSquareDeviations(counts, expected, kDraws)), 5) << alpha;
  }
}

TEST(ZipfDistributionTest, ReachesTheLastRankOfAHugeSpace) {
  const ZipfDistribution zipf(uint64_t{1} << 53, 0.01);  // nearly uniform
  Random random(3);
  uint64_t highest = 0;
  for (int i = 0; i < 100000; ++i) highest = std::max(highest, zipf.Draw(random));
  EXPECT_LE(highest, uint64_t{1} << 53);
  EXPECT_GT(highest, (uint64_t{1} << 53) / 1000 * 999);
}

// Part of the contract: published results carry seeds.
TEST(ZipfDistributionTest, SequenceIsFixed) {
  const ZipfDistribution zipf(445644, 0.99);
  Random random(1);
  std::vector<uint64_t> ranks;
  for (int i = 0; i < 5; ++i) ranks.push_back(zipf.Draw(random));
  EXPECT_EQ(ranks, (std::vector<uint64_t>{17940, 630, 18, 3575, 226665}));
}

TEST(ZipfDistributionDeathTest, RefusesWhatIsNoDistribution) {
  EXPECT_DEATH(ZipfDistribution(0, 1), "CHECK");
  EXPECT_DEATH(ZipfDistribution(10, 0), "CHECK");
  EXPECT_DEATH(ZipfDistribution(10, std::nan("")), "CHECK");
}

}  // namespace
}  // namespace gleaner
