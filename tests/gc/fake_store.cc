#include "tests/gc/fake_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace gleaner::testing {
namespace {

// Segments are longer than their capacity, as on a zoned device.
constexpr uint32_t kUnusedBlocks = 2;

}  // namespace

// -- Gate -------------------------------------------------------------------------------------

void Gate::Begin(Action action) {
  ++begun;
  GLEANER_CHECK(!under_way());
  if (hold) {
    under_way_ = std::move(action);
  } else {
    action(std::exchange(fails, absl::OkStatus()));
  }
}

void Gate::Finish(absl::Status status) {
  GLEANER_CHECK(under_way());
  std::exchange(under_way_, nullptr)(std::move(status));
}

// -- The user ---------------------------------------------------------------------------------

FakeStore::FakeStore(const Options& options)
    : table({.segments = options.segments, .capacity_blocks = options.capacity_blocks}),
      moving_(options.moving),
      geometry_(BlockCount(options.capacity_blocks + kUnusedBlocks)),
      logs_(&table, geometry_,
            {.classes = options.classes, .reserved_segments = options.reserved_segments}),
      disk_(options.segments * geometry_.segment_blocks().value()),
      map_(options.lbas),
      expected_(options.lbas),
      durable_map_(options.lbas),
      durable_values_(options.lbas) {}

bool FakeStore::Write(Lba lba) {
  if (!logs_.CanAppend(ClassId(0))) return false;
  Append(lba, *logs_.Append(ClassId(0), BlockCount(1), now_blocks_));
  return true;
}

bool FakeStore::WriteFromReserve(Lba lba) {
  const absl::StatusOr<PhysicalRange> block = logs_.Reserve(ClassId(0), BlockCount(1), 0);
  if (!block.ok()) return false;
  Append(lba, *block);
  logs_.Settle(*block, now_blocks_);
  return true;
}

void FakeStore::Append(Lba lba, PhysicalRange block) {
  expected_[lba.value()] = ++now_blocks_;
  Put(block.start, now_blocks_);
  Point(lba, block.start);
  logs_.SealIfFull(block, now_blocks_);
}

void FakeStore::Trim(Lba lba) {
  expected_[lba.value()] = 0;
  Point(lba, PhysicalBlock());
}

// The only place that changes the map and the counts.
void FakeStore::Point(Lba lba, PhysicalBlock to) {
  const PhysicalBlock before = std::exchange(map_[lba.value()], to);
  if (to.valid()) table.OnLive(geometry_.segment_of(to), 1);
  if (before.valid()) table.OnStale(geometry_.segment_of(before), 1, now_blocks_);
}

void FakeStore::Put(PhysicalBlock block, uint64_t value) {
  for (size_t i = 0; i < map_.size(); ++i) {
    if (map_[i] == block)
      Blame(absl::StrCat("the live block of lba ", i, " overwritten"));
    if (durable_map_[i] == block)
      Blame(absl::StrCat("the durable block of lba ", i, " overwritten"));
  }
  disk_[block.value()] = value;
}

void FakeStore::Blame(std::string problem) {
  if (problem_.empty()) problem_ = std::move(problem);
}

std::string FakeStore::Problem() const {
  if (!problem_.empty()) return problem_;
  std::vector<uint32_t> live(table.segments());
  for (size_t i = 0; i < map_.size(); ++i) {
    const uint64_t reads = map_[i].valid() ? disk_[map_[i].value()] : 0;
    if (reads != expected_[i])
      return absl::StrCat("lba ", i, " reads ", reads, ", not ", expected_[i]);
    const uint64_t recovered =
        durable_map_[i].valid() ? disk_[durable_map_[i].value()] : 0;
    if (recovered != durable_values_[i]) {
      return absl::StrCat("recovery finds ", recovered, " at lba ", i, ", not ",
                          durable_values_[i]);
    }
    if (map_[i].valid()) ++live[geometry_.segment_of(map_[i]).value()];
  }
  for (uint32_t s = 0; s < table.segments(); ++s) {
    const SegmentInfo info = table.info(SegmentId(s));
    if (info.live_blocks != live[s]) {
      return absl::StrCat("segment ", s, " counts ", info.live_blocks,
                          " live blocks, the map ", live[s]);
    }
    const bool may_hold = info.state == SegmentState::kOpen ||
                          info.state == SegmentState::kSealed ||
                          info.state == SegmentState::kCleaning;
    if (live[s] > 0 && !may_hold)
      return absl::StrCat("segment ", s, " is ", SegmentStateName(info.state),
                          " and holds live blocks");
  }
  return "";
}

// -- RelocationSink and Relocator -------------------------------------------------------------

void FakeStore::LiveExtents(SegmentId victim, std::vector<Extent>* out, Done done) {
  std::vector<Extent> found;
  const PhysicalRange segment = geometry_.range_of(victim);
  for (PhysicalBlock block = segment.start; block < segment.end(); ++block) {
    const auto it = std::find(map_.begin(), map_.end(), block);
    if (it == map_.end()) continue;
    const Lba lba(static_cast<uint64_t>(it - map_.begin()));
    if (!found.empty() && found.back().lbas().end() == lba &&
        found.back().physicals().end() == block) {
      found.back().count += BlockCount(1);
    } else {
      found.push_back({lba, block, BlockCount(1)});
    }
  }
  extents.Begin([found, out, done = std::move(done)](absl::Status status) mutable {
    if (status.ok()) out->insert(out->end(), found.begin(), found.end());
    done(std::move(status));
  });
}

absl::StatusOr<PhysicalRange> FakeStore::Reserve(const Reservation& reservation) {
  return logs_.Reserve(reservation.log_class, reservation.at_most, 0);
}

BlockCount FakeStore::RoomInOpenSegment(ClassId log_class) const {
  return logs_.room(log_class);
}

void FakeStore::Settle(PhysicalRange reserved) { logs_.Settle(reserved, now_blocks_); }

void FakeStore::GiveUp(PhysicalRange reserved) { logs_.GiveUp(reserved, now_blocks_); }

void FakeStore::Commit(absl::Span<const Move> moves, Done done) {
  commit.Begin([this, moves, done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) return done(std::move(status));
    if (moving_ == Moving::kForgetsTheFirst) moves.remove_prefix(1);
    for (const Move& move : moves) {
      for (uint64_t i = 0; i < move.count.value(); ++i) {
        const Lba lba = move.lba + BlockCount(i);
        const bool changed = where(lba) != move.from + BlockCount(i);
        if (changed && moving_ != Moving::kBlindly) continue;
        Point(lba, move.to + BlockCount(i));
      }
    }
    done(absl::OkStatus());
  });
}

void FakeStore::MakeDurable(Done done) {
  durable.Begin([this, map = map_, values = expected_,
                 done = std::move(done)](absl::Status status) mutable {
    if (status.ok()) {
      durable_map_ = std::move(map);
      durable_values_ = std::move(values);
    }
    done(std::move(status));
  });
}

void FakeStore::Copy(absl::Span<const Move> moves, Done done) {
  uint64_t blocks = 0;
  for (const Move& move : moves) blocks += move.count.value();
  largest_copy_blocks_ = std::max(largest_copy_blocks_, blocks);
  copy.Begin([this, moves, done = std::move(done)](absl::Status status) mutable {
    uint64_t copied = 0;
    for (const Move& move : moves) {
      for (uint64_t i = 0; i < move.count.value(); ++i) {
        if (!status.ok() && copied++ % 2 == 1) continue;
        Put(move.to + BlockCount(i), disk_[move.from.value() + i]);
      }
    }
    done(std::move(status));
  });
}

}  // namespace gleaner::testing
