#include "store/volatile_store.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "device/blocking_io.h"
#include "store/zone_ordered_relocator.h"

namespace gleaner {
namespace {

uint32_t ReservedSegments(const VolatileStoreOptions& options) {
  return options.placement->relocation_classes() + options.cleaner.commit_segments;
}

// A volume that grows by need starts with room for its classes and the reserve.
uint32_t InitialSegments(const VolatileStoreOptions& options) {
  if (!options.garbage_trigger.has_value()) return options.segments;
  return options.placement->classes() + ReservedSegments(options) + 1;
}

SegmentTable::Options TableOptions(const VolatileStoreOptions& options) {
  const bool foreground_needs =
      options.foreground_policy != nullptr && options.foreground_policy->needs_modified();
  return {.segments = InitialSegments(options),
          .capacity_blocks = options.segment_capacity_blocks,
          .track_modified = options.policy->needs_modified() || foreground_needs ||
                            options.placement->needs_modified()};
}

absl::Status CheckOptions(const VolatileStoreOptions& o) {
  GLEANER_CHECK(o.policy != nullptr && o.placement != nullptr);
  if (o.volume_blocks == 0) return absl::InvalidArgumentError("the volume has no blocks");
  if (o.segment_capacity_blocks == 0 || o.segment_capacity_blocks > o.segment_blocks) {
    return absl::InvalidArgumentError(
        absl::StrCat("segments of ", o.segment_blocks, " blocks cannot hold ",
                     o.segment_capacity_blocks, " blocks of data"));
  }
  if (const uint64_t least = VolatileStore::LeastSegments(o);
      !o.garbage_trigger.has_value() && o.segments < least) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "no room for one segment per class and the reserve: ", o.segments,
        " segments of ", o.segment_capacity_blocks, " blocks for a volume of ",
        o.volume_blocks, " blocks; the least space is ", least, " segments"));
  }
  return absl::OkStatus();
}

}  // namespace

// -- Set-up -----------------------------------------------------------------------------------

uint64_t VolatileStore::LeastSegments(const VolatileStoreOptions& o) {
  return (o.volume_blocks + o.segment_capacity_blocks - 1) / o.segment_capacity_blocks +
         o.placement->classes() + ReservedSegments(o);
}

absl::StatusOr<std::unique_ptr<VolatileStore>> VolatileStore::Create(
    VolatileStoreOptions options) {
  GLEANER_RETURN_IF_ERROR(CheckOptions(options));
  uint32_t per_block = 1;
  if (options.device != nullptr) {
    const Geometry& g = options.device->geometry();
    per_block = options.block_bytes / g.block_bytes;
    if (per_block == 0 || uint64_t{per_block} * g.block_bytes != options.block_bytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("blocks of ", options.block_bytes, " bytes are no multiple of ",
                       options.device->name(), "'s blocks of ", g.block_bytes, " bytes"));
    }
    for (const uint32_t limit : {g.max_open_zones, g.max_active_zones}) {
      if (!g.zoned() || limit == 0 || options.placement->classes() <= limit) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(options.device->name(), " allows ", limit, " open zones, ",
                       options.placement->classes(), " are needed"));
    }
    const uint64_t room = g.capacity.value() / per_block / options.segment_blocks;
    options.max_segments =
        static_cast<uint32_t>(std::min<uint64_t>(options.max_segments, room));
    if (InitialSegments(options) > room) {
      return absl::OutOfRangeError(absl::StrCat(
          options.device->name(), " has room for ", room, " segments of ",
          options.segment_blocks, " blocks, ", InitialSegments(options), " are needed"));
    }
  }
  const BlockLayout layout(
      {.first = DeviceBlock(0), .device_blocks_per_block = per_block});
  std::unique_ptr<VolatileStore> store(new VolatileStore(std::move(options), layout));
  GLEANER_RETURN_IF_ERROR(store->OpenDevice());
  return store;
}

VolatileStore::VolatileStore(VolatileStoreOptions options, const BlockLayout& layout)
    : options_(std::move(options)),
      layout_(layout),
      geometry_(BlockCount(options_.segment_blocks)),
      table_(TableOptions(options_)),
      logs_(&table_, geometry_,
            {.classes = options_.placement->classes(),
             .reserved_segments = ReservedSegments(options_)}),
      reverse_(BlockCount(uint64_t{table_.segments()} * options_.segment_blocks)),
      liveness_(geometry_, table_.segments()) {}

