// Extents anywhere in a 64-bit space of lbas, in order: what the extent map keeps where
// extents are too few and far between for directories of leaves. A search tree of
// buckets, each a packed array of at most 256 extents.
//
//   SparseExtents extents;
//   extents.Replace(1 << 20, 1 << 30, 7, displaced);   // maps [2^20, 2^30) to 7...
//   extents.PieceAt(0);                                // 0+2^20, a hole
//
// Thread-compatible. 12 bytes per single block plus an eighth of slack at most, 20 per
// longer extent. With n extents here a call costs O(log n), and 256 moves at most within
// a bucket, plus the extents that it displaces.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/container/btree_map.h"
#include "extent_map/extent_merger.h"
#include "extent_map/packed_extents.h"

namespace gleaner {

class SparseExtents {
 public:
  // An area of 2^kAreaBits blocks, aligned, is crowded when it fills a bucket alone.
  static constexpr int kAreaBits = 18;
  static constexpr size_t kMaxBucket = 256;

  SparseExtents() = default;
  ~SparseExtents();
  SparseExtents(const SparseExtents&) = delete;
  SparseExtents& operator=(const SparseExtents&) = delete;

  // Maps lbas [first, end) to `physical` and what follows, or unmaps them (kUnmapped).
  // Adds what stood there to `displaced`. `first` < `end`. If an area has become crowded,
  // returns its number (lba >> kAreaBits): the caller should move it elsewhere.
  std::optional<uint64_t> Replace(uint64_t first, uint64_t end, uint64_t physical,
                                  ExtentMerger& displaced);

  // What stands at `lba`: an extent from there, or a hole, of at least one block. Two
  // pieces in a row may be parts of one extent, or of one hole.
  PackedRun PieceAt(uint64_t lba) const;

  // The heap memory that this object holds, the tree's own estimated.
  uint64_t memory_bytes() const;

 private:
  using Bucket = PackedExtents<uint64_t>;
  // By the first lba that the bucket is for; its extents lie before the next bucket's.
  // The first bucket, once there is one, is for lba 0 and stays even when it is empty.
  using Buckets = absl::btree_map<uint64_t, Bucket>;

  Buckets::iterator BucketOf(uint64_t lba);
  // Unmaps [first, end) everywhere. Afterwards no bucket starts inside.
  void Erase(uint64_t first, uint64_t end, ExtentMerger& displaced);
  // Cuts a full bucket in halves; but if all of it is one area, returns that.
  std::optional<uint64_t> Split(Buckets::iterator it);
  // Joins a bucket with the next, unless they would be more than half full. Returns
  // whether.
  bool JoinWithNext(Buckets::iterator it);

  Buckets buckets_;
};

}  // namespace gleaner
