// The map of a store: lba -> physical block, over all 64 bits of both.
//
//   ExtentMap map;
//   map.Assign({Lba(100), BlockCount(8)}, PhysicalBlock(0), on_displaced);
//   map.AssignBlock(Lba(103), PhysicalBlock(512));  // it was at block(3)
//   map.RelocateBlock(Lba(103), PhysicalBlock(512), PhysicalBlock(700));  // true
//   map.LookupExtent(Lba(100), BlockCount(1024));  // lba(100)+3 at block(0)
//
// Thread-compatible. The map holds values only: no call returns a view into it, so a
// change invalidates nothing. Callbacks must not call the map. Valid lbas and physical
// blocks are below 2^64 - 1, and ranges end at 2^64 - 1 at most; an empty range changes
// nothing.
//
// How it stores. The lbas are cut into leaves of 4,096 blocks. A leaf holds one extent in
// place, or up to 256 extents in a packed array, or, where there are more, one entry
// per block: of 4 bytes while every physical block is below 2^32 - 1, else of 8. Leaves
// stand in directories of 64 (an area: 1 GiB of 4 KiB blocks), found by index below lba
// 2^36, in a search tree above. An area that holds few extents, and does not continue a
// row of areas from lba 0, has no directory: its extents stand in a search tree of packed
// arrays.
//
// Memory per mapped block: 4.01 bytes for a volume that is mapped at random (8.01 where
// physical blocks do not fit 32 bits), 0.005 for extents of 64 MiB, 14 for single blocks
// scattered over 2^64.
//
// Time, with e extents in the map and d displaced by the call:
//   a block in a leaf of entries   O(1), in line: one cache miss, and one for the leaf's
//                                  16 bytes in the directory where they are cold, too
//   a block elsewhere              O(log e), and moves within one packed array
//   a range of n blocks            O(log e + d + n / 4096)
// Changes of form are amortised. A leaf turns to entries at 257 extents, and back at 128 or
// fewer: at least 65 blocks change between two such turns, which touch 4,096 entries each. Its
// extents are counted again after as many updates as could have made them so few: about 2,000
// in a leaf that is mapped at random, 128 at least. A count reads 4,096 entries, in vector code.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "base/types.h"
#include "extent_map/extent.h"
#include "extent_map/extent_merger.h"
#include "extent_map/leaf.h"
#include "extent_map/sparse_extents.h"

namespace gleaner {

class ExtentMap {
 public:
  using ExtentVisitor = absl::FunctionRef<void(const Extent&)>;

  ExtentMap();
  ~ExtentMap();
  ExtentMap(const ExtentMap&) = delete;
  ExtentMap& operator=(const ExtentMap&) = delete;

  // Maps block i of `range` to physical + i. Calls displaced(extent) for every extent
  // that stood there before, in lba order, each as long as it can be; for holes it is not
  // called.
  void Assign(LbaRange range, PhysicalBlock physical, ExtentVisitor displaced);

  // The same for one block. Returns where it was mapped before, invalid if nowhere.
  PhysicalBlock AssignBlock(Lba lba, PhysicalBlock physical);

  // Unmaps `range`, and calls displaced(extent) as Assign does.
  void Erase(LbaRange range, ExtentVisitor displaced);

  // Where `lba` is mapped; invalid if it is not.
  PhysicalBlock Lookup(Lba lba) const;

  // The extent that starts at `lba`: the longest run from there that is contiguous in
  // both, cut at `at_most` blocks; if `lba` is unmapped, the hole from there
  // (Extent::mapped() is false).
  Extent LookupExtent(Lba lba, BlockCount at_most) const;

  // Compare-and-move, block by block: those blocks lba + i of `range` that are mapped to
  // from + i now are mapped to to + i; others stay where they are. Calls moved(extent)
  // for each run that moved, with its new physical blocks, in lba order. Returns how many
  // blocks moved.
  BlockCount Relocate(LbaRange range, PhysicalBlock from, PhysicalBlock to,
                      ExtentVisitor moved);

  // The same for one block. Returns whether it moved.
  bool RelocateBlock(Lba lba, PhysicalBlock from, PhysicalBlock to);

  // Calls visit(extent) for the extents within `range` in lba order, each as long as it
  // can be, cut at the ends of `range`.
  void ForEach(LbaRange range, ExtentVisitor visit) const;

  // How many extents ForEach would visit.
  uint64_t CountExtents(LbaRange range) const;

  // Starts loading what Lookup, AssignBlock or RelocateBlock of `lba` will touch.
  void Prefetch(Lba lba) const;
  // Where `lba` is mapped if one entry says so; invalid if not, and where it would take a search.
  PhysicalBlock Peek(Lba lba) const;

  BlockCount mapped_blocks() const { return BlockCount(mapped_blocks_); }

  // The heap memory that this object holds. Looks at every leaf.
  uint64_t memory_bytes() const;

