// Simulation results as one self-contained HTML page: a chart of write amplification, a table of
// every figure, and the command line that reproduces each run.
//
//   std::ofstream("report.html") << HtmlReport(results);
//
// Pure function; thread-safe.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "sim/simulation.h"

namespace gleaner {

std::string HtmlReport(absl::Span<const SimulationResult> results);

}  // namespace gleaner