absl::Status VolatileStore::OpenDevice() {
  if (options_.device == nullptr) {
    GLEANER_ASSIGN_OR_RETURN(relocator_,
                             MakeModelRelocator({.limits = options_.model_limits,
                                                 .mode = options_.copy.mode,
                                                 .block_bytes = options_.block_bytes}));
  } else {
    const bool zoned = options_.device->geometry().zoned();
    const Clock& clock = options_.clock != nullptr ? *options_.clock : Clock::Real();
    GLEANER_ASSIGN_OR_RETURN(queue_, options_.device->OpenQueue(options_.queue_depth));
    told_losses_ = options_.device->losses();
    buffers_ = std::make_unique<AppendBuffers>(
        queue_.get(), options_.device, layout_, geometry_,
        AppendBuffers::Options{.block_bytes = options_.block_bytes,
                               .classes = options_.placement->classes()});
    GLEANER_ASSIGN_OR_RETURN(
        relocator_, MakeDeviceRelocator(options_.device, layout_, options_.copy, clock));
    if (zoned) {
      relocator_ = MakeZoneOrderedRelocator(std::move(relocator_), buffers_.get(),
                                            geometry_, &table_);
      GLEANER_RETURN_IF_ERROR(ResetZones());
    }
  }
  cleaner_ = std::make_unique<Cleaner>(
      Cleaner::Parts{&table_, this, relocator_.get(), options_.policy.get(),
                     options_.foreground_policy.get(), options_.placement.get()},
      options_.cleaner);
  return absl::OkStatus();
}

