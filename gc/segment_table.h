// The state of every segment, and the only place that changes it.
//
//            Open            Seal             StartCleaning            Release
//     free ---------> open ---------> sealed ---------------> cleaning ---------> released
//      ^                                |  ^                     |                    |
//      |                                |  +---- AbortCleaning --+                    |
//      |                                +-------- (nothing live left) -------------->-+
//      +------------------------------- FreeReleased (durable commit) ---------------+
//
// Any state -> retired (a zone went offline); a pinned segment keeps its state but is no
// candidate. A released segment holds nothing live in memory, yet recovery might still look
// for blocks in it: it becomes free only when the mappings that left it are committed, which
// the caller says with FreeReleased.
//
//   SegmentTable table({.segments = 1024, .capacity_blocks = 512});
//   GLEANER_ASSIGN_OR_RETURN(SegmentId s, table.Open(ClassId(0)));
//   table.OnWritten(s, 512, now); table.OnLive(s, 512);
//   table.Seal(s, now);
//   table.OnStale(s, 1, now);          // a user overwrote one of its blocks
//
// Selection is incremental: sealed segments sit in at most 512 buckets by live blocks, in seal
// order within each. Time is user blocks written since the beginning, called now_blocks.
// Every call takes constant time, apart from Seal, which renumbers its slots once in
// `segments / 2` calls. Memory: about 60 bytes per segment plus 1.5 bits x buckets.
//
// Thread-compatible.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/check.h"
#include "base/random.h"
#include "base/types.h"
#include "gc/candidate_index.h"

namespace gleaner {

enum class SegmentState : uint8_t {
  kFree,
  kOpen,
  kSealed,
  kCleaning,
  kReleased,
  kRetired
};
absl::string_view SegmentStateName(SegmentState state);

// What is known of one segment.
struct SegmentInfo {
  SegmentState state = SegmentState::kFree;
  ClassId log_class;            // of the log that filled it
  bool pinned = false;          // never a victim
  uint32_t live_blocks = 0;     // blocks that the map points to
  uint32_t written_blocks = 0;  // appended or reserved so far, live or not
  uint64_t sealed_at_blocks = 0;
  // Mean time of its blocks' last changes, inherited on relocation, and moved towards the
  // present by each block that becomes stale (F2FS's section mtime). Zero unless tracked.
  double modified_at_blocks = 0;
};

class SegmentTable {
 public:
  static constexpr uint32_t kMaxBuckets = 512;

  struct Options {
    // Segments 0..segments-1, all free at first.
    uint32_t segments = 0;
    // Blocks of data in each; on a zoned device the zone's capacity less what a store keeps
    // for itself.
    uint32_t capacity_blocks = 0;
    // Keeps modified_at_blocks, at some nanoseconds a block.
    bool track_modified = false;
  };

  explicit SegmentTable(const Options& options);

  // -- Life of a segment ----------------------------------------------------------------------

  // Takes the segment that has been free longest. ResourceExhausted: none is free.
  absl::StatusOr<SegmentId> Open(ClassId log_class);
  // open -> sealed, full or not. With nothing live: released at once.
  void Seal(SegmentId id, uint64_t now_blocks);
  // sealed -> cleaning; no longer a candidate.
  void StartCleaning(SegmentId id);
  // cleaning -> sealed, at its old place in seal order (released where nothing is live).
  void AbortCleaning(SegmentId id);
  // cleaning -> released; nothing may be live.
  void Release(SegmentId id);
  // Released segments become free, in the order of their release, as far as release number
  // `up_to` (a value that release_count() had when the commit began).
  void FreeReleased(uint64_t up_to);
  // any -> retired, for good. Nothing may be live.
  void Retire(SegmentId id);
  void Pin(SegmentId id);
  void Unpin(SegmentId id);
  // Adds free segments at the end.
  void Grow(uint32_t segments);

  // -- Counts ---------------------------------------------------------------------------------

