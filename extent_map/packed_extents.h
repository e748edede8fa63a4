// A sorted array of disjoint extents in one heap block, each field as narrow as the
// extents allow: what the extent map keeps wherever extents are few.
//
//   PackedExtents<uint16_t> runs;                  // keys and counts of 16 bits
//   runs.Replace(10, 20, 700, [](const PackedRun& displaced) { ... });
//   runs.Replace(12, 13, kUnmapped, ...);          // now 10+2 at 700, 13+7 at 703
//   runs.At(1).physical;                           // 703
//   runs.Free();
//
// A plain handle of 13 bytes in 16, copied freely: its owner (a Leaf, a bucket of
// SparseExtents) keeps one current copy, and calls Free at last. Thread-compatible.
//
// Per extent: a key, 4 bytes of physical block (8 once one does not fit), and a count as
// wide as the key unless all counts are 1; and up to an eighth of slack. Search is
// binary; a change moves the extents behind it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "absl/types/span.h"
#include "base/check.h"
#include "base/types.h"

namespace gleaner {

// In place of a physical block: a hole.
inline constexpr uint64_t kUnmapped = PhysicalBlock::kInvalid;

// What malloc takes for a block of this size (glibc: a word beside it, multiples of 16).
constexpr uint64_t HeapBytes(uint64_t bytes) { return (bytes + 8 + 15) / 16 * 16; }

// One extent, keys relative to wherever the array's owner counts from.
struct PackedRun {
  uint64_t key = 0;
  uint64_t physical = kUnmapped;
  uint64_t count = 0;

  uint64_t end() const { return key + count; }
  bool Meets(const PackedRun& next) const {
    return end() == next.key && physical + count == next.physical;
  }
};

// What a handle is made of, for an owner that keeps it beside other things.
struct PackedHandle {
  uint8_t* data = nullptr;
  uint16_t size = 0;
  uint16_t capacity = 0;
  uint8_t form = 0;
};

template <typename KeyType>
class PackedExtents {
 public:
  // As many as a handle can count.
  static constexpr size_t kMaxSize = std::numeric_limits<uint16_t>::max();

  PackedExtents() = default;
  explicit PackedExtents(const PackedHandle& handle)
      : data_(handle.data),
        size_(handle.size),
        capacity_(handle.capacity),
        form_(handle.form) {}
  PackedHandle handle() const { return {data_, size_, capacity_, form_}; }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  PackedRun At(size_t i) const { return columns().At(i); }

  // The first extent that ends after `key`, or size(): the one that holds it, or the
  // next.
  size_t FirstEndingAfter(uint64_t key) const {
    const Columns c = columns();
    size_t low = 0;
    for (size_t n = size_; n > 0;) {
      const size_t half = (n + 1) / 2;
      low += c.Key(low + half - 1) <= key ? half : 0;
      n -= half;
    }
    // low: the first that starts after `key`
    return low > 0 && c.At(low - 1).end() > key ? low - 1 : low;
  }

  // Maps keys [first, end) to `physical` and what follows it, or unmaps them, and calls
  // displaced(PackedRun) for what stood there, in order. `first` < `end`.
  template <typename Displaced>
  void Replace(uint64_t first, uint64_t end, uint64_t physical, Displaced&& displaced);

  // Puts `added` (sorted, disjoint, in their place) in place of `removed` extents from
  // `at` on.
  void Splice(size_t at, size_t removed, absl::Span<const PackedRun> added);

  // Frees the memory, and is empty.
  void Free() {
    std::free(data_);
    *this = PackedExtents();
  }

  uint64_t memory_bytes() const {
    return data_ == nullptr ? 0 : HeapBytes(capacity_ * RunBytes(form_));
  }

 private:
  // The form says which columns there are; the block holds first the physical blocks,
  // then the keys, then the counts, capacity_ of each.
  static constexpr uint8_t kWide = 1;    // physical blocks of 8 bytes, not 4
  static constexpr uint8_t kCounts = 2;  // a column of counts; without it all are 1

