// The page for files of results: what Google Benchmark or `gleaner simulate --json` wrote.
//
//   GLEANER_ASSIGN_OR_RETURN(std::string html, ReportOfFiles({{"results.json", text}}));
//   std::ofstream("results.html") << html;
//
// Pure function; thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace gleaner {

struct ReportFile {
  std::string name;  // for messages
  std::string text;
};

// Files of benchmarks on one device count as more repetitions of one run, all simulations share
// charts and table. InvalidArgument "NAME: why": no JSON (with line and column), or not of either
// kind.
absl::StatusOr<std::string> ReportOfFiles(absl::Span<const ReportFile> files);

}  // namespace gleaner
