// The map of 4,096 consecutive lbas, in whichever form is smallest for how fragmented it
// is: one extent in place, a packed array of up to 256, or an entry per block.
//
//   EntryPools pools;
//   Leaf leaf;                                       // all unmapped
//   leaf.Replace(base, {0, 700, 8}, displaced, pools);  // its first 8 blocks to 700 to 707
//   leaf.PieceAt(2, 4096);                           // 2+6 at 702
//   leaf.Clear(pools);                               // frees; all unmapped again
//
// Keys are block offsets in the leaf. A plain value of 16 bytes that stands in a
// directory, which calls Clear before it goes; all-zero bytes are an empty leaf.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <limits>

#include "extent_map/entry_pool.h"
#include "extent_map/extent_merger.h"
#include "extent_map/packed_extents.h"

namespace gleaner {

struct EntryPools;

class Leaf {
 public:
  static constexpr int kBits = 12;
  static constexpr uint64_t kBlocks = uint64_t{1} << kBits;
  // More extents than the first: an entry per block. As few as the second: an array
  // again.
  static constexpr uint64_t kMaxRuns = kBlocks / 16;
  static constexpr uint64_t kFewRuns = kMaxRuns / 2;
  // Updates of a leaf of entries before its extents are counted again, at least. No more than
  // kFewRuns, so that a leaf which is overwritten in order is an array before its last block.
  static constexpr uint64_t kRecountAfter = kFewRuns;
  // In an entry of 4 bytes: a hole.
  static constexpr uint32_t kNarrowHole = std::numeric_limits<uint32_t>::max();

  // Where block `i` is mapped, or kUnmapped.
  uint64_t Lookup(uint64_t i) const {
    if (form_ == Form::kNarrow) [[likely]]
      return narrow_[i] == kNarrowHole ? kUnmapped : narrow_[i];
    if (form_ == Form::kOne)
      return i - one_first_ < one_count_ ? one_physical_ + (i - one_first_) : kUnmapped;
    return PieceAt(i, i + 1).physical;
  }

  // The entry of block `i` where the leaf has 4-byte entries, else null.
  const uint32_t* NarrowEntry(uint64_t i) const {
    return form_ == Form::kNarrow ? narrow_ + i : nullptr;
  }

  // The same, for the caller to change from one mapping to another (Replace is for
  // holes). Each call counts as one of the updates after which extents are counted again;
  // when that is due it returns null, too, and Replace counts.
  uint32_t* NarrowEntryToUpdate(uint64_t i) {
    if (form_ != Form::kNarrow || updates_left_ == 0) [[unlikely]]
      return nullptr;
    --updates_left_;
    return narrow_ + i;
  }

  // Maps the blocks of `run` to run.physical and what follows, or unmaps them (kUnmapped). Adds
  // what stood there to `displaced`, its lbas counted from `base`. The run is not empty and
  // ends at kBlocks at most. The leaf has its entries from `pools`, the same at every call.
  // Returns by how much the number of leaves that are not empty changed: 1, 0 or -1.
  int Replace(uint64_t base, const PackedRun& run, ExtentMerger& displaced,
              EntryPools& pools) {
    // A leaf that is one extent, all of it replaced: most leaves of a long range.
    if (form_ == Form::kOne && run.key <= one_first_ &&
        one_first_ + one_count_ <= run.end() && run.physical != kUnmapped) [[likely]] {
      const bool was_empty = one_count_ == 0;
      if (!was_empty) displaced.Add(base + one_first_, one_physical_, one_count_);
      SetOne(run);
      return was_empty;
    }
    const bool was_empty = empty();
    ReplaceSlow(base, run, displaced, pools);
    return int{was_empty} - int{empty()};
  }

  // What stands at block `at`: the extent, or hole, from there, cut at block `end`.
  // `at` < `end` <= kBlocks.
  PackedRun PieceAt(uint64_t at, uint64_t end) const;

  bool empty() const { return form_ == Form::kOne && one_count_ == 0; }

  // Frees the memory, and is empty.
  void Clear(EntryPools& pools);

  // The heap memory behind this leaf, that of the pools apart.
  uint64_t memory_bytes() const;

 private:
  enum class Form : uint8_t { kOne = 0, kRuns, kNarrow, kWide };
  using Runs = PackedExtents<uint16_t>;

  Runs GetRuns() const { return Runs({runs_, runs_size_, runs_capacity_, runs_form_}); }
  void SetOne(const PackedRun& run) {
    form_ = Form::kOne;
    one_physical_ = run.physical;
    one_first_ = static_cast<uint16_t>(run.key);
    one_count_ = static_cast<uint16_t>(run.count);
  }
  // Takes `runs` over.
  void SetRuns(Runs runs);

  void ReplaceSlow(uint64_t base, const PackedRun& run, ExtentMerger& displaced,
                   EntryPools& pools);
  // Replace where the leaf is, and stays or becomes: extents, or entries.
  void ReplaceRuns(uint64_t base, const PackedRun& run, ExtentMerger& displaced,
                   EntryPools& pools);
  void ReplaceEntries(uint64_t base, const PackedRun& run, ExtentMerger& displaced,
                      EntryPools& pools);
  void RunsToEntries(Runs runs, EntryPools& pools);
  template <typename Entry>
  void EntriesToRuns(Entry* entries, EntryPool& pool);
  void Widen(EntryPools& pools);
  // Counts the extents of a leaf of entries. Where they are few it becomes one of runs, else it
  // is left alone for as many updates as could make them few.
  void Recount(EntryPools& pools);

  // By form: 0 is an empty leaf of one extent.
  union {
    uint64_t one_physical_ = 0;  // kOne
    uint8_t* runs_;              // kRuns: the parts of a PackedHandle
    uint32_t* narrow_;           // kNarrow: kBlocks entries
    uint64_t* wide_;             // kWide: kBlocks entries
  };
  union {
    uint16_t one_first_ = 0;  // kOne
    uint16_t runs_size_;      // kRuns
    uint16_t mapped_;         // kNarrow and kWide: blocks that are not holes
  };
  union {
    uint16_t one_count_ = 0;  // kOne: 0 if nothing is mapped
    uint16_t runs_capacity_;  // kRuns
    uint16_t updates_left_;   // kNarrow and kWide: before extents are counted again
  };
  uint8_t runs_form_ = 0;  // kRuns
  Form form_ = Form::kOne;
};
static_assert(sizeof(Leaf) == 16);

// Where the leaves of one map have their entries from.
struct EntryPools {
  EntryPool narrow{Leaf::kBlocks * sizeof(uint32_t)};
  EntryPool wide{Leaf::kBlocks * sizeof(uint64_t)};
};

}  // namespace gleaner