  static uint8_t FormOf(const PackedRun& run) {
    return (run.physical > std::numeric_limits<uint32_t>::max() ? kWide : 0) |
           (run.count > 1 ? kCounts : 0);
  }
  static constexpr size_t RunBytes(uint8_t form) {
    return ((form & kWide) ? 8 : 4) + sizeof(KeyType) +
           ((form & kCounts) ? sizeof(KeyType) : 0);
  }

  // Where the columns stand: a local copy of that, which writes to them leave alone.
  // memcpy, because they follow each other without padding.
  struct Columns {
    uint8_t* physicals;
    uint8_t* keys;
    uint8_t* counts;
    uint8_t form;

    uint64_t Key(size_t i) const { return Load<KeyType>(keys, i); }
    PackedRun At(size_t i) const {
      return {
          Key(i),
          (form & kWide) ? Load<uint64_t>(physicals, i) : Load<uint32_t>(physicals, i),
          (form & kCounts) ? Load<KeyType>(counts, i) : 1};
    }
    void Set(size_t i, const PackedRun& run) const {
      if (form & kWide) {
        Store<uint64_t>(physicals, i, run.physical);
      } else {
        Store<uint32_t>(physicals, i, run.physical);
      }
      Store<KeyType>(keys, i, run.key);
      if (form & kCounts) Store<KeyType>(counts, i, run.count);
    }
  };
  Columns columns() const {
    uint8_t* const keys = data_ + capacity_ * ((form_ & kWide) ? size_t{8} : size_t{4});
    return {data_, keys, keys + capacity_ * sizeof(KeyType), form_};
  }
  template <typename T>
  static uint64_t Load(const uint8_t* column, size_t i) {
    T value;
    std::memcpy(&value, column + i * sizeof(value), sizeof(value));
    return value;
  }
  template <typename T>
  static void Store(uint8_t* column, size_t i, uint64_t value) {
    const T narrow = static_cast<T>(value);
    std::memcpy(column + i * sizeof(narrow), &narrow, sizeof(narrow));
  }

  // Moves the extents from `from` on to `to`, within the block.
  void Shift(size_t from, size_t to) {
    const auto shift = [&](uint8_t* column, size_t width) {
      std::memmove(column + to * width, column + from * width, (size_ - from) * width);
    };
    const Columns c = columns();
    shift(c.physicals, (form_ & kWide) ? 8 : 4);
    shift(c.keys, sizeof(KeyType));
    if (form_ & kCounts) shift(c.counts, sizeof(KeyType));
  }

  // What sequential writing does, in place: where `run` continues the extent before `at`
  // and takes the head of that at `at`, moves the boundary between the two. Returns
  // whether it did.
  template <typename Displaced>
  bool WritesOn(size_t at, const PackedRun& run, Displaced&& displaced);

  // Splice into a new heap block of fitting size and form.
  void Rebuild(size_t at, size_t removed, absl::Span<const PackedRun> added);

