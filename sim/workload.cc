#include "sim/workload.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/nearest_name.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "sim/workload_permutation.h"
#include "sim/zipf.h"

namespace gleaner {
namespace {

using SourceOr = absl::StatusOr<std::unique_ptr<RequestSource>>;

// Streams that one seed is split into, so that no two draw the same numbers.
enum SeedUse : uint64_t { kDraws = 1, kLayout, kShifts };
uint64_t SeedFor(uint64_t seed, SeedUse use) { return Mix64(Mix64(seed) + use); }

// Writes the blocks that Rule::Next() names.
template <typename Rule>
class RuleSource : public RequestSource {
 public:
  RuleSource(uint64_t writes, Rule rule) : left_(writes), rule_(std::move(rule)) {}

  absl::StatusOr<size_t> Next(absl::Span<Request> out) override {
    const size_t n = std::min<uint64_t>(out.size(), left_);
    for (Request& request : out.first(n))
      request = {.lba = rule_.Next(), .blocks = 1, .op = RequestOp::kWrite};
    left_ -= n;
    return n;
  }

 private:
  uint64_t left_;
  Rule rule_;
};

template <typename Rule>
SourceOr MakeSource(const WorkloadOptions& options, Rule rule) {
  return std::make_unique<RuleSource<Rule>>(options.writes, std::move(rule));
}

class Uniform {
 public:
  explicit Uniform(const WorkloadOptions& options)
      : volume_blocks_(options.volume_blocks), random_(SeedFor(options.seed, kDraws)) {}
  uint64_t Next() { return random_.Below(volume_blocks_); }

 private:
  uint64_t volume_blocks_;
  Random random_;
};

class Sequential {
 public:
  explicit Sequential(const WorkloadOptions& options)
      : volume_blocks_(options.volume_blocks) {}
  uint64_t Next() {
    const uint64_t block = next_++;
    if (next_ == volume_blocks_) next_ = 0;
    return block;
  }

 private:
  uint64_t volume_blocks_;
  uint64_t next_ = 0;
};

class Zipf {
 public:
  Zipf(const WorkloadOptions& options, double alpha)
      : distribution_(options.volume_blocks, alpha),
        layout_(options.volume_blocks, SeedFor(options.seed, kLayout)),
        random_(SeedFor(options.seed, kDraws)) {}
  uint64_t Next() { return BlockAt(NextRank()); }

 protected:
  // From 0, the hottest.
  uint64_t NextRank() { return distribution_.Draw(random_) - 1; }
  uint64_t BlockAt(uint64_t rank) const { return layout_.At(rank); }

 private:
  ZipfDistribution distribution_;
  WorkloadPermutation layout_;
  Random random_;
};

class ZipfShift : public Zipf {
 public:
  ZipfShift(const WorkloadOptions& options, double alpha, uint64_t hot, uint64_t period)
      : Zipf(options, alpha),
        hot_(hot),
        period_(period),
        left_(period),
        shifts_(SeedFor(options.seed, kShifts)),
        among_hot_(hot, shifts_.Next()) {}

  uint64_t Next() {
    if (left_-- == 0) {
      left_ = period_ - 1;
      among_hot_ = WorkloadPermutation(hot_, shifts_.Next());
    }
    const uint64_t rank = NextRank();
    return BlockAt(rank < hot_ ? among_hot_.At(rank) : rank);
  }

 private:
  uint64_t hot_;
  uint64_t period_;
  uint64_t left_;  // writes before the next shift
  Random shifts_;
  WorkloadPermutation among_hot_;
};

class HotCold {
 public:
  HotCold(const WorkloadOptions& options, double hot_writes, uint64_t hot)
      : hot_writes_(hot_writes),
        hot_(hot),
        cold_(options.volume_blocks - hot),
        layout_(options.volume_blocks, SeedFor(options.seed, kLayout)),
        random_(SeedFor(options.seed, kDraws)) {}
  uint64_t Next() {
    return layout_.At(random_.NextDouble() < hot_writes_ ? random_.Below(hot_)
                                                         : hot_ + random_.Below(cold_));
  }