 private:
  // The leaves of one area of the address space.
  static constexpr int kAreaBits = SparseExtents::kAreaBits;
  static constexpr uint64_t kAreaBlocks = uint64_t{1} << kAreaBits;
  static constexpr uint64_t kAreaLeaves = kAreaBlocks / Leaf::kBlocks;
  struct Directory {
    Leaf leaves[kAreaLeaves];
    uint64_t used = 0;  // leaves that are not empty; without any the directory goes
  };
  // Areas whose directories are found by index.
  static constexpr uint64_t kLowAreas = uint64_t{1} << 18;

  static uint64_t LeafIndex(uint64_t lba) { return lba / Leaf::kBlocks % kAreaLeaves; }
  Leaf* LowLeafOf(uint64_t lba) const {
    const uint64_t area = lba >> kAreaBits;
    if (area >= low_.size() || low_[area] == nullptr) [[unlikely]]
      return nullptr;
    return &low_[area]->leaves[LeafIndex(lba)];
  }
  Directory* DirectoryOf(uint64_t area) const;
  // An area that is about to be mapped in part gets a directory where that continues a
  // row of them from lba 0 on, as a volume does that fills up; elsewhere, once it is
  // crowded.
  bool WantsDirectory(uint64_t area, uint64_t blocks) const;
  Directory* AddDirectory(uint64_t area);
  void RemoveDirectory(uint64_t area);
  // Blocks from `lba`, whose area has no directory, to the next area that has one.
  uint64_t ToNextDirectory(uint64_t lba) const;

  void Replace(uint64_t first, uint64_t end, uint64_t physical, ExtentMerger& displaced);
  void ReplaceIn(Directory& directory, uint64_t first, uint64_t end, uint64_t physical,
                 ExtentMerger& displaced);
  PackedRun PieceAt(uint64_t lba, uint64_t at_most) const;

  PhysicalBlock AssignBlockSlow(Lba lba, PhysicalBlock physical);
  bool RelocateBlockSlow(Lba lba, PhysicalBlock from, PhysicalBlock to);

  // All directories by area, and those of low areas by index. An area that has one has no
  // extents in sparse_.
  absl::btree_map<uint64_t, std::unique_ptr<Directory>> directories_;
  std::vector<Directory*> low_;
  SparseExtents sparse_;
  EntryPools pools_;
  uint64_t mapped_blocks_ = 0;
};

inline PhysicalBlock ExtentMap::AssignBlock(Lba lba, PhysicalBlock physical) {
  if (Leaf* leaf = LowLeafOf(lba.value()); leaf != nullptr) [[likely]] {
    uint32_t* entry = leaf->NarrowEntryToUpdate(lba.value() % Leaf::kBlocks);
    if (entry != nullptr && *entry != Leaf::kNarrowHole &&
        physical.value() < Leaf::kNarrowHole) [[likely]] {
      const PhysicalBlock before(*entry);
      *entry = static_cast<uint32_t>(physical.value());
      return before;
    }
  }
  return AssignBlockSlow(lba, physical);
}

inline PhysicalBlock ExtentMap::Lookup(Lba lba) const {
  if (const Leaf* leaf = LowLeafOf(lba.value()); leaf != nullptr) [[likely]]
    return PhysicalBlock(leaf->Lookup(lba.value() % Leaf::kBlocks));
  return PhysicalBlock(PieceAt(lba.value(), 1).physical);
}

inline bool ExtentMap::RelocateBlock(Lba lba, PhysicalBlock from, PhysicalBlock to) {
  if (Leaf* leaf = LowLeafOf(lba.value()); leaf != nullptr) [[likely]] {
    uint32_t* entry = leaf->NarrowEntryToUpdate(lba.value() % Leaf::kBlocks);
    if (entry != nullptr && from.value() < Leaf::kNarrowHole &&
        to.value() < Leaf::kNarrowHole) [[likely]] {
      if (*entry != from.value()) return false;
      *entry = static_cast<uint32_t>(to.value());
      return true;
    }
  }
  return RelocateBlockSlow(lba, from, to);
}

inline void ExtentMap::Prefetch(Lba lba) const {
  if (const Leaf* leaf = LowLeafOf(lba.value()); leaf != nullptr) [[likely]]
    __builtin_prefetch(leaf->NarrowEntry(lba.value() % Leaf::kBlocks));
}

inline PhysicalBlock ExtentMap::Peek(Lba lba) const {
  if (const Leaf* leaf = LowLeafOf(lba.value()); leaf != nullptr) [[likely]] {
    const uint32_t* entry = leaf->NarrowEntry(lba.value() % Leaf::kBlocks);
    if (entry != nullptr && *entry != Leaf::kNarrowHole) [[likely]]
      return PhysicalBlock(*entry);
  }
  return PhysicalBlock();
}

}  // namespace gleaner
