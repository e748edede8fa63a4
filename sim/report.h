// Simulation results as JSON and as text.
//
//   std::cout << RunJson(result).dump(2) << "\n";
//   std::cout << RunsTable(results);
//
// Pure functions; thread-safe.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "nlohmann/json.hpp"
#include "sim/simulation.h"

namespace gleaner {

// The object of one run, as docs/SIMULATE.md lists its keys.
nlohmann::ordered_json RunJson(const SimulationResult& result);
// {"runs": [...]}, in the order given.
nlohmann::ordered_json SweepJson(absl::Span<const SimulationResult> results);

// The flags that reproduce a run, by name without dashes.
nlohmann::ordered_json ConfigJson(const SimulationConfig& config);
// The same as a command line.
std::string CommandLine(const SimulationConfig& config);

// What a person wants to know of one run, some ten lines.
std::string RunText(const SimulationResult& result);
// A line per run, aligned, under a header.
std::string RunsTable(absl::Span<const SimulationResult> results);

}  // namespace gleaner
