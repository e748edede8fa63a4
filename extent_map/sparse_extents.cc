#include "extent_map/sparse_extents.h"

#include <iterator>
#include <vector>

namespace gleaner {
namespace {

template <typename Bucket>
std::vector<PackedRun> RunsFrom(const Bucket& bucket, size_t at) {
  std::vector<PackedRun> runs;
  runs.reserve(bucket.size() - at);
  for (size_t i = at; i < bucket.size(); ++i) runs.push_back(bucket.At(i));
  return runs;
}

}  // namespace

SparseExtents::~SparseExtents() {
  for (auto& [lba, bucket] : buckets_) bucket.Free();
}

SparseExtents::Buckets::iterator SparseExtents::BucketOf(uint64_t lba) {
  return std::prev(buckets_.upper_bound(lba));  // the first is for lba 0
}

std::optional<uint64_t> SparseExtents::Replace(uint64_t first, uint64_t end,
                                               uint64_t physical,
                                               ExtentMerger& displaced) {
  if (buckets_.empty()) {
    if (physical == kUnmapped) return std::nullopt;
    buckets_.emplace(0, Bucket());
  }
  auto it = BucketOf(first);
  if (const auto next = std::next(it); next != buckets_.end() && next->first < end) {
    Erase(first, end, displaced);
    it = BucketOf(first);
  }
  it->second.Replace(first, end, physical, [&displaced](const PackedRun& was) {
    displaced.Add(was.key, was.physical, was.count);
  });
  if (it->second.size() >= kMaxBucket) return Split(it);
  if (it->second.size() <= kMaxBucket / 8 && !JoinWithNext(it) && it != buckets_.begin())
    JoinWithNext(std::prev(it));
  return std::nullopt;
}

void SparseExtents::Erase(uint64_t first, uint64_t end, ExtentMerger& displaced) {
  const auto add = [&displaced](const PackedRun& was) {
    displaced.Add(was.key, was.physical, was.count);
  };
  auto it = BucketOf(first);
  it->second.Replace(first, end, kUnmapped, add);
  for (++it; it != buckets_.end() && it->first < end;) {
    Bucket rest = it->second;
    rest.Replace(first, end, kUnmapped, add);
    it = buckets_.erase(it);
    if (rest.empty()) {
      rest.Free();
    } else {
      it = buckets_.emplace(end, rest).first;  // the last: its extents lie past `end`
    }
  }
}

std::optional<uint64_t> SparseExtents::Split(Buckets::iterator it) {
  Bucket& bucket = it->second;
  const uint64_t first_area = bucket.At(0).key >> kAreaBits;
  const uint64_t last_area = (bucket.At(bucket.size() - 1).end() - 1) >> kAreaBits;
  if (first_area == last_area) return first_area;
  const size_t half = bucket.size() / 2;
  const std::vector<PackedRun> upper = RunsFrom(bucket, half);
  bucket.Splice(half, upper.size(), {});
  Bucket next;
  next.Splice(0, 0, upper);
  buckets_.emplace(upper[0].key, next);
  return std::nullopt;
}

bool SparseExtents::JoinWithNext(Buckets::iterator it) {
  const auto next = std::next(it);
  if (next == buckets_.end()) return false;
  Bucket& bucket = it->second;
  if (bucket.size() + next->second.size() > kMaxBucket / 2) return false;
  bucket.Splice(bucket.size(), 0, RunsFrom(next->second, 0));
  next->second.Free();
  buckets_.erase(next);
  return true;
}

PackedRun SparseExtents::PieceAt(uint64_t lba) const {
  auto it = buckets_.upper_bound(lba);
  const uint64_t bucket_end = it == buckets_.end() ? kUnmapped : it->first;
  if (it == buckets_.begin()) return {lba, kUnmapped, bucket_end - lba};
  const Bucket& bucket = (--it)->second;
  const size_t i = bucket.FirstEndingAfter(lba);
  if (i == bucket.size()) return {lba, kUnmapped, bucket_end - lba};
  const PackedRun run = bucket.At(i);
  if (run.key > lba) return {lba, kUnmapped, run.key - lba};
  return {lba, run.physical + (lba - run.key), run.end() - lba};
}

uint64_t SparseExtents::memory_bytes() const {
  // Nodes of absl's tree are three quarters full on average.
  uint64_t bytes = buckets_.size() * sizeof(Buckets::value_type) * 4 / 3;
  for (const auto& [lba, bucket] : buckets_) bytes += bucket.memory_bytes();
  return bytes;
}

}  // namespace gleaner