// All that may be used, and those beyond that are open or closed, since these count against the
// device's limits, too.
absl::Status VolatileStore::ResetZones() {
  const Geometry& g = options_.device->geometry();
  const uint64_t used =
      options_.garbage_trigger.has_value() ? options_.max_segments : table_.segments();
  GLEANER_ASSIGN_OR_RETURN(const std::vector<ZoneInfo> zones,
                           options_.device->ReportZones({DeviceBlock(0), g.capacity}));
  for (size_t i = 0; i < zones.size(); ++i) {
    const ZoneState state = zones[i].state;
    const bool active = state == ZoneState::kOpen || state == ZoneState::kClosed;
    if (state == ZoneState::kEmpty || (i >= used && !active)) continue;
    absl::Status status;
    GLEANER_RETURN_IF_ERROR(queue_->ZoneReset(
        zones[i].start, [&status](const OpResult& r) { status = r.status; }));
    while (queue_->in_flight() > 0) GLEANER_RETURN_IF_ERROR(queue_->Wait());
    GLEANER_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

// -- Writes and trims -------------------------------------------------------------------------

absl::Status VolatileStore::CheckRange(LbaRange range) const {
  const uint64_t volume = options_.volume_blocks;
  if (range.start.value() < volume && range.count.value() <= volume - range.start.value())
      [[likely]]
    return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat("blocks ", range.start.value(), "+",
                                            range.count.value(),
                                            " lie beyond the volume's ", volume));
}

absl::Status VolatileStore::Write(LbaRange range, const char* data) {
  if (range.count == BlockCount(1) && data == nullptr && queue_ == nullptr) [[likely]] {
    // The model's usual case, without detours.
    if (range.start.value() >= options_.volume_blocks) [[unlikely]]
      return CheckRange(range);
    const ClassId log_class = options_.placement->ForUserWrite(range.start, now_blocks_);
    if (logs_.HasRoom(log_class)) [[likely]] {
      MapBlock(range.start, logs_.TakeBlock(log_class, now_blocks_).start);
    } else {
      GLEANER_RETURN_IF_ERROR(WriteToClass(log_class, range, nullptr));
    }
    if (options_.garbage_trigger.has_value()) return CollectGarbage();
    return absl::OkStatus();
  }
  if (absl::Status status = CheckRange(range); !status.ok()) [[unlikely]]
    return status;
  GLEANER_CHECK((data != nullptr) == (queue_ != nullptr));
  if (!error_.ok()) [[unlikely]]
    return TakeError();
  return Told(WriteByClass(range, data));
}

absl::Status VolatileStore::WriteByClass(LbaRange range, const char* data) {
  Placement& placement = *options_.placement;
  ClassId log_class = placement.ForUserWrite(range.start, now_blocks_);
  while (!range.empty()) {
    // As many blocks as go to the same class.
    ClassId next = log_class;
    uint64_t n = 1;
    for (; n < range.count.value(); ++n) {
      next = placement.ForUserWrite(range.start + BlockCount(n), now_blocks_ + n);
      if (next != log_class) break;
    }
    GLEANER_RETURN_IF_ERROR(WriteToClass(log_class, {range.start, BlockCount(n)}, data));
    range = {range.start + BlockCount(n), range.count - BlockCount(n)};
    if (data != nullptr) data += n * options_.block_bytes;
    log_class = next;
  }
  if (options_.garbage_trigger.has_value()) return CollectGarbage();
  return absl::OkStatus();
}

absl::Status VolatileStore::WriteToClass(ClassId log_class, LbaRange range,
                                         const char* data) {
  const BlockCount most(buffers_ != nullptr ? buffers_->max_run_blocks() : UINT32_MAX);
  while (!range.empty()) {
    // First, since a run that was appended must be mapped.
    while (buffers_ != nullptr && !buffers_->CanStage())
      GLEANER_RETURN_IF_ERROR(ProgressOfAll());
    if (!logs_.CanAppend(log_class)) [[unlikely]]
      GLEANER_RETURN_IF_ERROR(MakeRoom(log_class));
    GLEANER_ASSIGN_OR_RETURN(
        const PhysicalRange run,
        logs_.Append(log_class, std::min(range.count, most), now_blocks_));
    if (data != nullptr) {
      buffers_->Stage(log_class, run, data);
      data += run.count.value() * options_.block_bytes;
    }
    MapRun(range.start, run);
    range = {range.start + run.count, range.count - run.count};
  }
  return absl::OkStatus();
}

// The user's blocks from `lba` on are at `run` from now on.
void VolatileStore::MapRun(Lba lba, PhysicalRange run) {
  now_blocks_ += run.count.value();
  MarkLive(run);
  map_.Assign({lba, run.count}, run.start,
              [this](const Extent& displaced) { MarkStale(displaced.physicals()); });
  for (uint64_t i = 0; i < run.count.value(); ++i)
    reverse_.Set(run.start + BlockCount(i), lba + BlockCount(i));
  logs_.SealIfFull(run, now_blocks_);
}

// The same for one block.
void VolatileStore::MapBlock(Lba lba, PhysicalBlock block) {
  ++now_blocks_;
  const PhysicalBlock before = map_.AssignBlock(lba, block);
  table_.OnLive(liveness_.MarkLive(block), 1);
  reverse_.Set(block, lba);
  if (before.valid()) table_.OnStale(liveness_.MarkStale(before), 1, now_blocks_);
  logs_.SealIfFull({block, BlockCount(1)}, now_blocks_);
}

absl::Status VolatileStore::Trim(LbaRange range) {
  GLEANER_RETURN_IF_ERROR(CheckRange(range));
  map_.Erase(range,
             [this](const Extent& displaced) { MarkStale(displaced.physicals()); });
  return absl::OkStatus();
}

void VolatileStore::MarkLive(PhysicalRange range) {
  liveness_.MarkLive(range, [this](SegmentId id, uint32_t n) { table_.OnLive(id, n); });
}

void VolatileStore::MarkStale(PhysicalRange range) {
  liveness_.MarkStale(
      range, [this](SegmentId id, uint32_t n) { table_.OnStale(id, n, now_blocks_); });
}

// -- Cleaning ---------------------------------------------------------------------------------

absl::Status VolatileStore::MakeRoom(ClassId log_class) {
  if (options_.garbage_trigger.has_value()) {
    while (!logs_.CanAppend(log_class)) GLEANER_RETURN_IF_ERROR(ReuseOrGrow());
    return absl::OkStatus();
  }
  const Cleaner::Goal goal{.spare_segments = logs_.reserved_segments() + 1,
                           .free_segments = 1};
  while (!logs_.CanAppend(log_class)) GLEANER_RETURN_IF_ERROR(CleanTo(goal));
  return absl::OkStatus();
}

absl::Status VolatileStore::CleanTo(const Cleaner::Goal& goal) {
  for (;;) {
    Cleaner::StepResult result = cleaner_->Step(goal, {.now_blocks = now_blocks_});
    switch (result.state) {
      case Cleaner::State::kGoalReached:
        return absl::OkStatus();
      case Cleaner::State::kNothingToCollect:
      case Cleaner::State::kNoRoom:
        return absl::ResourceExhaustedError(absl::StrCat(
            "out of space: ", CleanerStateName(result.state), ", ", table_.live_blocks(),
            " live blocks in ", table_.segments(), " segments"));
      case Cleaner::State::kFailed:
        return result.status;
      case Cleaner::State::kMoreWork:
        break;
      default:
        GLEANER_RETURN_IF_ERROR(Progress());
    }
  }
}

absl::Status VolatileStore::CollectGarbage() {
  const double trigger = *options_.garbage_trigger;
  if (static_cast<double>(table_.sealed_stale_blocks()) <=
      trigger * static_cast<double>(table_.written_blocks())) [[likely]]
    return absl::OkStatus();
  // A victim's survivors may need a segment for every class that they can go to.
  while (table_.free_segments() <= ReservedSegments(options_))
    GLEANER_RETURN_IF_ERROR(ReuseOrGrow());
  return CleanTo({.spare_segments = 0, .free_segments = 0, .garbage_share = trigger});
}

// One more free segment at least: a released one, or else a new one.
absl::Status VolatileStore::ReuseOrGrow() {
  if (table_.released_segments() > options_.cleaner.commit_segments)
    return CleanTo({.spare_segments = 0, .free_segments = table_.free_segments() + 1});
  const uint32_t segments = table_.segments();
  const uint32_t more =
      std::min(std::max(1u, segments / 64), options_.max_segments - segments);
  if (more == 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("out of space: all ", segments, " segments are in use"));
  }
  table_.Grow(more);
  liveness_.Grow(segments + more);
  reverse_.Grow(BlockCount(uint64_t{segments + more} * options_.segment_blocks));
  return absl::OkStatus();
}

