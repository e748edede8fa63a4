// What Google Benchmark wrote with --benchmark_out: a case for each benchmark, with the median of
// each figure over its repetitions.
//
//   GLEANER_ASSIGN_OR_RETURN(BenchmarkResults results, ReadBenchmarkResults({json}));
//   for (const BenchmarkCase& c : results.cases) Print(c.name, c.Find("wall_seconds")->median);
//
// Pure functions; thread-safe.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"

namespace gleaner {

// Over repetitions: the median, and the quartiles around it.
struct Spread {
  double median = 0;
  double low = 0;
  double high = 0;
};

// `values` is not empty. Quantiles lie between neighbours where they must, linearly.
Spread SpreadOf(std::vector<double> values);

// The times of an iteration, beside the counters under their own names.
inline constexpr char kWallSeconds[] = "wall_seconds";
inline constexpr char kCpuSeconds[] = "cpu_seconds";

struct BenchmarkCase {
  std::string name;    // relocation/live:50/run:16/copy:native
  std::string family;  // relocation
  // ("live", "50"), …, in the order of the name.
  std::vector<std::pair<std::string, std::string>> dimensions;
  int repetitions = 0;  // that were measured
  std::map<std::string, Spread> figures;
  int errors = 0;     // repetitions that failed
  std::string error;  // the first one's message

  // Null: not measured.
  const Spread* Find(absl::string_view figure) const;
  // "": the name does not say.
  std::string Dimension(absl::string_view key) const;
};

struct BenchmarkResults {
  // As text, in the order of the file.
  std::vector<std::pair<std::string, std::string>> context;
  std::vector<BenchmarkCase> cases;  // by dimension, numbers by value
};

// Numbers by value and before words; the paths native, emulate, auto.
bool DimensionBefore(absl::string_view a, absl::string_view b);

// Whether this is such a file at all.
bool IsBenchmarkJson(const nlohmann::ordered_json& json);

// Several files count as more repetitions of one run; the context is that of the first.
// InvalidArgument names the entry that cannot be understood.
absl::StatusOr<BenchmarkResults> ReadBenchmarkResults(
    absl::Span<const nlohmann::ordered_json> files);

}  // namespace gleaner
