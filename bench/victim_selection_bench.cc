// What a selection costs with a thousand and with a million segments: the policy's choice and
// every change of the segment table that comes with it.
//
//   bazel build -c opt //bench:victim_selection_bench
//   bazel-bin/bench/victim_selection_bench
//   tools/selection_instructions.py      # the same in instructions, with a limit
//
// A turn of the benchmark is what a cleaner in a steady state does for each victim: choose it,
// clean, release and free it, open, fill and seal a segment, and count as stale as many blocks
// of other segments as the victim had room for (about capacity x (1 - u)), each in a segment
// chosen in proportion to its live blocks, as uniform user writes do. Segments have 512 blocks,
// 80 % of them live.
//
// The table of a million is the steady state of a thousand, a thousand times over: as many times
// as many segments of each age and number of live blocks.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "gc/segment_table.h"
#include "gc/victim_policy.h"

namespace gleaner {
namespace {

constexpr uint32_t kCapacity = 512;
constexpr uint32_t kLive = kCapacity * 4 / 5;  // on average
constexpr uint32_t kSmall = 1000;
constexpr uint32_t kLarge = 1'000'000;
// Each segment of the small table is cleaned some times before anything is measured.
constexpr uint32_t kWarmUpSelections = 4 * kSmall;
constexpr int kSelections = 2000;
// Segments that are alike in age: where a large table takes its numbers of live blocks from.
constexpr uint32_t kNeighbours = 32;

const char* const kPolicies[] = {"greedy",        "cost-benefit", "cost-benefit:f2fs",
                                 "age-threshold", "fifo",         "random",
                                 "d-choices:10"};

// A table, the policy that cleans it, and the next stale blocks.
class SelectionModel {
 public:
  SelectionModel(uint32_t segments, const std::string& policy)
      : policy_(*MakeVictimPolicy(policy, {uint64_t{segments} * kLive})),
        table_({.segments = segments + 1,
                .capacity_blocks = kCapacity,
                .track_modified = policy_->needs_modified()}) {}

  // Sealed in turn, with more and more live blocks.
  void FillByAge() {
    const uint32_t segments = table_.segments() - 1;
    for (uint32_t i = 0; i < segments; ++i) {
      const uint64_t below =
          uint64_t{2} * (kCapacity - kLive) * (segments - i) / segments;
      now_blocks_ += kCapacity;
      AddSealed(kCapacity - static_cast<uint32_t>(below), now_blocks_,
                static_cast<double>(now_blocks_));
    }
  }

  // `model` many times over.
  void FillLike(const SelectionModel& model) {
    const std::vector<SegmentId> ids = model.InSealOrder();
    const SegmentTable& from = model.table_;
    const uint32_t segments = table_.segments() - 1;
    const auto size = static_cast<uint32_t>(ids.size());
    const uint64_t times = segments / size;
    now_blocks_ = model.now_blocks_ * times;
    for (uint32_t i = 0; i < segments; ++i) {
      const auto at = static_cast<uint32_t>(uint64_t{i} * size / segments);
      const uint32_t low = at - std::min(at, kNeighbours);
      const uint32_t high = std::min(at + kNeighbours, size - 1);
      const SegmentId like = ids[low + random_.Below(high - low + 1)];
      AddSealed(from.live_blocks_of(like), from.sealed_at_of(ids[at]) * times,
                from.modified_at_of(ids[at]) * static_cast<double>(times));
    }
  }

  // Draws the stale blocks that go with the next selection.
  void DrawUpdates() {
    stale_.clear();
    while (stale_.size() < room_) {
      const SegmentId id = table_.candidate(
          static_cast<uint32_t>(random_.Below(table_.candidate_count())));
      if (random_.Below(kCapacity) < table_.live_blocks_of(id)) stale_.push_back(id);
    }
  }

  // Apart from the warm-up, what is measured: tools/selection_instructions.py counts the
  // instructions of functions with these names, which are therefore never inlined.
  [[gnu::noinline]] void MeasuredSelection() { Select(); }
  void WarmUp() {
    DrawUpdates();
    Select();
  }
  // Seals segments with nothing live until all places in seal order were used and the
  // segments have been numbered anew once.
  [[gnu::noinline]] void MeasuredSeals() {
    for (uint32_t i = 0; i < SealsPerRenumbering(); ++i) {
      table_.Seal(*table_.Open(ClassId(0)), now_blocks_);
      table_.FreeReleased(table_.release_count());
    }
  }
  uint32_t SealsPerRenumbering() const { return table_.segments() / 2 + 1; }

