#include "extent_map/leaf.h"

#include <algorithm>

namespace gleaner {
namespace {

// What an entry stores for a hole; in one of 8 bytes it is kUnmapped itself.
template <typename Entry>
constexpr Entry kHole = static_cast<Entry>(kUnmapped);

template <typename Entry>
Entry* NewEntries(EntryPool& pool) {
  auto* entries = static_cast<Entry*>(pool.Allocate());
  std::fill_n(entries, Leaf::kBlocks, kHole<Entry>);
  return entries;
}

// The longest run of consecutive blocks, or of holes, from entry `at`, cut at `end`.
template <typename Entry>
PackedRun RunAt(const Entry* entries, uint64_t at, uint64_t end) {
  const Entry first = entries[at];
  uint64_t n = 1;
  if (first == kHole<Entry>) {
    while (at + n < end && entries[at + n] == kHole<Entry>) ++n;
    return {at, kUnmapped, n};
  }
  // The last mapping there can be is followed by the value of a hole.
  end = std::min<uint64_t>(end,
                           at + std::min<uint64_t>(kHole<Entry> - first, Leaf::kBlocks));
  while (at + n < end && entries[at + n] == static_cast<Entry>(first + n)) ++n;
  return {at, first, n};
}

// Extents among the entries. Written so that compilers turn it into vector code (g++ only at O3):
// it is what an update costs beside the change of its entry.
#ifdef __clang__
#define GLEANER_VECTORIZE
#else
#define GLEANER_VECTORIZE __attribute__((optimize("O3")))
#endif
template <typename Entry>
GLEANER_VECTORIZE uint64_t CountRuns(const Entry* entries) {
  Entry runs = entries[0] != kHole<Entry>;
  // A mapping to 0 never continues an extent, yet equals what would follow a hole.
  for (uint64_t i = 1; i < Leaf::kBlocks; ++i) {
    const Entry entry = entries[i];
    const auto follows = static_cast<Entry>(entries[i - 1] + 1);
    runs +=
        static_cast<Entry>((entry != kHole<Entry>)&((entry != follows) | (entry == 0)));
  }
  return runs;
}

template <typename Entry>
void FillEntries(Entry* entries, const PackedRun& run) {
  const Entry step = run.physical == kUnmapped ? 0 : 1;
  auto value = static_cast<Entry>(run.physical);
  for (uint64_t i = run.key; i < run.end(); ++i, value += step) entries[i] = value;
}

template <typename Entry>
void ReplaceIn(Entry* entries, uint64_t base, const PackedRun& run,
               ExtentMerger& displaced) {
  for (uint64_t i = run.key; i < run.end(); ++i)
    if (entries[i] != kHole<Entry>) displaced.Add(base + i, entries[i], 1);
  FillEntries(entries, run);
}

bool FitsNarrow(const PackedRun& run) {
  return run.physical + (run.count - 1) < Leaf::kNarrowHole;
}

}  // namespace

void Leaf::ReplaceSlow(uint64_t base, const PackedRun& run, ExtentMerger& displaced,
                       EntryPools& pools) {
  switch (form_) {
    case Form::kOne:
      if (const PackedRun one{one_first_, one_physical_, one_count_};
          one.count != 0 && run.physical != kUnmapped && one.Meets(run)) {
        one_count_ += static_cast<uint16_t>(run.count);
        return;
      }
      [[fallthrough]];
    case Form::kRuns:
      ReplaceRuns(base, run, displaced, pools);
      return;
    case Form::kNarrow:
    case Form::kWide:
      ReplaceEntries(base, run, displaced, pools);
      return;
  }
}

void Leaf::ReplaceRuns(uint64_t base, const PackedRun& run, ExtentMerger& displaced,
                       EntryPools& pools) {
  Runs runs;
  if (form_ == Form::kRuns) {
    runs = GetRuns();
  } else if (one_count_ != 0) {
    runs.Splice(0, 0, {PackedRun{one_first_, one_physical_, one_count_}});
  }
  runs.Replace(run.key, run.end(), run.physical, [&](const PackedRun& was) {
    displaced.Add(base + was.key, was.physical, was.count);
  });
  if (runs.size() > kMaxRuns) {
    RunsToEntries(runs, pools);
  } else {
    SetRuns(runs);
  }
}

void Leaf::SetRuns(Runs runs) {
  if (runs.size() <= 1) {
    SetOne(runs.empty() ? PackedRun() : runs.At(0));
    runs.Free();
    return;
  }
  const PackedHandle handle = runs.handle();
  form_ = Form::kRuns;
  runs_ = handle.data;
  runs_size_ = handle.size;
  runs_capacity_ = handle.capacity;
  runs_form_ = handle.form;
}

void Leaf::RunsToEntries(Runs runs, EntryPools& pools) {
  bool narrow = true;
  mapped_ = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    mapped_ += static_cast<uint16_t>(runs.At(i).count);
    narrow = narrow && FitsNarrow(runs.At(i));
  }
  updates_left_ = kRecountAfter;
  if (narrow) {
    form_ = Form::kNarrow;
    narrow_ = NewEntries<uint32_t>(pools.narrow);
    for (size_t i = 0; i < runs.size(); ++i) FillEntries(narrow_, runs.At(i));
  } else {
    form_ = Form::kWide;
    wide_ = NewEntries<uint64_t>(pools.wide);
    for (size_t i = 0; i < runs.size(); ++i) FillEntries(wide_, runs.At(i));
  }
  runs.Free();
}

