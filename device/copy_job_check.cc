#include "device/copy_job_check.h"

#include <algorithm>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "device/native_reach.h"

namespace gleaner {
namespace {

using Ranges = absl::InlinedVector<DeviceRange, 8>;

std::string Name(DeviceRange range) {
  return absl::StrCat("blocks ", range.start.value(), "+", range.count.value());
}

absl::Status CheckTarget(DeviceRange range, const Device& target) {
  const Geometry& g = target.geometry();
  if (!InBounds(range, g.capacity)) {
    return absl::OutOfRangeError(absl::StrCat(target.name(),
                                              " has no room for a copy to ", Name(range),
                                              ": it ends at block ", g.capacity.value()));
  }
  if (!g.zoned()) return absl::OkStatus();
  // Where zones have a hole at their end, a run stays before the hole; else it may cross
  // zones.
  const DeviceBlockCount offset = range.start - g.ZoneStart(range.start);
  if (g.zone_capacity == g.zone_size || offset + range.count <= g.zone_capacity) {
    return absl::OkStatus();
  }
  return absl::OutOfRangeError(
      absl::StrCat(target.name(), " has no room for a copy to ", Name(range),
                   ": the zone's capacity ends at block ",
                   (g.ZoneStart(range.start) + g.zone_capacity).value()));
}

// The range's count is in blocks of the target, and within it.
absl::Status CheckSource(const CopyRun& run, const Device& target) {
  const Geometry& g = run.source->geometry();
  const uint64_t start = run.from.start.value();
  const uint64_t bytes = run.from.count.value() * target.geometry().block_bytes;
  if (start <= g.capacity.value() &&
      bytes <= (g.capacity.value() - start) * g.block_bytes) {
    return absl::OkStatus();
  }
  return absl::OutOfRangeError(absl::StrCat("source ", Name(run.from),
                                            " is past the end of ", run.source->name(),
                                            ", block ", g.capacity.value()));
}

// A chunk ends with its zone, and reads whole blocks of the source.
absl::Status CheckZoneCrossing(const CopyRun& run, const Device& target) {
  const Geometry& g = target.geometry();
  const uint64_t source_block = run.source->geometry().block_bytes;
  if (!g.zoned() || source_block <= g.block_bytes) return absl::OkStatus();
  const DeviceBlockCount to_zone_end = g.ZoneStart(run.to) + g.zone_size - run.to;
  if (run.from.count <= to_zone_end ||
      (to_zone_end.value() * g.block_bytes % source_block == 0 &&
       g.zone_size.value() * g.block_bytes % source_block == 0)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("a copy to ", Name({run.to, run.from.count}), " of ", target.name(),
                   " crosses a zone's end inside a block of ", run.source->name()));
}

// Without emulation every part of the run must be within native reach.
absl::Status CheckPath(const CopyRun& run, const Device& target, NativeReach& reach) {
  for (DeviceBlockCount at; at < run.from.count;) {
    const NativeReach::Part part = reach.PartAt(run, at);
    if (part.native) {
      at += part.blocks;
      continue;
    }
    if (!target.copy_limits().can_copy()) {
      return absl::UnimplementedError(
          absl::StrCat(target.name(), " cannot copy natively"));
    }
    if (run.source != &target) {
      return absl::UnimplementedError(
          absl::StrCat("no native copy from ", run.source->name(), " to another device, ",
                       target.name()));
    }
    return absl::UnimplementedError(absl::StrCat(
        "no native copy of block ", (run.from.start + at).value(), " to block ",
        (run.to + at).value(), " of ", target.name(), ": they lie on different members"));
  }
  return absl::OkStatus();
}

// All targets in ascending order, neighbours joined.
absl::StatusOr<Ranges> SortedTargets(const CopyJob& job, const Device& target) {
  Ranges targets;
  for (const CopyRun& run : job.runs) {
    if (!targets.empty() && targets.back().end() == run.to) {
      targets.back().count += run.from.count;
    } else {
      targets.push_back({run.to, run.from.count});
    }
  }
  const auto by_start = [](const DeviceRange& a, const DeviceRange& b) {
    return a.start < b.start;
  };
  if (!std::is_sorted(targets.begin(), targets.end(), by_start)) {
    std::sort(targets.begin(), targets.end(), by_start);
  }
  for (size_t i = 1; i < targets.size(); ++i) {
    if (targets[i].overlaps(targets[i - 1])) {
      return absl::InvalidArgumentError(absl::StrCat("two copies to ", target.name(),
                                                     " overlap: ", Name(targets[i - 1]),
                                                     " and ", Name(targets[i])));
    }
  }
  return targets;
}

absl::Status CheckOverlap(const CopyJob& job, const Device& target) {
  GLEANER_ASSIGN_OR_RETURN(const Ranges targets, SortedTargets(job, target));
  for (const CopyRun& run : job.runs) {
    if (run.source != &target) continue;
    const auto next = std::upper_bound(
        targets.begin(), targets.end(), run.from.start,
        [](DeviceBlock start, const DeviceRange& t) { return start < t.end(); });
    if (next != targets.end() && next->overlaps(run.from)) {
      return absl::InvalidArgumentError(absl::StrCat("source ", Name(run.from),
                                                     " and target ", Name(*next),
                                                     " overlap on ", target.name()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCopyJob(const CopyJob& job, const Device& target, CopyMode mode) {
  if (job.runs.empty()) return absl::InvalidArgumentError("a copy of no runs");
  NativeReach reach(target);
  for (const CopyRun& run : job.runs) {
    if (run.source == nullptr)
      return absl::InvalidArgumentError("a copy without a source");
    if (run.from.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("an empty source range at block ",
                                                     run.from.start.value(), " of ",
                                                     run.source->name()));
    }
    GLEANER_RETURN_IF_ERROR(CheckTarget({run.to, run.from.count}, target));
    GLEANER_RETURN_IF_ERROR(CheckSource(run, target));
    GLEANER_RETURN_IF_ERROR(CheckZoneCrossing(run, target));
    if (mode == CopyMode::kNative) {
      GLEANER_RETURN_IF_ERROR(CheckPath(run, target, reach));
    }
  }
  uint64_t blocks = 0;
  for (const CopyRun& run : job.runs) blocks += run.from.count.value();
  if (!job.checksums.empty() && job.checksums.size() != blocks) {
    return absl::InvalidArgumentError(absl::StrCat(
        job.checksums.size(), " checksums for a copy of ", blocks, " blocks"));
  }
  return CheckOverlap(job, target);
}

}  // namespace gleaner