  const SegmentTable& table() const { return table_; }

 private:
  [[gnu::always_inline]] void Select() {
    for (const SegmentId id : stale_) {
      ++now_blocks_;
      if (table_.live_blocks_of(id) > 0) table_.OnStale(id, 1, now_blocks_);
    }
    const SegmentId victim = policy_->Pick(table_, now_blocks_, &random_);
    const uint32_t live = table_.live_blocks_of(victim);
    table_.StartCleaning(victim);
    table_.OnStale(victim, live, now_blocks_);
    table_.Release(victim);
    table_.FreeReleased(table_.release_count());
    AddSealed(kCapacity, now_blocks_, static_cast<double>(now_blocks_));
    room_ = kCapacity - live;
  }

  void AddSealed(uint32_t live, uint64_t sealed_at, double modified_at) {
    const SegmentId id = *table_.Open(ClassId(0));
    table_.OnWritten(id, kCapacity, modified_at);
    table_.OnLive(id, live);
    table_.Seal(id, sealed_at);
  }

  std::vector<SegmentId> InSealOrder() const {
    std::vector<SegmentId> ids;
    for (uint32_t i = 0; i < table_.candidate_count(); ++i)
      ids.push_back(table_.candidate(i));
    std::sort(ids.begin(), ids.end(), [this](SegmentId a, SegmentId b) {
      return table_.seal_rank_of(a) < table_.seal_rank_of(b);
    });
    return ids;
  }

  const std::unique_ptr<VictimPolicy> policy_;
  SegmentTable table_;
  Random random_{1};
  uint64_t now_blocks_ = 0;
  uint32_t room_ = kCapacity - kLive;  // of the last victim
  std::vector<SegmentId> stale_;
};

std::unique_ptr<SelectionModel> MakeSteady(uint32_t segments, const std::string& policy) {
  auto small = std::make_unique<SelectionModel>(kSmall, policy);
  small->FillByAge();
  for (uint32_t i = 0; i < kWarmUpSelections; ++i) small->WarmUp();
  if (segments == kSmall) return small;
  auto large = std::make_unique<SelectionModel>(segments, policy);
  large->FillLike(*small);
  return large;
}

void BM_Selection(benchmark::State& state, const std::string& policy, uint32_t segments) {
  const std::unique_ptr<SelectionModel> model = MakeSteady(segments, policy);
  for (auto _ : state) {
    model->DrawUpdates();
    const auto start = std::chrono::steady_clock::now();
    model->MeasuredSelection();
    const std::chrono::duration<double> elapsed =
        std::chrono::steady_clock::now() - start;
    state.SetIterationTime(elapsed.count());
  }
  state.counters["candidates"] = model->table().candidate_count();
  state.counters["measured"] = static_cast<double>(state.iterations());
}

// Per seal, what numbering the segments anew adds once in so many seals; of 2000 selections
// among a million segments hardly any meets it.
void BM_Renumbering(benchmark::State& state) {
  SelectionModel model(static_cast<uint32_t>(state.range(0)), "fifo");
  model.FillByAge();
  for (auto _ : state) model.MeasuredSeals();
  state.counters["measured"] = model.SealsPerRenumbering();
}

BENCHMARK(BM_Renumbering)->Arg(kLarge)->Iterations(1)->Unit(benchmark::kMillisecond);

void RegisterAll() {
  for (const PolicyName& known : VictimPolicyNames()) {
    GLEANER_CHECK(std::any_of(
        std::begin(kPolicies), std::end(kPolicies),
        [&](const std::string& spec) { return spec.rfind(known.name.data(), 0) == 0; }));
  }
  for (const std::string policy : kPolicies) {
    for (const uint32_t segments : {kSmall, kLarge}) {
      const std::string name = "BM_Selection/" + policy + "/" + std::to_string(segments);
      benchmark::RegisterBenchmark(
          name.c_str(),
          [=](benchmark::State& state) { BM_Selection(state, policy, segments); })
          ->Iterations(kSelections)
          ->UseManualTime();
    }
  }
}

}  // namespace
}  // namespace gleaner

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  gleaner::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
}