  // `n` blocks were appended to, or reserved in, an open segment; `modified_at_blocks` is their
  // mean time of change.
  void OnWritten(SegmentId id, uint32_t n, double modified_at_blocks) {
    Entry& e = entries_[id.value()];
    GLEANER_DCHECK(e.state == SegmentState::kOpen && e.written + n <= capacity_);
    if (track_modified_)
      e.modified_at += (modified_at_blocks - e.modified_at) * n / (e.written + n);
    e.written += n;
    written_blocks_ += n;
  }
  // `n` of the blocks reserved in an open segment were never used. Their share of the mean time
  // of change stays.
  void OnUnwritten(SegmentId id, uint32_t n) {
    Entry& e = entries_[id.value()];
    GLEANER_DCHECK(e.state == SegmentState::kOpen && e.written - e.live >= n);
    e.written -= n;
    written_blocks_ -= n;
  }
  // `n` blocks of it are live from now on.
  void OnLive(SegmentId id, uint32_t n) {
    Entry& e = entries_[id.value()];
    GLEANER_DCHECK(e.live + n <= e.written);
    e.live += n;
    live_blocks_ += n;
  }
  // `n` of its live blocks became stale: overwritten, trimmed or moved away.
  void OnStale(SegmentId id, uint32_t n, uint64_t now_blocks) {
    Entry& e = entries_[id.value()];
    GLEANER_DCHECK(e.live >= n);
    if (track_modified_)
      e.modified_at +=
          (static_cast<double>(now_blocks) - e.modified_at) * n / (e.live + n);
    const uint32_t before = e.live;
    e.live -= n;
    live_blocks_ -= n;
    if (e.state != SegmentState::kSealed) return;
    sealed_stale_blocks_ += n;
    if (e.pinned) return;
    reclaimable_blocks_ += n;
    if (e.live == 0) return ReleaseEmpty(id, before);
    const uint32_t from = BucketOf(before);
    const uint32_t to = BucketOf(e.live);
    if (from != to) index_.Move(e.slot, from, to);
  }
  // Start loading what OnStale will touch: the segment's entry, and, once that is there, its place
  // in the candidate index.
  void Prefetch(SegmentId id) const { __builtin_prefetch(&entries_[id.value()]); }
  void PrefetchIndex(SegmentId id) const {
    const Entry& e = entries_[id.value()];
    if (e.state == SegmentState::kSealed && e.live > 0)
      index_.Prefetch(e.slot, BucketOf(e.live));
  }

  SegmentInfo info(SegmentId id) const;
  uint32_t segments() const { return static_cast<uint32_t>(entries_.size()); }
  uint32_t capacity_blocks() const { return capacity_; }
  uint32_t free_segments() const { return static_cast<uint32_t>(free_.size()); }
  uint32_t released_segments() const {
    return static_cast<uint32_t>(released_.size()) - retired_in_released_;
  }
  uint32_t remaining_blocks(SegmentId id) const {
    return capacity_ - entries_[id.value()].written;
  }
  // Segments whose release has a number below `before` and that are still released, in its order.
  template <typename Visit>
  void ForEachReleased(uint64_t before, Visit visit) const {
    uint64_t number = release_count_ - released_.size();
    for (const SegmentId id : released_) {
      if (number++ == before) break;
      if (entries_[id.value()].state == SegmentState::kReleased) visit(id);
    }
  }
  // Number of releases since the beginning; the next released segment has this number.
  uint64_t release_count() const { return release_count_; }
  // Live blocks, and blocks written into segments that are neither free nor released.
  uint64_t live_blocks() const { return live_blocks_; }
  uint64_t written_blocks() const { return written_blocks_; }
  // Written but not live, in sealed segments.
  uint64_t sealed_stale_blocks() const { return sealed_stale_blocks_; }
  // What cleaning every candidate would win: capacity less live.
  uint64_t reclaimable_blocks() const { return reclaimable_blocks_; }
  uint64_t memory_bytes() const;

  // -- Candidates: sealed, unpinned, something live -------------------------------------------

