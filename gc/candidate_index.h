// Which sealed segments have how many live blocks, oldest first: the index behind every victim
// policy. A candidate is a slot (its place in seal order) in a bucket (its live share).
//
//   CandidateIndex index(/*buckets=*/512, /*slots=*/4096);
//   index.Insert(slot, 17);
//   index.Move(slot, 17, 16);                   // one of its blocks became stale
//   uint32_t oldest = index.First(index.FirstBucket());
//
// Each bucket is a tree of 64-way bitmaps over the slots, so that a bucket yields its oldest
// member without a search. Words of one slot group lie together for all buckets: a move to the
// next bucket touches neighbouring words. Insert, Erase, Move and First take time in the
// number of levels, log64(slots), and mostly touch the lowest two. Memory: about
// slots x buckets / 8 bytes.
//
// Thread-compatible.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace gleaner {

class CandidateIndex {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // Buckets 0..buckets-1 (at least one) over slots 0..slots-1 (at least one).
  CandidateIndex(uint32_t buckets, uint32_t slots);

  uint32_t buckets() const { return buckets_; }
  uint32_t slots() const { return slots_; }

  // The slot must not be in the bucket.
  void Insert(uint32_t slot, uint32_t bucket) {
    size_t level = 0;
    uint32_t position = slot;
    for (;;) {
      uint64_t& word = WordAt(level, position >> 6, bucket);
      const uint64_t before = word;
      word |= uint64_t{1} << (position & 63);
      GLEANER_DCHECK(level > 0 || before != word);
      if (before != 0) return;
      if (++level == depth_) break;
      position >>= 6;
    }
    nonempty_[bucket >> 6] |= uint64_t{1} << (bucket & 63);
  }

  // The slot must be in the bucket.
  void Erase(uint32_t slot, uint32_t bucket) {
    size_t level = 0;
    uint32_t position = slot;
    for (;;) {
      uint64_t& word = WordAt(level, position >> 6, bucket);
      GLEANER_DCHECK(word >> (position & 63) & 1);
      word &= ~(uint64_t{1} << (position & 63));
      if (word != 0) return;
      if (++level == depth_) break;
      position >>= 6;
    }
    nonempty_[bucket >> 6] &= ~(uint64_t{1} << (bucket & 63));
  }

  // Starts loading what Move(slot, bucket, bucket - 1) will touch.
  void Prefetch(uint32_t slot, uint32_t bucket) const {
    __builtin_prefetch(&base_[0][size_t{slot >> 6} * buckets_ + bucket]);
  }

  void Move(uint32_t slot, uint32_t from, uint32_t to) {
    Erase(slot, from);
    Insert(slot, to);
  }

  // The lowest bucket that has a member, kNone if all are empty; and the next after `bucket`.
  uint32_t FirstBucket() const { return FindBucket(0); }
  uint32_t NextBucket(uint32_t bucket) const { return FindBucket(bucket + 1); }

  // The lowest slot of a bucket that has a member.
  uint32_t First(uint32_t bucket) const {
    uint32_t position = 0;
    for (size_t level = depth_; level-- > 0;) {
      const uint64_t word = WordAt(level, position, bucket);
      GLEANER_DCHECK(word != 0);
      position = position << 6 | static_cast<uint32_t>(std::countr_zero(word));
    }
    return position;
  }

  // Calls visit(slot) for the `at_most` (at least one) lowest slots of the bucket, in order.
  template <typename Visit>
  void ForEachLowest(uint32_t bucket, uint32_t at_most, Visit visit) const {
    uint64_t words[kMaxDepth];  // bits not yet followed, on the path from the top
    uint32_t groups[kMaxDepth];
    size_t level = depth_ - 1;
    words[level] = WordAt(level, 0, bucket);
    groups[level] = 0;
    for (;;) {
      while (words[level] == 0)
        if (++level == depth_) return;
      const uint32_t position =
          groups[level] << 6 | static_cast<uint32_t>(std::countr_zero(words[level]));
      words[level] &= words[level] - 1;
      if (level > 0) {
        --level;
        words[level] = WordAt(level, position, bucket);
        groups[level] = position;
      } else {
        visit(position);
        if (--at_most == 0) return;
      }
    }
  }

  // Removes everything and changes the number of slots.
  void Reset(uint32_t slots);

  uint64_t memory_bytes() const;

 private:
  static constexpr size_t kMaxDepth = 6;  // 64^6 slots are more than there can be

  uint64_t& WordAt(size_t level, uint32_t group, uint32_t bucket) {
    return base_[level][size_t{group} * buckets_ + bucket];
  }
  uint64_t WordAt(size_t level, uint32_t group, uint32_t bucket) const {
    return base_[level][size_t{group} * buckets_ + bucket];
  }
  uint32_t FindBucket(uint32_t from) const {
    for (uint32_t w = from >> 6; w < nonempty_.size(); ++w) {
      uint64_t word = nonempty_[w];
      if (w == from >> 6) word &= ~uint64_t{0} << (from & 63);
      if (word != 0) return w << 6 | static_cast<uint32_t>(std::countr_zero(word));
    }
    return kNone;
  }

  CandidateIndex(const CandidateIndex&) = delete;
  CandidateIndex& operator=(const CandidateIndex&) = delete;

  const uint32_t buckets_;
  uint32_t slots_ = 0;
  // levels_[0] has a bit per slot; a bit of level k + 1 says that a word of level k is not zero.
  // The highest level has one word per bucket.
  std::vector<std::vector<uint64_t>> levels_;
  // The same without the detour.
  uint64_t* base_[kMaxDepth] = {};
  size_t depth_ = 0;
  std::vector<uint64_t> nonempty_;  // a bit per bucket
};

}  // namespace gleaner
