// The map of a store: lba -> physical block, over all 64 bits of both.
//
//   ExtentMap map;
//   map.Assign({Lba(100), BlockCount(8)}, PhysicalBlock(0), [](const Extent& displaced) {
//   ... }); PhysicalBlock before = map.AssignBlock(Lba(103), PhysicalBlock(512));  //
//   block(3) map.RelocateBlock(Lba(103), /*from=*/PhysicalBlock(512),
//   /*to=*/PhysicalBlock(700)); map.LookupExtent(Lba(100), BlockCount(1024));  //
//   lba(100)+3 at block(0)
//
// Thread-compatible. The map holds values only: no call returns a view into it, so
// nothing is invalidated by a change, and ForEach sees the map as it stood when called.
// Callbacks must not call the map. Valid lbas and physical blocks are below 2^64 - 1, and
// so are the ends of ranges; a range that is empty changes nothing.
//
// How it stores. The lbas are cut into leaves of 1,024 blocks. A leaf holds one extent in
// place, or up to 256 extents in a packed array, or, where there are more, one entry per
// block, of 4 bytes while every physical block is below 2^32 - 1, else of 8. Leaves stand
// in directories of 256 (1 GiB of 4 KiB blocks), found by index below lba 2^36, by a
// search tree above. Where an area of the address space holds few extents it has no
// directory: they stand in a search tree of packed arrays.
//
// Memory: 4.02 bytes per mapped block for a volume mapped at random (8.02 where physical
// blocks do not fit 32 bits), 0.02 for extents of 64 MiB, 14 for single blocks scattered
// over 2^64.
//
// Time: with e extents in the map and d displaced by the call,
//   one block, in a leaf of entries    O(1), one cache miss beside the directory's (16
//   bytes per
//                                      1,024 blocks): inline below
//   one block, elsewhere               O(log e), and moves within one packed array
//   a range of n blocks                O(log e + d + n / 1024)
// Changes of form are amortised. A leaf turns to entries at 257 extents. Its extents are
// counted again once every 1,024 updates, and when it has lost most of its blocks; at 128
// or fewer it turns back: a count reads 4 KiB, so it costs an update the reading of one
// entry, and at least 64 updates lie between two conversions of a leaf, which cost 1,024
// entries each.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "base/types.h"
#include "extent_map/extent.h"

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

  BlockCount mapped_blocks() const;

  // The heap memory that this object holds.
  uint64_t memory_bytes() const;
};

}  // namespace gleaner