  uint32_t candidate_count() const { return static_cast<uint32_t>(candidates_.size()); }
  bool IsCandidate(SegmentId id) const { return is_candidate(entries_[id.value()]); }
  // The i-th in no particular, but reproducible order.
  SegmentId candidate(uint32_t i) const { return candidates_[i]; }
  // The one that was sealed first; invalid if there is none.
  SegmentId OldestCandidate() const;
  // Calls visit(id) for up to `at_most` candidates of each bucket, oldest first, buckets by
  // rising live blocks; stops where may_win(live) is false, `live` being the least that the
  // candidates still to come have.
  template <typename MayWin, typename Visit>
  void ForEachBucketOldest(uint32_t at_most, MayWin may_win, Visit visit) const {
    for (uint32_t b = index_.FirstBucket();
         b != CandidateIndex::kNone && may_win(LeastLive(b)); b = index_.NextBucket(b)) {
      index_.ForEachLowest(b, at_most,
                           [&](uint32_t slot) { visit(slot_segment_[slot]); });
    }
  }
  // The oldest of those in the lowest bucket of live blocks; invalid if there is none.
  SegmentId FewestLiveCandidate() const {
    const uint32_t bucket = index_.FirstBucket();
    if (bucket == CandidateIndex::kNone) return SegmentId();
    return slot_segment_[index_.First(bucket)];
  }
  // No candidate's modified_at is below this; the bound is not tight.
  double oldest_modified_at() const { return oldest_modified_at_; }
  // Cheap access for policies.
  uint32_t live_blocks_of(SegmentId id) const { return entries_[id.value()].live; }
  uint64_t sealed_at_of(SegmentId id) const { return entries_[id.value()].sealed_at; }
  double modified_at_of(SegmentId id) const { return entries_[id.value()].modified_at; }
  // Place in seal order: of two candidates the one sealed first has the lower rank.
  uint32_t seal_rank_of(SegmentId id) const { return entries_[id.value()].slot; }

 private:
  struct Entry {
    uint32_t live = 0;
    uint32_t written = 0;
    uint32_t slot = 0;       // place in seal order, valid while sealed or cleaning
    uint32_t candidate = 0;  // index in candidates_, valid while a candidate
    uint64_t sealed_at = 0;
    double modified_at = 0;
    SegmentState state = SegmentState::kFree;
    ClassId log_class;
    bool pinned = false;
  };

  // 1..capacity live blocks -> 0..buckets-1, monotone; the identity less one up to 512 blocks.
  uint32_t BucketOf(uint32_t live) const {
    return static_cast<uint32_t>((live - 1) * bucket_multiplier_ >> 32);
  }
  // What each segment in the bucket has at least.
  uint32_t LeastLive(uint32_t bucket) const {
    return 1 + static_cast<uint32_t>(uint64_t{bucket} * capacity_ / index_.buckets());
  }
  bool is_candidate(const Entry& e) const {
    return e.state == SegmentState::kSealed && !e.pinned && e.live > 0;
  }
  void AddCandidate(SegmentId id);
  void RemoveCandidate(SegmentId id, uint32_t bucket_live);
  // A sealed one, in the bucket of `bucket_live`, whose last live block just became stale.
  void ReleaseEmpty(SegmentId id, uint32_t bucket_live);
  void EnqueueReleased(SegmentId id);
  void LeaveSealed(const Entry& e);
  void Renumber();

  const uint32_t capacity_;
  const bool track_modified_;
  const uint64_t bucket_multiplier_;
  std::vector<Entry> entries_;
  std::deque<SegmentId> free_;
  std::deque<SegmentId>
      released_;  // in order of release; the last has number release_count_ - 1
  uint32_t retired_in_released_ = 0;  // of them
  uint64_t release_count_ = 0;
  uint64_t live_blocks_ = 0;
  uint64_t written_blocks_ = 0;
  uint64_t sealed_stale_blocks_ = 0;
  uint64_t reclaimable_blocks_ = 0;

  CandidateIndex index_;
  std::vector<SegmentId> candidates_;
  std::vector<SegmentId> slot_segment_;  // who holds or held the slot
  uint32_t next_slot_ = 0;
  mutable uint32_t oldest_slot_ = 0;  // no candidate sits below
  double oldest_modified_at_ = std::numeric_limits<double>::infinity();
};

}  // namespace gleaner
