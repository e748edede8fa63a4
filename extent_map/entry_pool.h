// Memory for the entries of leaves: pieces of one size, cut from slabs of a huge page.
//
//   EntryPool pool(16384);
//   void* piece = pool.Allocate();
//   pool.Free(piece);
//
// Thread-compatible. Allocate costs O(1), or a look at each slab where some were freed from;
// Free O(log slabs). A slab without pieces in use is given back. The first slab is smaller, so
// that a small map stays one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>

namespace gleaner {

class EntryPool {
 public:
  // `piece_bytes` is a multiple of 8 and at most 256 KiB.
  explicit EntryPool(size_t piece_bytes) : piece_bytes_(piece_bytes) {}
  ~EntryPool();
  EntryPool(const EntryPool&) = delete;
  EntryPool& operator=(const EntryPool&) = delete;

  // The piece is the caller's until Free; its content is undefined.
  void* Allocate();
  void Free(void* piece);

  // The heap memory that the slabs occupy.
  uint64_t memory_bytes() const;

 private:
  struct FreePiece {
    FreePiece* next;
  };
  struct Slab {
    size_t bytes = 0;
    size_t used = 0;     // pieces
    size_t touched = 0;  // pieces from the start that were ever used
    FreePiece* free = nullptr;
  };
  // Downwards by address, so that lower_bound(piece) is its slab.
  using Slabs = std::map<char*, Slab, std::greater<char*>>;

  size_t PiecesOf(const Slab& slab) const { return slab.bytes / piece_bytes_; }
  Slabs::iterator AddSlab();

  size_t piece_bytes_;
  Slabs slabs_;
  size_t free_pieces_ = 0;
  Slabs::iterator current_ = slabs_.end();  // where the last piece came from
};

}  // namespace gleaner
