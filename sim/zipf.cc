#include "sim/zipf.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace gleaner {
namespace {

constexpr uint64_t kBinsPerOctave = 16;

// `p` of 2^64 equally probable values of a die; all of them at 1.
uint64_t Threshold(double p) {
  return p >= 1 ? std::numeric_limits<uint64_t>::max()
                : static_cast<uint64_t>(p * 0x1p64);
}

}  // namespace

ZipfDistribution::ZipfDistribution(uint64_t ranks, double alpha) : alpha_(alpha) {
  GLEANER_CHECK(ranks >= 1 && ranks <= uint64_t{1} << 53);
  GLEANER_CHECK(alpha > 0 && alpha <= kMaxAlpha);
  for (uint64_t octave = 1; octave <= ranks; octave *= 2) {
    const uint64_t width = std::max<uint64_t>(1, octave / kBinsPerOctave);
    for (uint64_t first = octave; first < 2 * octave && first <= ranks; first += width)
      AddBin(first, std::min(width, ranks + 1 - first));
  }
  MakeCells();
}

void ZipfDistribution::AddBin(uint64_t first, uint64_t ranks) {
  const double last_over_first =
      static_cast<double>(first + ranks - 1) / static_cast<double>(first);
  bins_.push_back({first, ranks, Threshold(std::pow(last_over_first, -alpha_))});
}

bool ZipfDistribution::Keeps(const Bin& bin, uint64_t rank, uint64_t dice) const {
  const double rank_over_first =
      static_cast<double>(rank) / static_cast<double>(bin.first);
  return dice <= Threshold(std::pow(rank_over_first, -alpha_));
}

// Vose's way to fill the cells: each is topped up, beyond its own bin's share, by one bin
// whose share is larger than a cell.
void ZipfDistribution::MakeCells() {
  std::vector<double> share;  // of the hat, in cells
  double sum = 0;
  for (const Bin& bin : bins_) {
    share.push_back(static_cast<double>(bin.ranks) *
                    std::pow(static_cast<double>(bin.first), -alpha_));
    sum += share.back();
  }
  std::vector<uint32_t> small, large;
  for (uint32_t i = 0; i < bins_.size(); ++i) {
    share[i] *= static_cast<double>(bins_.size()) / sum;
    (share[i] < 1 ? small : large).push_back(i);
  }
  cells_.resize(bins_.size());
  while (!small.empty() && !large.empty()) {
    const uint32_t i = small.back(), donor = large.back();
    small.pop_back();
    cells_[i] = {Threshold(share[i]), {i, donor}};
    share[donor] -= 1 - share[i];
    if (share[donor] < 1) {
      large.pop_back();
      small.push_back(donor);
    }
  }
  // What is left is full but for rounding.
  for (const std::vector<uint32_t>* rest : {&small, &large})
    for (uint32_t i : *rest) cells_[i] = {Threshold(1), {i, i}};
}

}  // namespace gleaner
