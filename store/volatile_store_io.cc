// The part of VolatileStore that moves data: reads, flushes, and what waits for the device.
#include <algorithm>
#include <cstring>
#include <utility>

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
  absl::Status status = error_;
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
        if (absl::IsResourceExhausted(status)) status = Progress();
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
  return error_;
}

// Blocks until something that is under way has moved on.
absl::Status VolatileStore::Progress() {
  GLEANER_CHECK(queue_ != nullptr);
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

void VolatileStore::RunPending() {
  if (error_.ok()) error_ = buffers_->status();
  if (pending_extents_.has_value()) {
    const SegmentId victim = pending_extents_->victim;
    if (!error_.ok() || IsWritten(victim)) {
      PendingExtents pending = *std::exchange(pending_extents_, std::nullopt);
      CollectExtents(victim, pending.extents);
      pending.done(error_);
    }
  }
  if (pending_durable_.has_value() &&
      (!error_.ok() || ReleasedAreIdle(pending_durable_->first))) {
    auto pending = *std::exchange(pending_durable_, std::nullopt);
    if (error_.ok()) {
      ResetReleasedZones(std::move(pending.second));
    } else {
      pending.second(error_);
    }
  }
  if (!pending_flushes_.empty() && (buffers_->idle() || !error_.ok())) {
    std::vector<Done> flushes = std::exchange(pending_flushes_, {});
    for (Done& done : flushes) {
      auto shared = std::make_shared<Done>(std::move(done));
      const absl::Status status =
          error_.ok()
              ? queue_->Flush([shared](const OpResult& r) { (*shared)(r.status); })
              : error_;
      if (absl::IsResourceExhausted(status)) {
        pending_flushes_.push_back(std::move(*shared));
      } else if (!status.ok()) {
        (*shared)(status);
      }
    }
  }
}

// Whether a round on `victim` may begin. A zoned device must have no more zones open than there are
// classes: there the round waits for all writes, since its copies may begin a zone, too.
bool VolatileStore::IsWritten(SegmentId victim) const {
  if (options_.device->geometry().zoned()) return buffers_->idle();
  return buffers_->WrittenBefore(victim, geometry_.range_of(victim).end());
}

void VolatileStore::Flush(Done done) {
  if (queue_ == nullptr) return done(absl::OkStatus());
  buffers_->SubmitAll();
  pending_flushes_.push_back(std::move(done));
  RunPending();
}

absl::Status VolatileStore::Drain() {
  if (queue_ == nullptr) return absl::OkStatus();
  buffers_->SubmitAll();
  GLEANER_RETURN_IF_ERROR(Poll());
  while (queue_->in_flight() > 0 || !buffers_->idle() || !pending_flushes_.empty()) {
    // A round under way may hold writes back.
    if (cleaner_->busy()) cleaner_->Step({}, {.now_blocks = now_blocks_});
    GLEANER_RETURN_IF_ERROR(Progress());
  }
  return error_;
}

void VolatileStore::ResetReleasedZones(Done done) {
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
  table_.ForEachReleased([&](SegmentId id) {
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