  uint8_t* data_ = nullptr;
  uint16_t size_ = 0;
  uint16_t capacity_ = 0;
  uint8_t form_ = 0;
};

template <typename KeyType>
template <typename Displaced>
void PackedExtents<KeyType>::Replace(uint64_t first, uint64_t end, uint64_t physical,
                                     Displaced&& displaced) {
  const size_t begin = FirstEndingAfter(first);
  if (physical != kUnmapped && WritesOn(begin, {first, physical, end - first}, displaced))
    return;
  const Columns c = columns();
  size_t at = begin;
  PackedRun left, right;  // what is left of extents that reach beyond
  for (; at < size_; ++at) {
    if (c.Key(at) >= end) break;
    const PackedRun run = c.At(at);
    if (run.key < first) left = {run.key, run.physical, first - run.key};
    if (run.end() > end) right = {end, run.physical + (end - run.key), run.end() - end};
    const uint64_t from = std::max(run.key, first);
    displaced(PackedRun{from, run.physical + (from - run.key),
                        std::min(run.end(), end) - from});
  }
  size_t removed_from = begin, removed_to = at;
  PackedRun added[3];
  size_t n = 0;
  if (left.count != 0) added[n++] = left;
  if (physical != kUnmapped) {
    PackedRun run{first, physical, end - first};
    if (left.count == 0 && begin > 0 && c.At(begin - 1).Meets(run)) {
      added[n++] = c.At(--removed_from);
    }
    if (right.count == 0 && at < size_ && run.Meets(c.At(at))) right = c.At(removed_to++);
    if (n > 0 && added[n - 1].Meets(run)) {
      added[n - 1].count += run.count;
    } else {
      added[n++] = run;
    }
  }
  if (right.count != 0) {
    if (n > 0 && added[n - 1].Meets(right)) {
      added[n - 1].count += right.count;
    } else {
      added[n++] = right;
    }
  }
  Splice(removed_from, removed_to - removed_from, {added, n});
}

template <typename KeyType>
template <typename Displaced>
bool PackedExtents<KeyType>::WritesOn(size_t at, const PackedRun& run,
                                      Displaced&& displaced) {
  const Columns c = columns();
  if (at == 0 || at == size_ || c.Key(at) != run.key) return false;
  PackedRun before = c.At(at - 1), after = c.At(at);
  if (!before.Meets(run) || after.count <= run.count) return false;
  const PackedRun head{after.key, after.physical, run.count};
  before.count += run.count;
  after = {run.end(), after.physical + run.count, after.count - run.count};
  if (before.Meets(after) || ((FormOf(before) | FormOf(after)) & ~form_) != 0)
    return false;
  displaced(head);
  c.Set(at - 1, before);
  c.Set(at, after);
  return true;
}

template <typename KeyType>
void PackedExtents<KeyType>::Splice(size_t at, size_t removed,
                                    absl::Span<const PackedRun> added) {
  const size_t size = size_ - removed + added.size();
  uint8_t needed = 0;
  for (const PackedRun& run : added) needed |= FormOf(run);
  if (size > capacity_ || size < capacity_ / 2 || (needed & ~form_) != 0) {
    Rebuild(at, removed, added);
    return;
  }
  if (added.size() != removed) Shift(at + removed, at + added.size());
  for (size_t i = 0; i < added.size(); ++i) columns().Set(at + i, added[i]);
  size_ = static_cast<uint16_t>(size);
}

template <typename KeyType>
void PackedExtents<KeyType>::Rebuild(size_t at, size_t removed,
                                     absl::Span<const PackedRun> added) {
  const size_t size = size_ - removed + added.size();
  GLEANER_CHECK(size <= kMaxSize);
  const Columns from = columns();
  PackedExtents rebuilt;
  for (const PackedRun& run : added) rebuilt.form_ |= FormOf(run);
  for (size_t i = 0; i < size_; ++i)
    if (i < at || i >= at + removed) rebuilt.form_ |= FormOf(from.At(i));
  if (size > 0) {
    // An eighth more than now, so that an extent moves about eight times as its array
    // grows.
    rebuilt.capacity_ = static_cast<uint16_t>(std::min(size + size / 8 + 1, kMaxSize));
    rebuilt.size_ = static_cast<uint16_t>(size);
    const size_t bytes = rebuilt.capacity_ * RunBytes(rebuilt.form_);
    rebuilt.data_ = static_cast<uint8_t*>(std::malloc(bytes));
    GLEANER_CHECK(rebuilt.data_ != nullptr);
    const Columns to = rebuilt.columns();
    for (size_t i = 0; i < at; ++i) to.Set(i, from.At(i));
    for (size_t i = 0; i < added.size(); ++i) to.Set(at + i, added[i]);
    for (size_t i = at + removed; i < size_; ++i)
      to.Set(i - removed + added.size(), from.At(i));
  }
  Free();
  *this = rebuilt;
}

}  // namespace gleaner
