// Relocation's benchmark, path against path: native and emulated copies of the same blocks, and
// whether automatic choice took the better one.
//
//   for (const Comparison& c : GroupComparisons(results.cases)[0].comparisons)
//     if (auto wall = NativeToEmulated(c, Cost::kWall)) Print(c.run, wall->median);
//
// Pure functions; thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "sim/pages/benchmark_results.h"

namespace gleaner {

// One state of the device and its data, relocated on several paths.
struct Comparison {
  std::string live;  // percent of the victims' blocks
  std::string run;   // blocks that lie together
  std::map<std::string, const BenchmarkCase*>
      paths;  // native, emulate (or emulated), auto

  // Null: not there.
  const BenchmarkCase* Find(absl::string_view path) const;
};

// Comparisons that differ in live share and run length alone.
struct ComparisonGroup {
  std::string family;
  // What else its names say, and others do not: "depth 8"; empty if nothing.
  std::string others;
  std::vector<std::string> lives;  // in order
  std::vector<std::string> runs;
  std::vector<Comparison> comparisons;

  const Comparison* Find(absl::string_view live, absl::string_view run) const;
};

// Cases are in the order of ReadBenchmarkResults(), and outlive the result.
std::vector<ComparisonGroup> GroupComparisons(absl::Span<const BenchmarkCase> cases);

// What a relocation costs, for each byte where both sides say how many they moved.
enum class Cost { kWall, kCpu, kHostBytes };

// How many times the second costs the first, by medians; low and high by the quartiles that lie
// nearest to and furthest from each other. None: not measured, or the second is free.
std::optional<Spread> CostRatio(const BenchmarkCase& first, const BenchmarkCase& second,
                                Cost cost);
std::optional<Spread> NativeToEmulated(const Comparison& comparison, Cost cost);
// Wall time of automatic choice against the faster of the two paths.
std::optional<Spread> AutoToFaster(const Comparison& comparison);

// Bytes relocated in a second of wall time.
std::optional<Spread> Throughput(const BenchmarkCase& c);

}  // namespace gleaner