Cleaner::StepResult VolatileStore::Clean(const Cleaner::Goal& goal, uint64_t max_blocks) {
  if (absl::Status status = Poll(); !status.ok())
    return {Cleaner::State::kFailed, std::move(status)};
  Cleaner::StepResult result =
      cleaner_->Step(goal, {.now_blocks = now_blocks_, .max_blocks = max_blocks});
  result.status = Told(std::move(result.status));
  return result;
}

// -- RelocationSink ---------------------------------------------------------------------------

void VolatileStore::LiveExtents(SegmentId victim, std::vector<Extent>* extents,
                                Done done) {
  GLEANER_CHECK(!pending_extents_.has_value());
  if (buffers_ != nullptr) {
    buffers_->SubmitAll();
    if (!IsWritten(victim)) {
      pending_extents_ = PendingExtents{victim, extents, std::move(done)};
      return;
    }
  }
  CollectExtents(victim, extents);
  done(absl::OkStatus());
}

void VolatileStore::CollectExtents(SegmentId victim, std::vector<Extent>* extents) const {
  // At worst every block is an extent of its own.
  const size_t before = extents->size();
  extents->resize(before + liveness_.live_blocks(victim).value());
  Extent* next = extents->data() + before;
  liveness_.ForEachLiveRun(victim, [this, &next](PhysicalRange run) {
    Extent* end = next;
    reverse_.ForEachExtent(run, [&end](const Extent& extent) { *end++ = extent; });
    next = end;
  });
  extents->resize(static_cast<size_t>(next - extents->data()));
}

absl::StatusOr<PhysicalRange> VolatileStore::Reserve(const Reservation& reservation) {
  GLEANER_ASSIGN_OR_RETURN(const PhysicalRange run,
                           logs_.Reserve(reservation.log_class, reservation.at_most,
                                         reservation.modified_at_blocks));
  if (buffers_ != nullptr) {
    round_losses_ = options_.device->losses();  // nothing of the round is copied yet
    buffers_->Submit(reservation.log_class);
    buffers_->Hold(reservation.log_class, run);
  }
  return run;
}

BlockCount VolatileStore::RoomInOpenSegment(ClassId log_class) const {
  return logs_.room(log_class);
}