 private:
  double hot_writes_;
  uint64_t hot_;
  uint64_t cold_;
  WorkloadPermutation layout_;
  Random random_;
};

// The argument of a spec that stands for `name`, e.g. ALPHA.
struct Argument {
  absl::string_view name;
  absl::string_view text;
};

absl::Status BadArgument(const Argument& argument, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(argument.name, " is \"", argument.text, "\": ", what));
}

absl::StatusOr<double> ParseAlpha(const Argument& argument) {
  double alpha;
  if (!absl::SimpleAtod(argument.text, &alpha) || !(alpha > 0) ||
      !(alpha <= ZipfDistribution::kMaxAlpha)) {
    return BadArgument(argument, absl::StrCat("must be a number above 0, at most ",
                                              ZipfDistribution::kMaxAlpha));
  }
  return alpha;
}

absl::StatusOr<double> ParseShare(const Argument& argument) {
  double share;
  if (!absl::SimpleAtod(argument.text, &share) || !(share > 0) || !(share < 1))
    return BadArgument(argument, "must be a number between 0 and 1, both excluded");
  return share;
}

// A share of the volume, in blocks, that leaves some on both sides.
absl::StatusOr<uint64_t> ParseShareOfBlocks(const Argument& argument,
                                            const WorkloadOptions& options) {
  GLEANER_ASSIGN_OR_RETURN(const double share, ParseShare(argument));
  const double blocks = std::round(share * static_cast<double>(options.volume_blocks));
  if (blocks < 1 || blocks >= static_cast<double>(options.volume_blocks)) {
    return BadArgument(argument,
                       absl::StrCat("of ", options.volume_blocks, " blocks that is ",
                                    blocks < 1 ? "none" : "all"));
  }
  return static_cast<uint64_t>(blocks);
}

absl::StatusOr<uint64_t> ParsePeriod(const Argument& argument,
                                     const WorkloadOptions& options) {
  double volumes;
  if (!absl::SimpleAtod(argument.text, &volumes) || !(volumes > 0) ||
      !std::isfinite(volumes))
    return BadArgument(argument, "must be a number of volumes above 0");
  const double blocks = std::round(volumes * static_cast<double>(options.volume_blocks));
  if (blocks < 1) {
    return BadArgument(argument, absl::StrCat("of a volume of ", options.volume_blocks,
                                              " blocks that is less than one block"));
  }
  // A period that never ends is as good as one of 2^63 writes.
  return static_cast<uint64_t>(std::min(blocks, 0x1p63));
}

SourceOr MakeUniform(const std::vector<Argument>&, const WorkloadOptions& options) {
  return MakeSource(options, Uniform(options));
}

SourceOr MakeSequential(const std::vector<Argument>&, const WorkloadOptions& options) {
  return MakeSource(options, Sequential(options));
}

SourceOr MakeZipf(const std::vector<Argument>& arguments,
                  const WorkloadOptions& options) {
  GLEANER_ASSIGN_OR_RETURN(const double alpha, ParseAlpha(arguments[0]));
  return MakeSource(options, Zipf(options, alpha));
}

SourceOr MakeHotCold(const std::vector<Argument>& arguments,
                     const WorkloadOptions& options) {
  GLEANER_ASSIGN_OR_RETURN(const double writes, ParseShare(arguments[0]));
  GLEANER_ASSIGN_OR_RETURN(const uint64_t hot, ParseShareOfBlocks(arguments[1], options));
  return MakeSource(options, HotCold(options, writes, hot));
}

SourceOr MakeZipfShift(const std::vector<Argument>& arguments,
                       const WorkloadOptions& options) {
  GLEANER_ASSIGN_OR_RETURN(const double alpha, ParseAlpha(arguments[0]));
  GLEANER_ASSIGN_OR_RETURN(const uint64_t hot, ParseShareOfBlocks(arguments[1], options));
  GLEANER_ASSIGN_OR_RETURN(const uint64_t period, ParsePeriod(arguments[2], options));
  return MakeSource(options, ZipfShift(options, alpha, hot, period));
}

// A new workload is a rule above and a row here. The pattern says how many arguments it
// takes.
struct Entry {
  absl::string_view pattern;
  SourceOr (*make)(const std::vector<Argument>& arguments,
                   const WorkloadOptions& options);
};
constexpr Entry kWorkloads[] = {
    {"uniform", MakeUniform},
    {"sequential", MakeSequential},
    {"zipf:ALPHA", MakeZipf},
    {"hotcold:WRITES:SPACE", MakeHotCold},
    {"zipf-shift:ALPHA:SHARE:PERIOD", MakeZipfShift},
};

}  // namespace

absl::StatusOr<std::unique_ptr<RequestSource>> MakeWorkload(
    absl::string_view spec, const WorkloadOptions& options) {
  constexpr uint64_t kMostBlocks = uint64_t{1} << 53;  // doubles still count one by one
  if (options.volume_blocks < 1 || options.volume_blocks > kMostBlocks) {
    return absl::InvalidArgumentError(absl::StrCat("a volume of ", options.volume_blocks,
                                                   " blocks is not 1 to ", kMostBlocks));
  }
  const std::vector<absl::string_view> given = absl::StrSplit(spec, ':');
  std::vector<absl::string_view> known;
  for (const Entry& entry : kWorkloads) {
    const std::vector<absl::string_view> names = absl::StrSplit(entry.pattern, ':');
    known.push_back(names[0]);
    if (names[0] != given[0]) continue;
    if (given.size() != names.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", spec, "\" does not read ", entry.pattern));
    }
    std::vector<Argument> arguments;
    for (size_t i = 1; i < names.size(); ++i) arguments.push_back({names[i], given[i]});
    return entry.make(arguments, options);
  }
  return UnknownNameError("workload", given[0], known);
}

absl::Span<const absl::string_view> WorkloadNames() {
  static const auto* const names = [] {
    auto* patterns = new std::vector<absl::string_view>;
    for (const Entry& entry : kWorkloads) patterns->push_back(entry.pattern);
    return patterns;
  }();
  return *names;
}

}  // namespace gleaner
