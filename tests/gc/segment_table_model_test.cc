// The segment table in lock step with a naive one that looks at every segment for every answer.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/types.h"
#include "gc/segment_table.h"

namespace gleaner {
namespace {

using State = SegmentState;

struct NaiveSegment {
  State state = State::kFree;
  bool pinned = false;
  uint32_t live = 0;
  uint32_t written = 0;
  uint64_t sealed_at = 0;
  uint64_t seal_number = 0;
};

// Random calls, each one allowed in the state that its segment is in.
class Lockstep {
 public:
  Lockstep(uint64_t seed, uint32_t segments, uint32_t capacity_blocks)
      : random_(seed),
        capacity_(capacity_blocks),
        table_({.segments = segments, .capacity_blocks = capacity_blocks}) {
    Grow(segments);
  }

  void Operate() {
    now_blocks_ += random_.Below(3);
    const auto id = static_cast<uint32_t>(random_.Below(naive_.size()));
    switch (random_.Below(64)) {
      case 0:
        return SetPinned(id);
      case 1:
        // One in a while: retired segments are gone for good.
        return random_.Below(200) == 0 ? Retire(id) : void();
      case 2:
        return naive_.size() < 300 && random_.Below(200) == 0 ? GrowBoth() : void();
      case 3:
      case 4:
        return FreeReleased();
      case 5:
      case 6:
      case 7:
        return Open();
      default:
        return MoveOn(id);
    }
  }

  // What the table says otherwise than the naive one; empty if nothing.
  std::string Difference() const {
    uint64_t live = 0, written = 0, stale = 0, reclaimable = 0;
    uint32_t candidates = 0;
    for (uint32_t i = 0; i < naive_.size(); ++i) {
      const NaiveSegment& n = naive_[i];
      const SegmentId id(i);
      const SegmentInfo info = table_.info(id);
      if (std::tie(info.state, info.live_blocks, info.sealed_at_blocks) !=
          std::tie(n.state, n.live, n.sealed_at))
        return absl::StrCat("segment ", i, " is ", SegmentStateName(info.state), ", not ",
                            SegmentStateName(n.state));
      if (table_.IsCandidate(id) != IsCandidate(n)) return absl::StrCat("candidate ", i);
      live += n.live;
      if (n.state != State::kFree && n.state != State::kReleased) written += n.written;
      if (n.state == State::kSealed) stale += n.written - n.live;
      if (IsCandidate(n)) {
        ++candidates;
        reclaimable += capacity_ - n.live;
      }
    }
    if (table_.live_blocks() != live) return "live_blocks";
    if (table_.written_blocks() != written) return "written_blocks";
    if (table_.sealed_stale_blocks() != stale) return "sealed_stale_blocks";
    if (table_.reclaimable_blocks() != reclaimable) return "reclaimable_blocks";
    if (table_.candidate_count() != candidates) return "candidate_count";
    if (table_.free_segments() != free_.size()) return "free_segments";
    if (table_.release_count() != release_count_) return "release_count";
    return SelectionDifference();
  }

 private:
  static bool IsCandidate(const NaiveSegment& n) {
    return n.state == State::kSealed && !n.pinned && n.live > 0;
  }

  // Buckets as the header defines them: 1..capacity in at most 512 steps.
  uint64_t BucketOf(const NaiveSegment& n) const {
    const uint64_t buckets = std::min<uint64_t>(capacity_, SegmentTable::kMaxBuckets);
    return (n.live - 1) * ((buckets << 32) / capacity_) >> 32;
  }

  std::string SelectionDifference() const {
    std::vector<std::tuple<uint64_t, uint64_t, SegmentId>> ordered;  // bucket, seal
    SegmentId oldest;
    for (uint32_t i = 0; i < naive_.size(); ++i) {
      const NaiveSegment& n = naive_[i];
      if (!IsCandidate(n)) continue;
      ordered.emplace_back(BucketOf(n), n.seal_number, SegmentId(i));
      if (!oldest.valid() || n.seal_number < naive_[oldest.value()].seal_number)
        oldest = SegmentId(i);
    }
    std::sort(ordered.begin(), ordered.end());
    if (table_.OldestCandidate() != oldest) return "OldestCandidate";
    const SegmentId fewest = ordered.empty() ? SegmentId() : std::get<2>(ordered[0]);
    if (table_.FewestLiveCandidate() != fewest) return "FewestLiveCandidate";
    std::vector<SegmentId> all, visited;
    for (const auto& [bucket, seal, id] : ordered) all.push_back(id);
    bool least_holds = true;
    const auto may_win = [&](uint32_t least_live) {
      const SegmentId next =
          all[visited.size()];  // the first of the bucket with the fewest
      return least_holds = least_holds && naive_[next.value()].live >= least_live;
    };
    table_.ForEachBucketOldest(UINT32_MAX, may_win,
                               [&](SegmentId id) { visited.push_back(id); });
    if (visited != all || !least_holds) return "ForEachBucketOldest";
    std::vector<SegmentId> released;
    table_.ForEachReleased(table_.release_count(),
                           [&](SegmentId id) { released.push_back(id); });
    std::vector<SegmentId> naive_released;
    for (const uint32_t i : released_)
      if (naive_[i].state == State::kReleased) naive_released.push_back(SegmentId(i));
    if (released != naive_released) return "ForEachReleased";
    if (table_.released_segments() != released.size()) return "released_segments";
    return "";
  }