void VolatileStore::Commit(absl::Span<const Move> moves, Done done) {
  if (queue_ != nullptr && options_.flush_moves &&
      options_.device->geometry().volatile_write_cache) {
    pending_commit_ = PendingCommit{moves, std::move(done)};
    return StartCommit();
  }
  ApplyMoves(moves);
  done(absl::OkStatus());
}

void VolatileStore::ApplyMoves(absl::Span<const Move> moves) {
  for (size_t i = 0; i < moves.size();) {
    if (moves[i].count == BlockCount(1)) {
      i += CommitBlocks(moves.subspan(i));
    } else {
      CommitExtent(moves[i++]);
    }
  }
}

void VolatileStore::CommitExtent(const Move& move) {
  map_.Relocate({move.lba, move.count}, move.from, move.to, [&](const Extent& moved) {
    MarkStale({move.from + (moved.lba - move.lba), moved.count});
    MarkLive(moved.physicals());
    for (uint64_t b = 0; b < moved.count.value(); ++b)
      reverse_.Set(moved.physical + BlockCount(b), moved.lba + BlockCount(b));
  });
}

// The single blocks that `moves` begins with; returns their number. Their liveness changes in
// runs as long as possible at the new place, and at the old one 64 blocks at a time.
size_t VolatileStore::CommitBlocks(absl::Span<const Move> moves) {
  constexpr ptrdiff_t kAhead = 16;
  const auto tell = [this](SegmentId id, uint32_t n) {
    table_.OnStale(id, n, now_blocks_);
  };
  PhysicalRange live{moves[0].to, BlockCount(0)};
  PhysicalBlock stale_start = moves[0].from;
  uint64_t stale = 0;  // a bit per block from there
  const Move* const end = moves.data() + moves.size();
  const Move* move = moves.data();
  for (; move != end && move->count == BlockCount(1); ++move) {
    if (end - move > kAhead) map_.Prefetch(move[kAhead].lba);
    // Overwritten or trimmed meanwhile: the user's version stays, the copy is stale already.
    if (!map_.RelocateBlock(move->lba, move->from, move->to)) [[unlikely]]
      continue;
    reverse_.Set(move->to, move->lba);
    if (move->to != live.end()) [[unlikely]] {
      MarkLive(live);
      live = {move->to, BlockCount(0)};
    }
    live.count += BlockCount(1);
    uint64_t at = move->from.value() - stale_start.value();
    if (at >= 64) [[unlikely]] {
      liveness_.MarkStale(stale_start, stale, tell);
      stale_start = move->from;
      stale = at = 0;
    }
    stale |= uint64_t{1} << at;
  }
  MarkLive(live);
  liveness_.MarkStale(stale_start, stale, tell);
  return static_cast<size_t>(move - moves.data());
}

void VolatileStore::Settle(PhysicalRange reserved) {
  if (buffers_ != nullptr) buffers_->Unhold(reserved);
  logs_.Settle(reserved, now_blocks_);
}

void VolatileStore::GiveUp(PhysicalRange reserved) {
  const bool zoned = queue_ != nullptr && options_.device->geometry().zoned();
  zoned ? GiveUpInZone(reserved) : logs_.GiveUp(reserved, now_blocks_);
}

void VolatileStore::MakeDurable(Done done) {
  // Nothing outlives the process, and what left a segment by a move was flushed before the move
  // counted: a segment is reusable once no read and no write of its old blocks is under way and, on
  // a zoned device, once it is reset.
  if (queue_ == nullptr) return done(absl::OkStatus());
  buffers_->SubmitAll();
  pending_durable_.emplace(
      PendingDurable{next_read_, table_.release_count(), std::move(done)});
  RunPending();
}

// Whether no operation is under way on the blocks that pending_durable_ is about.
bool VolatileStore::ReleasedAreIdle() const {
  if (!reads_.empty() && *reads_.begin() < pending_durable_->next_read) return false;
  bool idle = true;
  table_.ForEachReleased(pending_durable_->next_release, [&](SegmentId id) {
    // It may have been emptied by overwrites while its own blocks were still being written.
    idle = idle && buffers_->WrittenBefore(id, geometry_.range_of(id).end());
  });
  return idle;
}

}  // namespace gleaner
