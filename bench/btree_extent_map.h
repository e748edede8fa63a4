// What the extent map is measured against: the map of extents that one would write today
// with absl::btree_map, first lba -> (physical, count). Extents merge where both
// addresses meet, one search serves an operation where it can, and values change in
// place.
//
//   BtreeExtentMap map;
//   map.Assign({Lba(100), BlockCount(8)}, PhysicalBlock(0), on_displaced);
//
// Same contract as ExtentMap for what it has. Thread-compatible.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/container/btree_map.h"
#include "base/types.h"
#include "extent_map/extent_map.h"

namespace gleaner {

// std::allocator that keeps count of the bytes that are allocated now, malloc's word
// included.
template <typename T>
struct CountingAllocator {
  using value_type = T;
  explicit CountingAllocator(uint64_t* bytes) : bytes(bytes) {}
  template <typename U>
  CountingAllocator(const CountingAllocator<U>& other) : bytes(other.bytes) {}  // NOLINT

  T* allocate(size_t n) {
    *bytes += (n * sizeof(T) + 8 + 15) / 16 * 16;
    return std::allocator<T>().allocate(n);
  }
  void deallocate(T* p, size_t n) {
    *bytes -= (n * sizeof(T) + 8 + 15) / 16 * 16;
    std::allocator<T>().deallocate(p, n);
  }
  template <typename U>
  bool operator==(const CountingAllocator<U>& other) const {
    return bytes == other.bytes;
  }

  uint64_t* bytes;
};

class BtreeExtentMap {
 public:
  BtreeExtentMap() : extents_(Allocator(&memory_bytes_)) {}
  BtreeExtentMap(const BtreeExtentMap&) = delete;
  BtreeExtentMap& operator=(const BtreeExtentMap&) = delete;

  PhysicalBlock Lookup(Lba lba) const {
    auto it = extents_.upper_bound(lba.value());
    if (it == extents_.begin()) return PhysicalBlock();
    --it;
    const uint64_t offset = lba.value() - it->first;
    return offset < it->second.count ? PhysicalBlock(it->second.physical + offset)
                                     : PhysicalBlock();
  }

  PhysicalBlock AssignBlock(Lba lba, PhysicalBlock physical) {
    const auto it = extents_.find(lba.value());
    if (it != extents_.end() && it->second.count == 1 && !Meets(it, physical)) {
      return PhysicalBlock(std::exchange(it->second.physical, physical.value()));
    }
    PhysicalBlock before;
    Assign({lba, BlockCount(1)}, physical,
           [&before](const Extent& displaced) { before = displaced.physical; });
    return before;
  }

  void Assign(LbaRange range, PhysicalBlock physical,
              ExtentMap::ExtentVisitor displaced) {
    uint64_t first = range.start.value(), end = range.end().value();
    auto it =
        extents_.upper_bound(first);  // becomes the first extent past what is displaced
    uint64_t to = physical.value();
    if (it != extents_.begin()) {
      const auto left = std::prev(it);
      const Value was = left->second;
      const uint64_t start = left->first, was_end = start + was.count;
      if (was_end > first) {
        displaced({range.start, PhysicalBlock(was.physical + (first - start)),
                   BlockCount(std::min(was_end, end) - first)});
        if (start == first && was_end <= end) {
          it = extents_.erase(left);
        } else if (start == first) {  // keeps its tail only
          it = extents_.erase(left);
          it = extents_.emplace_hint(it, end,
                                     Value{was.physical + (end - start), was_end - end});
        } else {
          left->second.count = first - start;
          if (was_end > end) {
            it = extents_.emplace_hint(
                it, end, Value{was.physical + (end - start), was_end - end});
          }
        }
      }
    }
    while (it != extents_.end() && it->first < end) {
      const Value was = it->second;
      const uint64_t start = it->first, was_end = start + was.count;
      displaced({Lba(start), PhysicalBlock(was.physical),
                 BlockCount(std::min(was_end, end) - start)});
      it = extents_.erase(it);
      if (was_end > end)
        it = extents_.emplace_hint(it, end,
                                   Value{was.physical + (end - start), was_end - end});
    }
    if (it != extents_.end() && it->first == end &&
        it->second.physical == to + (end - first)) {
      end += it->second.count;
      it = extents_.erase(it);
    }
    if (it != extents_.begin()) {
      const auto left = std::prev(it);
      if (left->first + left->second.count == first &&
          left->second.physical + left->second.count == to) {
        left->second.count += end - first;
        return;
      }
    }
    extents_.emplace_hint(it, first, Value{to, end - first});
  }

  uint64_t memory_bytes() const { return memory_bytes_; }

 private:
  struct Value {
    uint64_t physical;
    uint64_t count;
  };
  using Allocator = CountingAllocator<std::pair<const uint64_t, Value>>;
  using Extents = absl::btree_map<uint64_t, Value, std::less<uint64_t>, Allocator>;

  // Whether the block at `it`, moved to `physical`, would join a neighbour.
  bool Meets(Extents::iterator it, PhysicalBlock physical) {
    const auto next = std::next(it);
    if (next != extents_.end() && next->first == it->first + 1 &&
        next->second.physical == physical.value() + 1)
      return true;
    if (it == extents_.begin()) return false;
    const auto left = std::prev(it);
    return left->first + left->second.count == it->first &&
           left->second.physical + left->second.count == physical.value();
  }

  uint64_t memory_bytes_ = 0;
  Extents extents_;
};

}  // namespace gleaner
