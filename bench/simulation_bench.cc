// Whole simulations in the model: user blocks per second, fill and set-up apart from the time
// but not from the work.
//
//   bazel build -c opt //bench:simulation_bench && bazel-bin/bench/simulation_bench
//
// items_per_second is what `gleaner simulate` reports as blocks_per_second: user blocks after the
// fill over their time. A turn is a whole run. The arguments are the volume in blocks and the user
// writes in hundredths of it.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "base/check.h"
#include "sim/simulation.h"

namespace gleaner {
namespace {

void BM_Simulation(benchmark::State& state, const std::string& workload,
                   const std::string& victim, const std::string& placement) {
  SimulationConfig config;
  config.workload = workload;
  config.victim = victim;
  config.placement = placement;
  config.volume_blocks = static_cast<uint64_t>(state.range(0));
  config.writes = static_cast<double>(state.range(1)) / 100;
  config.warmup = 0;
  config.utilization = 0.85;
  uint64_t blocks = 0;
  double relocated = 0;
  for (auto _ : state) {
    const absl::StatusOr<SimulationResult> result = RunSimulation(config, {});
    GLEANER_CHECK(result.ok());
    state.SetIterationTime(static_cast<double>(result->user_blocks) /
                           result->blocks_per_second);
    blocks += result->user_blocks;
    relocated += static_cast<double>(result->relocated_blocks);
    state.counters["bytes_per_block"] = static_cast<double>(result->memory_bytes) /
                                        static_cast<double>(result->volume_blocks);
  }
  state.counters["WA"] = 1 + relocated / static_cast<double>(blocks);
  state.SetItemsProcessed(static_cast<int64_t>(blocks));
}

constexpr int64_t kSmall = 445'644;
constexpr int64_t kLarge = 20'000'000;

void Sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"blocks", "percent"});
  bench->Args({kSmall, 100})->Args({kSmall, 2000})->Args({kLarge, 100});
  bench->UseManualTime()->Unit(benchmark::kMillisecond);
}

BENCHMARK_CAPTURE(BM_Simulation, zipf_greedy, "zipf:0.99", "greedy", "gc-log")
    ->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Simulation, uniform_greedy, "uniform", "greedy", "gc-log")
    ->Apply(Sizes);
BENCHMARK_CAPTURE(BM_Simulation, zipf_cost_benefit, "zipf:0.99", "cost-benefit",
                  "temperature")
    ->Apply(Sizes);

}  // namespace
}  // namespace gleaner

BENCHMARK_MAIN();
