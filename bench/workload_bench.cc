// How long a synthetic workload takes per block that it names: the simulator's floor.
//
//   bazel build -c opt //bench:workload_bench && bazel-bin/bench/workload_bench
#include <benchmark/benchmark.h>

#include <cstdint>
#include <limits>
#include <string>

#include "absl/types/span.h"
#include "base/check.h"
#include "sim/workload.h"

namespace gleaner {
namespace {

void BM_Workload(benchmark::State& state, const std::string& spec) {
  auto source =
      MakeWorkload(spec, {.volume_blocks = static_cast<uint64_t>(state.range(0)),
                          .writes = std::numeric_limits<uint64_t>::max(),
                          .seed = 1});
  GLEANER_CHECK(source.ok());
  Request batch[256];
  uint64_t blocks = 0;
  for (auto _ : state) {
    const absl::StatusOr<size_t> n = (*source)->Next(absl::MakeSpan(batch));
    GLEANER_CHECK(n.ok());
    benchmark::DoNotOptimize(batch);
    blocks += *n;
  }
  state.counters["time_per_block"] =
      benchmark::Counter(static_cast<double>(blocks),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void Sizes(benchmark::internal::Benchmark* bench) {
  bench->Arg(445'644)->Arg(100'000'000);
}

BENCHMARK_CAPTURE(BM_Workload, sequential, "sequential")->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Workload, uniform, "uniform")->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Workload, hotcold, "hotcold:0.9:0.1")->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Workload, zipf_0_8, "zipf:0.8")->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Workload, zipf_0_99, "zipf:0.99")->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Workload, zipf_1_2, "zipf:1.2")->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Workload, zipf_shift, "zipf-shift:1.0:0.2:0.01")->Apply(Sizes);

}  // namespace
}  // namespace gleaner

BENCHMARK_MAIN();
