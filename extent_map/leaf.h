// The map of 1,024 consecutive lbas, in whichever form is smallest for how it is
// fragmented: one extent in place, a packed array of up to 64, or an entry per block.
//
//   Leaf leaf;                                     // all unmapped
//   leaf.Replace(base, 0, 8, 700, displaced);      // maps its first 8 blocks to
//   700...707 leaf.PieceAt(2, 1024);                         // 2+6 at 702 leaf.Clear();
//   // frees; all unmapped again
//
// Keys are block offsets in the leaf. A plain value of 16 bytes that stands in a
// directory, which calls Clear before it goes; all-zero bytes are an empty leaf.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <limits>

#include "extent_map/extent_merger.h"
#include "extent_map/packed_extents.h"

namespace gleaner {

class Leaf {
 public:
  static constexpr int kBits = 10;
  static constexpr uint64_t kBlocks = uint64_t{1} << kBits;
  // More extents than the first: an entry per block. As few as the second: an array
  // again.
  static constexpr uint64_t kMaxRuns = kBlocks / 16;
  static constexpr uint64_t kFewRuns = kMaxRuns / 2;
  // Updates of a leaf of entries before its extents are counted again, at least.
  static constexpr uint64_t kRecountAfter = 16;
  // In an entry of 4 bytes: a hole.
  static constexpr uint32_t kNarrowHole = std::numeric_limits<uint32_t>::max();

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

  // Maps blocks [first, end) to `physical` and what follows, or unmaps them (kUnmapped).
  // Adds what stood there to `displaced`, its lbas counted from `base`. `first` < `end`
  // <= kBlocks.
  void Replace(uint64_t base, uint64_t first, uint64_t end, uint64_t physical,
               ExtentMerger& displaced) {
    // A leaf that is one extent, all of it replaced: every leaf but the ends of a long
    // extent.
    if (form_ == Form::kOne && first <= one_first_ && one_first_ + one_count_ <= end &&
        physical != kUnmapped) [[likely]] {
      if (one_count_ != 0) displaced.Add(base + one_first_, one_physical_, one_count_);
      SetOne({first, physical, end - first});
      return;
    }
    ReplaceSlow(base, first, end, physical, displaced);
  }

  // What stands at block `at`: an extent from there, or a hole, cut at block `end`. It is
  // not always the longest one, and never empty. `at` < `end` <= kBlocks.
  PackedRun PieceAt(uint64_t at, uint64_t end) const;

  bool empty() const { return form_ == Form::kOne && one_count_ == 0; }

  // Frees the memory, and is empty.
  void Clear();

  // The heap memory behind this leaf.
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

  void ReplaceSlow(uint64_t base, uint64_t first, uint64_t end, uint64_t physical,
                   ExtentMerger& displaced);
  // Replace where the leaf is, and stays or becomes: extents, or entries.
  void ReplaceRuns(uint64_t base, const PackedRun& run, ExtentMerger& displaced);
  void ReplaceEntries(uint64_t base, const PackedRun& run, ExtentMerger& displaced);
  void RunsToEntries(Runs runs);
  template <typename Entry>
  void EntriesToRuns(Entry* entries);
  void Widen();
  // Counts the extents of a leaf of entries. Where they are few it becomes one of runs,
  // else it is left alone for as many updates as could make them few.
  void Recount();

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

}  // namespace gleaner
