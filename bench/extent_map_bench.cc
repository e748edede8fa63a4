// The extent map against a btree of extents, side by side: each benchmark does the same
// batch of operations on both in turn, so that their ratio (`speedup`) does not depend on
// what else the machine does meanwhile. map_ns and btree_ns are per
// operation; a turn of the benchmark is a batch.
//
//   bazel build -c opt //bench:extent_map_bench && bazel-bin/bench/extent_map_bench
//
// Populations, of so many blocks as the argument says:
//   random       every block mapped, single, to a permutation of the physical blocks
//   sequential   extents of 64 MiB (16,384 blocks), physically in another order
//   scattered    single blocks at random addresses over 64 bits
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "bench/btree_extent_map.h"
#include "extent_map/extent_map.h"

namespace gleaner {
namespace {

constexpr uint64_t kExtentBlocks = 16384;
constexpr int kBatch = 16384;
constexpr auto kIgnore = [](const Extent&) {};

// The two maps, populated alike.
struct Maps {
  ExtentMap map;
  BtreeExtentMap btree;

  void Assign(uint64_t lba, uint64_t count, uint64_t physical) {
    const LbaRange range{Lba(lba), BlockCount(count)};
    map.Assign(range, PhysicalBlock(physical), kIgnore);
    btree.Assign(range, PhysicalBlock(physical), kIgnore);
  }
};

// Any odd factor permutes a power of two.
uint64_t Scramble(uint64_t i, uint64_t blocks) { return i * 0x9e3779b97f4a7c15 % blocks; }

void PopulateRandom(Maps& maps, uint64_t blocks) {
  for (uint64_t i = 0; i < blocks; ++i) maps.Assign(i, 1, Scramble(i, blocks));
}

void PopulateSequential(Maps& maps, uint64_t blocks) {
  const uint64_t extents = blocks / kExtentBlocks;
  for (uint64_t i = 0; i < extents; ++i)
    maps.Assign(i * kExtentBlocks, kExtentBlocks, Scramble(i, extents) * kExtentBlocks);
}

void PopulateScattered(Maps& maps, uint64_t blocks) {
  for (uint64_t i = 0; i < blocks; ++i)
    maps.Assign(Mix64(i) >> 1, 1, Scramble(i, blocks));
}

template <typename Batch>
double Seconds(Batch&& batch) {
  const auto start = std::chrono::steady_clock::now();
  batch();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Update {
  LbaRange range;
  PhysicalBlock physical;
};

Lba LbaOf(Lba lba) { return lba; }
Lba LbaOf(const Update& update) { return update.range.start; }

// Runs `operate(map, operand)` for each of a batch of operands on one map, then on the
// other.
template <typename MakeOperand, typename Operate>
void Compare(benchmark::State& state, Maps& maps, MakeOperand&& make_operand,
             Operate&& operate) {
  double map_seconds = 0, btree_seconds = 0;
  uint64_t operations = 0;
  std::vector<decltype(make_operand())> operands(kBatch);
  for (auto _ : state) {
    for (auto& operand : operands) operand = make_operand();
    const double seconds = Seconds([&] {
      for (const auto& operand : operands) operate(maps.map, operand);
    });
    btree_seconds += Seconds([&] {
      for (const auto& operand : operands) operate(maps.btree, operand);
    });
    map_seconds += seconds;
    operations += kBatch;
    state.SetIterationTime(seconds);
  }
  for (const auto& operand : operands)
    GLEANER_CHECK(maps.map.Lookup(LbaOf(operand)) == maps.btree.Lookup(LbaOf(operand)));
  state.counters["map_ns"] = map_seconds / static_cast<double>(operations) * 1e9;
  state.counters["btree_ns"] = btree_seconds / static_cast<double>(operations) * 1e9;
  state.counters["speedup"] = btree_seconds / map_seconds;
  state.counters["bytes_per_block"] =
      static_cast<double>(maps.map.memory_bytes()) /
      static_cast<double>(maps.map.mapped_blocks().value());
  state.counters["btree_bytes_per_block"] =
      static_cast<double>(maps.btree.memory_bytes()) /
      static_cast<double>(maps.map.mapped_blocks().value());
}

template <typename Map>
void DoLookup(const Map& map, Lba lba) {
  benchmark::DoNotOptimize(map.Lookup(lba));
}

template <typename Map>
void DoAssignBlock(Map& map, const Update& update) {
  benchmark::DoNotOptimize(map.AssignBlock(update.range.start, update.physical));
}

template <typename Map>
void DoAssign(Map& map, const Update& update) {
  map.Assign(update.range, update.physical,
             [](const Extent& e) { benchmark::DoNotOptimize(e); });
}

void BM_RandomLookup(benchmark::State& state) {
  const auto blocks = static_cast<uint64_t>(state.range(0));
  Maps maps;
  PopulateRandom(maps, blocks);
  Random random(1);
  Compare(
      state, maps, [&] { return Lba(random.Below(blocks)); },
      [](auto& map, Lba lba) { DoLookup(map, lba); });
}

void BM_RandomUpdate(benchmark::State& state) {
  const auto blocks = static_cast<uint64_t>(state.range(0));
  Maps maps;
  PopulateRandom(maps, blocks);
  Random random(1);
  Compare(
      state, maps,
      [&] {
        return Update{{Lba(random.Below(blocks)), BlockCount(1)},
                      PhysicalBlock(random.Below(blocks))};
      },
      [](auto& map, const Update& update) { DoAssignBlock(map, update); });
}

void BM_SequentialLookup(benchmark::State& state) {
  const auto blocks = static_cast<uint64_t>(state.range(0));
  Maps maps;
  PopulateSequential(maps, blocks);
  Random random(1);
  Compare(
      state, maps, [&] { return Lba(random.Below(blocks)); },
      [](auto& map, Lba lba) { DoLookup(map, lba); });
}

// Writes the volume in order again and again, in writes of `write_blocks`; physically,
// each extent of 64 MiB goes elsewhere.
void BM_SequentialUpdate(benchmark::State& state) {
  const auto blocks = static_cast<uint64_t>(state.range(0));
  const auto write_blocks = static_cast<uint64_t>(state.range(1));
  Maps maps;
  PopulateSequential(maps, blocks);
  uint64_t lba = 0, pass = 1;
  Compare(
      state, maps,
      [&] {
        const uint64_t extents = blocks / kExtentBlocks;
        const uint64_t physical =
            (pass * extents + Scramble(lba / kExtentBlocks, extents)) * kExtentBlocks;
        const Update update{{Lba(lba), BlockCount(write_blocks)},
                            PhysicalBlock(physical + lba % kExtentBlocks)};
        lba = (lba + write_blocks) % blocks;
        pass = lba == 0 ? 1 + pass % 200 : pass;
        return update;
      },
      [](auto& map, const Update& update) { DoAssign(map, update); });
}

void BM_ScatteredLookup(benchmark::State& state) {
  const auto blocks = static_cast<uint64_t>(state.range(0));
  Maps maps;
  PopulateScattered(maps, blocks);
  Random random(1);
  Compare(
      state, maps, [&] { return Lba(Mix64(random.Below(blocks)) >> 1); },
      [](auto& map, Lba lba) { DoLookup(map, lba); });
}

void BM_ScatteredUpdate(benchmark::State& state) {
  const auto blocks = static_cast<uint64_t>(state.range(0));
  Maps maps;
  PopulateScattered(maps, blocks);
  Random random(1);
  Compare(
      state, maps,
      [&] {
        return Update{{Lba(Mix64(random.Below(blocks)) >> 1), BlockCount(1)},
                      PhysicalBlock(random.Below(blocks))};
      },
      [](auto& map, const Update& update) { DoAssignBlock(map, update); });
}

constexpr int64_t kSmall = 1 << 18;
constexpr int64_t kLarge = 1 << 24;

BENCHMARK(BM_RandomLookup)->Arg(kSmall)->Arg(kLarge)->UseManualTime();
BENCHMARK(BM_RandomUpdate)->Arg(kSmall)->Arg(kLarge)->UseManualTime();
BENCHMARK(BM_SequentialLookup)->Arg(kSmall)->Arg(kLarge)->UseManualTime();
BENCHMARK(BM_SequentialUpdate)
    ->Args({kSmall, 8})
    ->Args({kSmall, 256})
    ->Args({kSmall, 16384})
    ->Args({kLarge, 8})
    ->Args({kLarge, 256})
    ->Args({kLarge, 16384})
    ->UseManualTime();
BENCHMARK(BM_ScatteredLookup)->Arg(kSmall)->Arg(kLarge / 16)->UseManualTime();
BENCHMARK(BM_ScatteredUpdate)->Arg(kSmall)->Arg(kLarge / 16)->UseManualTime();

}  // namespace
}  // namespace gleaner

BENCHMARK_MAIN();
