// The part of VolatileStore that moves data: reads, flushes, and what waits for the device.
#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "store/volatile_store.h"

namespace gleaner {

// -- Reads ------------------------------------------------------------------------------------

void VolatileStore::Read(LbaRange range, char* data, Done done) {
  GLEANER_CHECK(queue_ != nullptr);
  if (absl::Status status = CheckRange(range); !status.ok())
    return done(std::move(status));
  auto operation = std::make_shared<ReadOperation>();
  operation->number = next_read_++;
  operation->parts = 1;
  operation->done = std::move(done);
  reads_.insert(operation->number);
  absl::Status status;
  while (status.ok() && !range.empty()) {
    const Extent extent = map_.LookupExtent(range.start, range.count);
    status = ReadExtent(extent, data, operation);
    range = {extent.lbas().end(), range.count - extent.count};
    data += extent.count.value() * options_.block_bytes;
  }
  FinishPart(operation, status);
}

absl::Status VolatileStore::ReadExtent(const Extent& extent, char* data,
                                       const std::shared_ptr<ReadOperation>& operation) {
  const uint64_t block_bytes = options_.block_bytes;
  if (!extent.mapped()) {
    std::memset(data, 0, extent.count.value() * block_bytes);
    return absl::OkStatus();
  }
  PhysicalRange left = extent.physicals();
  while (!left.empty()) {
    PhysicalRange part{left.start, BlockCount(0)};
    while (part.count < left.count && buffers_->Find(part.end()) == nullptr)
      part.count += BlockCount(1);
    if (part.empty()) {
      std::memcpy(data, buffers_->Find(left.start), block_bytes);
      part.count = BlockCount(1);
    } else {
      ++operation->parts;
      for (;;) {
        absl::Status status = queue_->Read(
            layout_.ToDevice(part), data,
            [this, operation](const OpResult& r) { FinishPart(operation, r.status); });
        if (status.ok()) break;
        if (absl::IsResourceExhausted(status)) status = queue_->Wait();
        if (!status.ok()) {
          --operation->parts;
          return status;
        }
      }
    }
    data += part.count.value() * block_bytes;
    left = {part.end(), left.count - part.count};
  }
  return absl::OkStatus();
}

void VolatileStore::FinishPart(const std::shared_ptr<ReadOperation>& operation,
                               const absl::Status& status) {
  if (operation->status.ok()) operation->status = status;
  if (--operation->parts > 0) return;
  reads_.erase(operation->number);
  operation->done(operation->status);
}

// -- Progress ---------------------------------------------------------------------------------

absl::Status VolatileStore::Poll() {
  if (queue_ == nullptr) return absl::OkStatus();
  queue_->Poll();
  relocator_->Poll();
  buffers_->Pump();
  RunPending();
  return TakeError();
}

// An error is told once; what it hit is tried again.
absl::Status VolatileStore::TakeError() {
  return std::exchange(error_, absl::OkStatus());
}

// For a status that goes to the user.
absl::Status VolatileStore::Told(absl::Status status) {
  if (!status.ok() && status == error_) error_ = absl::OkStatus();
  return status;
}

// Blocks until something that is under way has moved on.
absl::Status VolatileStore::Progress() {
  GLEANER_CHECK(queue_ != nullptr);
  RunPending();
  if (!error_.ok()) return error_;
  buffers_->Pump();
  if (queue_->Poll() == 0 && relocator_->Poll() == 0) {
    if (queue_->in_flight() > 0) {
      GLEANER_RETURN_IF_ERROR(queue_->Wait());
    } else if (absl::Status status = relocator_->Wait(); !status.ok()) {
      // A write that is held back by a round, which only the cleaner can finish.
      if (!cleaner_->busy()) return status;
    }
  }
  buffers_->Pump();
  RunPending();
  return error_;
}

// The same for a caller that is not the cleaner: a write may wait for a round under way.
absl::Status VolatileStore::ProgressOfAll() {
  if (cleaner_->busy()) {
    Cleaner::StepResult result = cleaner_->Step({}, {.now_blocks = now_blocks_});
    if (result.state == Cleaner::State::kFailed) return std::move(result.status);
    if (queue_->in_flight() == 0 && buffers_->idle() && !cleaner_->busy())
      return absl::OkStatus();
  }
  return Progress();
}

void VolatileStore::RunPending() {
  if (error_.ok()) error_ = buffers_->TakeStatus();
  if (error_.ok()) StartFills();
  // The user may have staged more since the round began to wait for all writes.
  if (pending_extents_.has_value() && options_.device->geometry().zoned())
    buffers_->SubmitAll();
  // After an error both go on waiting: the writes that failed are tried again.
  if (pending_extents_.has_value() && IsWritten(pending_extents_->victim)) {
    PendingExtents pending = *std::exchange(pending_extents_, std::nullopt);
    CollectExtents(pending.victim, pending.extents);
    pending.done(absl::OkStatus());
  }
  if (pending_durable_.has_value() && ReleasedAreIdle()) {
    PendingDurable pending = *std::exchange(pending_durable_, std::nullopt);
    ResetReleasedZones(pending.next_release, std::move(pending.done));
  }
  if (pending_commit_.has_value()) StartCommit();
  if (!pending_flushes_.empty() && (buffers_->idle() || !error_.ok())) StartFlushes();
}

void VolatileStore::StartFlushes() {
  const absl::Status error = TakeError();
  std::vector<PendingFlush> flushes = std::exchange(pending_flushes_, {});
  for (PendingFlush& flush : flushes) {
    if (!error.ok()) {
      flush.done(error);
      continue;
    }
    auto shared = std::make_shared<PendingFlush>(std::move(flush));
    const absl::Status status = queue_->Flush([this, shared](const OpResult& r) {
      shared->done(FinishFlush(shared->losses, r.status));
    });
    if (absl::IsResourceExhausted(status)) {
      pending_flushes_.push_back(std::move(*shared));
    } else if (!status.ok()) {
      shared->done(status);
    }
  }
}

// Of writes that had completed before a power cut nobody else tells.
absl::Status VolatileStore::FinishFlush(uint64_t losses_before,
                                        const absl::Status& status) {
  const uint64_t losses = options_.device->losses();
  if (losses == losses_before) return status;
  told_losses_ = losses;
  return absl::DataLossError(absl::StrCat(
      options_.device->name(), " may have lost what was written since the last flush"));
}

// The map must not point to a copy that a power cut can undo: the victim still has what was flushed.
void VolatileStore::StartCommit() {
  if (pending_commit_->in_flight) return;
  const absl::Status status =
      queue_->Flush([this](const OpResult& r) { FinishCommit(r.status); });
  pending_commit_->in_flight = status.ok();
  // A full queue takes it later.
  if (!status.ok() && !absl::IsResourceExhausted(status)) FinishCommit(status);
}

void VolatileStore::FinishCommit(absl::Status status) {
  PendingCommit commit = *std::exchange(pending_commit_, std::nullopt);
  const uint64_t losses = options_.device->losses();
  if (status.ok() && losses != round_losses_) {
    status = absl::UnavailableError(absl::StrCat(
        options_.device->name(), " may have lost what was copied before a flush"));
  }
  round_losses_ = losses;
  if (status.ok()) ApplyMoves(commit.moves);
  commit.done(std::move(status));
}

// Whether a round on `victim` may begin. On a zoned device it waits for all writes: its copies may
// begin a zone, which must not be open beside the one before it in its class.
bool VolatileStore::IsWritten(SegmentId victim) const {
  if (options_.device->geometry().zoned()) return buffers_->idle() && fills_.empty();
  return buffers_->WrittenBefore(victim, geometry_.range_of(victim).end());
}

void VolatileStore::Flush(Done done) {
  if (queue_ == nullptr) return done(absl::OkStatus());
  buffers_->SubmitAll();
  pending_flushes_.push_back({told_losses_, std::move(done)});
  RunPending();
}

absl::Status VolatileStore::Drain() {
  if (queue_ == nullptr) return absl::OkStatus();
  buffers_->SubmitAll();
  GLEANER_RETURN_IF_ERROR(Poll());
  while (queue_->in_flight() > 0 || !buffers_->idle() || !fills_.empty() ||
         !pending_flushes_.empty() || cleaner_->busy())
    GLEANER_RETURN_IF_ERROR(Told(ProgressOfAll()));
  return TakeError();
}

void VolatileStore::ResetReleasedZones(uint64_t released_before, Done done) {
  if (queue_ == nullptr || !options_.device->geometry().zoned())
    return done(absl::OkStatus());
  struct Resets {
    int left = 1;  // one while they are still being submitted
    absl::Status status;
    Done done;
    void Finish(const absl::Status& s) {
      if (status.ok()) status = s;
      if (--left == 0) done(status);
    }
  };
  auto resets = std::make_shared<Resets>();
  resets->done = std::move(done);
  table_.ForEachReleased(released_before, [&](SegmentId id) {
    const DeviceBlock zone = layout_.ToDevice(geometry_.first_block(id));
    absl::Status status;
    do {
      status = queue_->ZoneReset(
          zone, [resets](const OpResult& r) { resets->Finish(r.status); });
      if (absl::IsResourceExhausted(status)) {
        // Few zones wait at a time, and the queue drains by itself.
        if (absl::Status waited = queue_->Wait(); !waited.ok()) status = waited;
      }
    } while (absl::IsResourceExhausted(status));
    if (status.ok()) {
      ++resets->left;
    } else if (resets->status.ok()) {
      resets->status = status;
    }
  });
  resets->Finish(absl::OkStatus());
}

// A zone is written without gaps: the log goes on where the zone's write pointer stands, or else,
// where the user's blocks follow, what is left of the run is filled up.
void VolatileStore::GiveUpInZone(PhysicalRange reserved) {
  const absl::StatusOr<DeviceBlock> pointer =
      WritePointer(geometry_.segment_of(reserved.start));
  if (!pointer.ok() && error_.ok()) error_ = pointer.status();
  if (pointer.ok() && logs_.EndsWith(reserved)) {
    // What comes before the run may still be on its way.
    const DeviceRange run = layout_.ToDevice(reserved);
    const DeviceBlock next = std::clamp(*pointer, run.start, run.end());
    const uint64_t per_block = layout_.ToDevice(BlockCount(1)).value();
    const BlockCount written((next - run.start).value() / per_block);
    if (layout_.ToDevice(reserved.start + written) == next) {
      buffers_->Unhold(reserved);
      if (written < reserved.count)
        logs_.GiveUp({reserved.start + written, reserved.count - written}, now_blocks_);
      if (written.value() > 0) logs_.Settle({reserved.start, written}, now_blocks_);
      return;
    }
  }
  fills_.push_back({reserved});
  StartFills();
}

absl::StatusOr<DeviceBlock> VolatileStore::WritePointer(SegmentId zone) const {
  GLEANER_ASSIGN_OR_RETURN(
      const std::vector<ZoneInfo> zones,
      options_.device->ReportZones(
          {layout_.ToDevice(geometry_.first_block(zone)), DeviceBlockCount(1)}));
  return zones.front().write_pointer;
}

// Each once all before it in its zone is written. One that fails is tried again.
void VolatileStore::StartFills() {
  for (Fill& fill : fills_) {
    if (fill.in_flight || !buffers_->IsNext(fill.run)) continue;
    const DeviceRange run = layout_.ToDevice(fill.run);
    const absl::StatusOr<DeviceBlock> pointer =
        WritePointer(geometry_.segment_of(fill.run.start));
    absl::Status status = pointer.status();
    if (status.ok()) {
      const DeviceBlock next = std::clamp(*pointer, run.start, run.end());
      if (next == run.end()) {
        FinishFill(fill.run, absl::OkStatus());
        return StartFills();  // with one less
      }
      status = queue_->WriteZeroes(
          {next, run.end() - next},
          [this, held = fill.run](const OpResult& r) { FinishFill(held, r.status); });
    }
    fill.in_flight = status.ok();
    if (absl::IsResourceExhausted(status)) return;  // a full queue takes it later
    if (!status.ok() && error_.ok()) error_ = status;
  }
}

void VolatileStore::FinishFill(PhysicalRange run, const absl::Status& status) {
  const auto fill = std::find_if(fills_.begin(), fills_.end(), [run](const Fill& f) {
    return f.run.start == run.start;
  });
  if (status.ok()) {
    fills_.erase(fill);
    Settle(run);
  } else {
    fill->in_flight = false;
    if (error_.ok()) error_ = status;
  }
}

// -- Statistics -------------------------------------------------------------------------------

StoreStats VolatileStore::stats() const {
  return {.user_blocks = now_blocks_,
          .cleaner = cleaner_->counters(),
          .relocation = relocator_->counters(),
          .metadata_blocks = 0,
          .mapped_blocks = map_.mapped_blocks().value(),
          .segments = table_.segments(),
          .reserved_segments = logs_.reserved_segments(),
          .open_segments = logs_.classes(),
          .memory_bytes = map_.memory_bytes() + reverse_.memory_bytes() +
                          liveness_.memory_bytes() + table_.memory_bytes() +
                          options_.placement->memory_bytes()};
}

uint64_t VolatileStore::CountExtents() const {
  return map_.CountExtents({Lba(0), BlockCount(options_.volume_blocks)});
}

}  // namespace gleaner
