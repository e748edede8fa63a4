// Zipf-distributed ranks: r of 1..n with probability proportional to r^-alpha, for any
// alpha > 0, 1 included, exactly (as far as doubles go) and without a table of n entries.
//
//   const ZipfDistribution zipf(445'644, 0.99);
//   Random random(1);
//   uint64_t rank = zipf.Draw(random);  // 1 is the hottest
//
// Immutable, so thread-safe; the Random is the caller's. About 10 ns a draw and 10 KiB,
// both growing with log n only.
//
// Method: rejection from a hat that is constant over bins of ranks. The bins are single
// ranks at first, then a sixteenth of an octave each, so the hat is less than 1/16 too
// wide. A bin is drawn by its share of the hat, with Walker's alias method; then a rank
// of it, uniformly; and that is kept with its probability over the probability of the
// bin's first rank. Most draws are kept without computing that, as they would be even if
// the rank were the bin's last.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"

namespace gleaner {

class ZipfDistribution {
 public:
  static constexpr double kMaxAlpha = 20;

  // `ranks` is at least one and at most 2^53; 0 < `alpha` <= kMaxAlpha.
  ZipfDistribution(uint64_t ranks, double alpha);

  // A rank from 1 to `ranks`.
  uint64_t Draw(Random& random) const {
    for (;;) {
      const Bin& bin = bins_[DrawBin(random)];
      const uint64_t rank = bin.first + random.Below(bin.ranks);
      const uint64_t dice = random.Next();
      if (dice <= bin.surely || Keeps(bin, rank, dice)) [[likely]]
        return rank;
    }
  }

 private:
  struct Bin {
    uint64_t first;
    uint64_t ranks;
    // 2^64 times the probability of its last rank over that of its first, less one.
    uint64_t surely;
  };
  // A cell of the alias method: below `threshold` / 2^64 it stands for bins[0], else for
  // bins[1]. Chosen by index, as no branch predictor could.
  struct Cell {
    uint64_t threshold;
    uint32_t bins[2];
  };

  uint64_t DrawBin(Random& random) const {
    const auto product = static_cast<unsigned __int128>(random.Next()) * cells_.size();
    const Cell& cell = cells_[static_cast<uint64_t>(product >> 64)];
    return cell.bins[static_cast<uint64_t>(product) >= cell.threshold];
  }
  bool Keeps(const Bin& bin, uint64_t rank, uint64_t dice) const;
  void AddBin(uint64_t first, uint64_t ranks);
  void MakeCells();

  double alpha_;
  std::vector<Bin> bins_;
  std::vector<Cell> cells_;
};

}  // namespace gleaner
