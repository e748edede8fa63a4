// The part of a page that shows simulations: write amplification, every figure, and the command
// line that reproduces each run.
//
//   Page page("Gleaner simulation");
//   AddSimulations({RunJson(result)}, &page);
//
// Runs are as `gleaner simulate --json` prints them. Not thread-safe in the page.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "nlohmann/json.hpp"
#include "sim/pages/page.h"

namespace gleaner {

inline constexpr char kSimulationTitle[] = "Gleaner simulation";

// Whether this is one run.
bool IsRunJson(const nlohmann::ordered_json& json);

// Each must be a run.
void AddSimulations(absl::Span<const nlohmann::ordered_json> runs, Page* page);

// The command line of a run's "config".
std::string SimulateCommand(const nlohmann::ordered_json& config);

}  // namespace gleaner
