#include "gc/segment_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace gleaner {
namespace {

// Half as many slots again as segments: room for `segments / 2` seals between renumberings.
uint32_t SlotsFor(uint32_t segments) { return std::max(64u, segments + segments / 2); }

uint64_t BucketMultiplier(uint32_t capacity) {
  const uint64_t buckets = std::min(capacity, SegmentTable::kMaxBuckets);
  return (buckets << 32) / capacity;
}

}  // namespace

absl::string_view SegmentStateName(SegmentState state) {
  switch (state) {
    case SegmentState::kFree:
      return "free";
    case SegmentState::kOpen:
      return "open";
    case SegmentState::kSealed:
      return "sealed";
    case SegmentState::kCleaning:
      return "cleaning";
    case SegmentState::kReleased:
      return "released";
    case SegmentState::kRetired:
      return "retired";
  }
  return "unknown";
}

SegmentTable::SegmentTable(const Options& options)
    : capacity_(options.capacity_blocks),
      track_modified_(options.track_modified),
      bucket_multiplier_(BucketMultiplier(options.capacity_blocks)),
      index_(std::min(options.capacity_blocks, kMaxBuckets), SlotsFor(options.segments)),
      slot_segment_(index_.slots()) {
  Grow(options.segments);
}

void SegmentTable::Grow(uint32_t segments) {
  for (uint32_t i = 0; i < segments; ++i) {
    free_.push_back(SegmentId(static_cast<uint32_t>(entries_.size())));
    entries_.emplace_back();
  }
}

absl::StatusOr<SegmentId> SegmentTable::Open(ClassId log_class) {
  if (free_.empty()) {
    return absl::ResourceExhaustedError(absl::StrCat("no free segment: ", entries_.size(),
                                                     " in all, ", released_.size(),
                                                     " released but not yet reusable"));
  }
  const SegmentId id = free_.front();
  free_.pop_front();
  Entry& e = entries_[id.value()];
  GLEANER_CHECK(e.state == SegmentState::kFree && e.live == 0);
  e = Entry();
  e.state = SegmentState::kOpen;
  e.log_class = log_class;
  return id;
}

void SegmentTable::Seal(SegmentId id, uint64_t now_blocks) {
  Entry& e = entries_[id.value()];
  GLEANER_CHECK(e.state == SegmentState::kOpen);
  if (next_slot_ == index_.slots()) Renumber();
  e.slot = next_slot_++;
  slot_segment_[e.slot] = id;
  e.state = SegmentState::kSealed;
  e.sealed_at = now_blocks;
  AddCandidate(id);
}

void SegmentTable::AddCandidate(SegmentId id) {
  Entry& e = entries_[id.value()];
  sealed_stale_blocks_ += e.written - e.live;
  if (e.pinned) return;
  if (e.live == 0) {
    LeaveSealed(e);
    EnqueueReleased(id);
    return;
  }
  reclaimable_blocks_ += capacity_ - e.live;
  e.candidate = static_cast<uint32_t>(candidates_.size());
  candidates_.push_back(id);
  index_.Insert(e.slot, BucketOf(e.live));
  oldest_slot_ = std::min(oldest_slot_, e.slot);
  oldest_modified_at_ = std::min(oldest_modified_at_, e.modified_at);
}

void SegmentTable::RemoveCandidate(SegmentId id, uint32_t bucket_live) {
  Entry& e = entries_[id.value()];
  reclaimable_blocks_ -= capacity_ - e.live;
  index_.Erase(e.slot, BucketOf(bucket_live));
  const SegmentId last = candidates_.back();
  candidates_[e.candidate] = last;
  entries_[last.value()].candidate = e.candidate;
  candidates_.pop_back();
}

void SegmentTable::LeaveSealed(const Entry& e) {
  sealed_stale_blocks_ -= e.written - e.live;
}

void SegmentTable::ReleaseEmpty(SegmentId id, uint32_t bucket_live) {
  RemoveCandidate(id, bucket_live);
  LeaveSealed(entries_[id.value()]);
  EnqueueReleased(id);
}

void SegmentTable::StartCleaning(SegmentId id) {
  Entry& e = entries_[id.value()];
  GLEANER_CHECK(is_candidate(e));
  RemoveCandidate(id, e.live);
  LeaveSealed(e);
  e.state = SegmentState::kCleaning;
}