  void Grow(uint32_t segments) {
    for (uint32_t i = 0; i < segments; ++i) {
      free_.push_back(static_cast<uint32_t>(naive_.size()));
      naive_.emplace_back();
    }
  }

  void GrowBoth() {
    table_.Grow(5);
    Grow(5);
  }

  void Open() {
    const absl::StatusOr<SegmentId> id = table_.Open(ClassId(0));
    ASSERT_EQ(id.ok(), !free_.empty());
    if (!id.ok()) return;
    ASSERT_EQ(id->value(), free_.front());
    free_.pop_front();
    naive_[id->value()] = {.state = State::kOpen};
  }

  void SetPinned(uint32_t i) {
    NaiveSegment& n = naive_[i];
    if (n.state == State::kFree || n.state == State::kReleased ||
        n.state == State::kRetired)
      return;
    if (!n.pinned) {
      n.pinned = true;
      return table_.Pin(SegmentId(i));
    }
    n.pinned = false;
    table_.Unpin(SegmentId(i));
    ReleaseIfEmpty(i);
  }

  void Retire(uint32_t i) {
    NaiveSegment& n = naive_[i];
    if (n.live > 0) return;
    if (n.state == State::kFree) free_.erase(std::find(free_.begin(), free_.end(), i));
    n.state = State::kRetired;
    n.written = 0;
    table_.Retire(SegmentId(i));
  }

  void FreeReleased() {
    const uint64_t freed = release_count_ - released_.size();
    const uint64_t up_to = freed + random_.Below(released_.size() + 1);
    table_.FreeReleased(up_to);
    for (uint64_t number = freed; number < up_to; ++number) {
      const uint32_t i = released_.front();
      released_.pop_front();
      if (naive_[i].state != State::kReleased) continue;
      naive_[i].state = State::kFree;
      free_.push_back(i);
    }
  }

  void Enqueue(uint32_t i) {
    naive_[i].state = State::kReleased;
    released_.push_back(i);
    ++release_count_;
  }
  void ReleaseIfEmpty(uint32_t i) {
    const NaiveSegment& n = naive_[i];
    if (n.state == State::kSealed && n.live == 0 && !n.pinned) Enqueue(i);
  }

  // What the segment's state allows: the usual life.
  void MoveOn(uint32_t i) {
    NaiveSegment& n = naive_[i];
    const SegmentId id(i);
    if (n.live > 0 && random_.Below(2) == 0) {
      const auto stale = static_cast<uint32_t>(1 + random_.Below(n.live));
      n.live -= stale;
      table_.OnStale(id, stale, now_blocks_);
      return ReleaseIfEmpty(i);
    }
    if (n.state == State::kOpen) return Fill(i);
    if (IsCandidate(n) && random_.Below(2) == 0) {
      n.state = State::kCleaning;
      return table_.StartCleaning(id);
    }
    if (n.state != State::kCleaning) return;
    if (n.live == 0) {
      table_.Release(id);
      return Enqueue(i);
    }
    if (random_.Below(2) == 0) return;
    n.state = State::kSealed;
    table_.AbortCleaning(id);
  }

  void Fill(uint32_t i) {
    NaiveSegment& n = naive_[i];
    const SegmentId id(i);
    if (random_.Below(3) == 0) {
      n.state = State::kSealed;
      n.sealed_at = now_blocks_;
      n.seal_number = ++seals_;
      table_.Seal(id, now_blocks_);
      return ReleaseIfEmpty(i);
    }
    const auto more = static_cast<uint32_t>(random_.Below(capacity_ - n.written + 1));
    table_.OnWritten(id, more, 0);
    const auto unwritten = static_cast<uint32_t>(random_.Below(more + 1)) / 4;
    table_.OnUnwritten(id, unwritten);
    table_.OnLive(id, more - unwritten);
    n.written += more - unwritten;
    n.live += more - unwritten;
  }

  Random random_;
  const uint32_t capacity_;
  SegmentTable table_;
  std::vector<NaiveSegment> naive_;
  std::deque<uint32_t> free_;
  std::deque<uint32_t> released_;
  uint64_t release_count_ = 0;
  uint64_t seals_ = 0;
  uint64_t now_blocks_ = 0;
};

TEST(SegmentTableModelTest, AgreesWithANaiveTable) {
  constexpr int kOperations = 100'000;
  uint64_t seed = 20'260'000;
  for (const uint32_t segments : {3, 40, 200}) {
    for (const uint32_t capacity : {1, 8, 1000}) {
      SCOPED_TRACE(absl::StrCat("seed ", ++seed));
      Lockstep lockstep(seed, segments, capacity);
      for (int i = 0; i < kOperations; ++i) {
        lockstep.Operate();
        // The whole comparison is slow; a difference does not go away.
        if (segments > 3 && i % 16 != 0) continue;
        ASSERT_EQ(lockstep.Difference(), "") << "after " << i << " operations";
      }
    }
  }
}

}  // namespace
}  // namespace gleaner
