#include "extent_map/entry_pool.h"

#include <algorithm>
#include <new>

#include "base/check.h"
#include "base/huge_pages.h"

namespace gleaner {
namespace {

constexpr size_t kFirstSlabBytes = size_t{256} << 10;

}  // namespace

EntryPool::~EntryPool() {
  for (auto& [memory, slab] : slabs_) FreeLarge(memory);
}

void* EntryPool::Allocate() {
  const auto has_free = [this](const Slabs::value_type& slab) {
    return slab.second.used < PiecesOf(slab.second);
  };
  if (free_pieces_ == 0) {
    current_ = AddSlab();
  } else if (current_ == slabs_.end() || !has_free(*current_)) {
    current_ = std::find_if(slabs_.begin(), slabs_.end(), has_free);
  }
  Slab& slab = current_->second;
  --free_pieces_;
  ++slab.used;
  if (slab.free != nullptr) {
    FreePiece* const piece = slab.free;
    slab.free = piece->next;
    return piece;
  }
  return current_->first + piece_bytes_ * slab.touched++;
}

void EntryPool::Free(void* piece) {
  const auto it = slabs_.lower_bound(static_cast<char*>(piece));
  GLEANER_CHECK(it != slabs_.end());
  Slab& slab = it->second;
  ++free_pieces_;
  if (--slab.used > 0) {
    slab.free = new (piece) FreePiece{slab.free};
    return;
  }
  free_pieces_ -= PiecesOf(slab);
  FreeLarge(it->first);
  if (current_ == it) current_ = slabs_.end();
  slabs_.erase(it);
}

EntryPool::Slabs::iterator EntryPool::AddSlab() {
  const size_t bytes = slabs_.empty() ? kFirstSlabBytes : kHugePageBytes;
  const auto it =
      slabs_.emplace(static_cast<char*>(AllocateLarge(bytes)), Slab{.bytes = bytes});
  free_pieces_ += PiecesOf(it.first->second);
  return it.first;
}

uint64_t EntryPool::memory_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [memory, slab] : slabs_)
    bytes += slab.bytes < kHugePageBytes ? slab.touched * piece_bytes_ : slab.bytes;
  return bytes;
}

}  // namespace gleaner
