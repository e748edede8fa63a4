// What the copy planner takes per extent: putting the survivors in order and laying them over
// the reserved runs.
//
//   bazel build -c opt //bench:copy_planner_bench && bazel-bin/bench/copy_planner_bench
//
// A turn plans a round of cleaning: the survivors of 16 segments of 512 blocks, half of them
// live, in extents of so many blocks, into runs of 512 blocks. The lbas are those of random
// writes. `compiled` also turns the moves into Copy commands of 1024 blocks in 128 ranges, and
// counts them. time_per_extent counts the extents that go in.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/types.h"
#include "device/copy_compiler.h"
#include "extent_map/extent.h"
#include "gc/copy_planner.h"
#include "gc/relocation_sink.h"

namespace gleaner {
namespace {

constexpr uint64_t kSegmentBlocks = 512;
constexpr uint64_t kVictims = 16;

std::vector<Extent> Survivors(uint64_t extent_blocks) {
  Random random(1);
  std::vector<Extent> extents;
  for (uint64_t at = 0; at < kVictims * kSegmentBlocks; at += 2 * extent_blocks)
    extents.push_back({Lba(at), PhysicalBlock(at), BlockCount(extent_blocks)});
  for (size_t i = extents.size(); i > 1; --i)
    std::swap(extents[i - 1].lba, extents[random.Below(i)].lba);
  return extents;
}

void Plan(const std::vector<Extent>& survivors, std::vector<Move>* moves) {
  PhysicalBlock to(kVictims * kSegmentBlocks);
  moves->clear();
  CopyPlanner planner(survivors);
  while (!planner.done()) {
    const BlockCount n(std::min(kSegmentBlocks, planner.remaining().value()));
    planner.LayOver({to, n}, moves);
    to += n;
  }
}

uint64_t Compile(const std::vector<Move>& moves) {
  CopyCompiler compiler(
      {.max_copy_blocks = 1024, .max_copy_ranges = 128, .max_range_blocks = 128});
  uint64_t commands = 0;
  const auto emit = [&](const CopyCommand&) { ++commands; };
  for (const Move& move : moves) {
    compiler.Add({DeviceBlock(move.from.value()), DeviceBlockCount(move.count.value())},
                 DeviceBlock(move.to.value()), emit);
  }
  compiler.Finish(emit);
  return commands;
}

void BM_Plan(benchmark::State& state, SurvivorOrder order, bool compiled) {
  const std::vector<Extent> survivors = Survivors(static_cast<uint64_t>(state.range(0)));
  std::vector<Extent> ordered;
  std::vector<Move> moves;
  uint64_t commands = 0;
  for (auto _ : state) {
    ordered = survivors;
    OrderSurvivors(order, &ordered);
    Plan(ordered, &moves);
    if (compiled) commands = Compile(moves);
    benchmark::DoNotOptimize(moves.data());
  }
  state.counters["extents"] = static_cast<double>(survivors.size());
  if (compiled) state.counters["commands"] = static_cast<double>(commands);
  state.counters["time_per_extent"] = benchmark::Counter(
      static_cast<double>(survivors.size()),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void Extents(benchmark::internal::Benchmark* bench) {
  bench->ArgName("blocks")->Arg(1)->Arg(4)->Arg(16)->Arg(64);
}

BENCHMARK_CAPTURE(BM_Plan, victim, SurvivorOrder::kVictim, false)->Apply(Extents);
BENCHMARK_CAPTURE(BM_Plan, lba, SurvivorOrder::kLba, false)->Apply(Extents);
BENCHMARK_CAPTURE(BM_Plan, victim_compiled, SurvivorOrder::kVictim, true)->Apply(Extents);
BENCHMARK_CAPTURE(BM_Plan, lba_compiled, SurvivorOrder::kLba, true)->Apply(Extents);

}  // namespace
}  // namespace gleaner

BENCHMARK_MAIN();