void SegmentTable::AbortCleaning(SegmentId id) {
  Entry& e = entries_[id.value()];
  GLEANER_CHECK(e.state == SegmentState::kCleaning);
  e.state = SegmentState::kSealed;
  AddCandidate(id);
}

void SegmentTable::Release(SegmentId id) {
  const Entry& e = entries_[id.value()];
  GLEANER_CHECK(e.state == SegmentState::kCleaning && e.live == 0);
  EnqueueReleased(id);
}

void SegmentTable::EnqueueReleased(SegmentId id) {
  Entry& e = entries_[id.value()];
  e.state = SegmentState::kReleased;
  written_blocks_ -= e.written;
  released_.push_back(id);
  ++release_count_;
}

void SegmentTable::FreeReleased(uint64_t up_to) {
  GLEANER_CHECK(up_to <= release_count_);
  while (release_count_ - released_.size() < up_to) {
    const SegmentId id = released_.front();
    released_.pop_front();
    // A segment that was retired while it waited keeps its place in the numbering only.
    if (entries_[id.value()].state != SegmentState::kReleased) {
      --retired_in_released_;
      continue;
    }
    entries_[id.value()].state = SegmentState::kFree;
    free_.push_back(id);
  }
}

void SegmentTable::Retire(SegmentId id) {
  Entry& e = entries_[id.value()];
  GLEANER_CHECK(e.live == 0);
  if (e.state == SegmentState::kFree)
    free_.erase(std::find(free_.begin(), free_.end(), id));
  // Sealed with nothing live happens only to a pinned segment.
  if (e.state == SegmentState::kSealed) LeaveSealed(e);
  if (e.state == SegmentState::kReleased) {
    ++retired_in_released_;
  } else if (e.state != SegmentState::kFree) {
    written_blocks_ -= e.written;
  }
  e.written = 0;
  e.state = SegmentState::kRetired;
}

void SegmentTable::Pin(SegmentId id) {
  Entry& e = entries_[id.value()];
  if (is_candidate(e)) RemoveCandidate(id, e.live);
  e.pinned = true;
}

void SegmentTable::Unpin(SegmentId id) {
  Entry& e = entries_[id.value()];
  if (!e.pinned) return;
  e.pinned = false;
  if (e.state != SegmentState::kSealed) return;
  LeaveSealed(e);  // AddCandidate counts it again
  AddCandidate(id);
}

SegmentInfo SegmentTable::info(SegmentId id) const {
  const Entry& e = entries_[id.value()];
  return {.state = e.state,
          .log_class = e.log_class,
          .pinned = e.pinned,
          .live_blocks = e.live,
          .written_blocks = e.written,
          .sealed_at_blocks = e.sealed_at,
          .modified_at_blocks = e.modified_at};
}

SegmentId SegmentTable::OldestCandidate() const {
  for (; oldest_slot_ < next_slot_; ++oldest_slot_) {
    const SegmentId id = slot_segment_[oldest_slot_];
    const Entry& e = entries_[id.value()];
    if (e.slot == oldest_slot_ && is_candidate(e)) return id;
  }
  return SegmentId();
}

void SegmentTable::Renumber() {
  std::vector<SegmentId> in_order;
  for (uint32_t slot = 0; slot < next_slot_; ++slot) {
    const Entry& e = entries_[slot_segment_[slot].value()];
    const bool holds_slot =
        e.state == SegmentState::kSealed || e.state == SegmentState::kCleaning;
    if (holds_slot && e.slot == slot) in_order.push_back(slot_segment_[slot]);
  }
  index_.Reset(SlotsFor(segments()));
  slot_segment_.assign(index_.slots(), SegmentId());
  next_slot_ = 0;
  oldest_slot_ = 0;
  oldest_modified_at_ = std::numeric_limits<double>::infinity();
  for (const SegmentId id : in_order) {
    Entry& e = entries_[id.value()];
    e.slot = next_slot_++;
    slot_segment_[e.slot] = id;
    if (!is_candidate(e)) continue;
    index_.Insert(e.slot, BucketOf(e.live));
    oldest_modified_at_ = std::min(oldest_modified_at_, e.modified_at);
  }
}

uint64_t SegmentTable::memory_bytes() const {
  return entries_.capacity() * sizeof(Entry) + index_.memory_bytes() +
         (candidates_.capacity() + slot_segment_.capacity() + free_.size() +
          released_.size()) *
             sizeof(SegmentId);
}

}  // namespace gleaner
