// The part of a page that shows a benchmark: findings, charts, every figure, and how it was run.
//
//   GLEANER_ASSIGN_OR_RETURN(BenchmarkResults results, ReadBenchmarkResults({json}));
//   Page page("Relocation benchmark");
//   AddBenchmark(results, &page);
//
// Not thread-safe in the page.
#pragma once

#include "sim/pages/benchmark_results.h"
#include "sim/pages/page.h"

namespace gleaner {

void AddBenchmark(const BenchmarkResults& results, Page* page);

}  // namespace gleaner