void Leaf::ReplaceEntries(uint64_t base, const PackedRun& run, ExtentMerger& displaced,
                          EntryPools& pools) {
  const bool maps = run.physical != kUnmapped;
  if (form_ == Form::kNarrow && maps && !FitsNarrow(run)) Widen(pools);
  const uint64_t before = displaced.blocks();
  if (form_ == Form::kNarrow) {
    ReplaceIn(narrow_, base, run, displaced);
  } else {
    ReplaceIn(wide_, base, run, displaced);
  }
  mapped_ +=
      static_cast<uint16_t>((maps ? run.count : 0) - (displaced.blocks() - before));
  const bool due = run.count >= updates_left_;
  updates_left_ -= static_cast<uint16_t>(due ? updates_left_ : run.count);
  if (due || mapped_ <= kFewRuns) Recount(pools);
}

void Leaf::Widen(EntryPools& pools) {
  auto* wide = NewEntries<uint64_t>(pools.wide);
  for (uint64_t i = 0; i < kBlocks; ++i)
    if (narrow_[i] != kNarrowHole) wide[i] = narrow_[i];
  pools.narrow.Free(narrow_);
  wide_ = wide;
  form_ = Form::kWide;
}

void Leaf::Recount(EntryPools& pools) {
  const uint64_t runs = form_ == Form::kNarrow ? CountRuns(narrow_) : CountRuns(wide_);
  if (runs > kFewRuns) {
    // To change a block joins two extents to it at most.
    updates_left_ = static_cast<uint16_t>(std::max((runs - kFewRuns) / 2, kRecountAfter));
  } else if (form_ == Form::kNarrow) {
    EntriesToRuns(narrow_, pools.narrow);
  } else {
    EntriesToRuns(wide_, pools.wide);
  }
}

template <typename Entry>
void Leaf::EntriesToRuns(Entry* entries, EntryPool& pool) {
  PackedRun few[kFewRuns];
  size_t n = 0;
  for (uint64_t at = 0; at < kBlocks;) {
    const PackedRun run = RunAt(entries, at, kBlocks);
    if (run.physical != kUnmapped) few[n++] = run;
    at = run.end();
  }
  Runs runs;
  runs.Splice(0, 0, {few, n});
  pool.Free(entries);
  SetRuns(runs);
}

PackedRun Leaf::PieceAt(uint64_t at, uint64_t end) const {
  PackedRun next;  // the extent that holds `at`, or the next
  switch (form_) {
    case Form::kOne:
      next = {one_first_, one_physical_, one_count_};
      break;
    case Form::kRuns: {
      const Runs runs = GetRuns();
      if (const size_t i = runs.FirstEndingAfter(at); i < runs.size()) next = runs.At(i);
      break;
    }
    case Form::kNarrow:
      return RunAt(narrow_, at, end);
    case Form::kWide:
      return RunAt(wide_, at, end);
  }
  if (next.end() <= at) return {at, kUnmapped, end - at};
  if (next.key > at) return {at, kUnmapped, std::min(next.key, end) - at};
  return {at, next.physical + (at - next.key), std::min(next.end(), end) - at};
}

void Leaf::Clear(EntryPools& pools) {
  if (form_ == Form::kRuns) GetRuns().Free();
  if (form_ == Form::kNarrow) pools.narrow.Free(narrow_);
  if (form_ == Form::kWide) pools.wide.Free(wide_);
  *this = Leaf();
}

uint64_t Leaf::memory_bytes() const {
  return form_ == Form::kRuns ? GetRuns().memory_bytes() : 0;
}

}  // namespace gleaner
