// Gathers what a store appends to its logs into large aligned writes.
//
//   AppendBuffers buffers(queue.get(), layout, geometry, {.block_bytes = 4096, .classes = 2});
//   while (!buffers.CanStage()) GLEANER_RETURN_IF_ERROR(queue->Wait());
//   buffers.Stage(ClassId(0), run, data);
//   buffers.SubmitAll();
//   while (!buffers.idle()) { buffers.Pump(); GLEANER_RETURN_IF_ERROR(queue->Wait()); }
//
// One buffer per class fills at a time; full ones are written in the order of their blocks within
// a segment. On a zoned device a class is written strictly in order: one write is in flight, and
// what was staged after a run was reserved waits until the run is settled. So a zone is full before
// its class begins the next one, and no more zones are open, or closed, than there are classes.
//
// A write that failed keeps its buffer, and its blocks can still be found; nothing more is submitted
// until TakeStatus has told of the error, then it is tried again. In a zone it goes on at the write
// pointer; what the failed write has left before that is read first, and must be what was written.
//
// Thread-compatible. Completions run when the queue is polled; Pump submits what became possible.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/types.h"
#include "device/aligned_buffer.h"
#include "device/device.h"
#include "extent_map/segment_geometry.h"
#include "gc/block_layout.h"

namespace gleaner {

class AppendBuffers {
 public:
  struct Options {
    uint32_t block_bytes = 4096;
    uint32_t classes = 1;
    // The largest write. Larger: fewer writes, more memory.
    uint32_t buffer_blocks = 64;
    // Buffers beside one per class: writes that can be under way at once.
    uint32_t spare_buffers = 16;
  };

  // The queue, one of the device, must outlive this, and is polled by the caller.
  AppendBuffers(IoQueue* queue, Device* device, const BlockLayout& layout,
                const SegmentGeometry& geometry, const Options& options);

  // Whether Stage can take any run. If not: no buffer is free until a write completes.
  bool CanStage() const { return !free_.empty(); }
  // Takes the data of `run`, at most max_run_blocks() of one segment, which follows what was
  // staged in that segment before. Only if CanStage().
  void Stage(ClassId log_class, PhysicalRange run, const char* data);
  uint64_t max_run_blocks() const { return options_.buffer_blocks; }

  // Hands partly filled buffers over for writing, too.
  void SubmitAll();
  void Submit(ClassId log_class);
  // Submits what waits and is allowed to go.
  void Pump();

  // Nothing staged, waiting or in flight.
  bool idle() const { return waiting_.empty() && in_flight_.empty() && !AnyStaged(); }
  // The same for one segment, or for what lies in it before `end`.
  bool WrittenBefore(SegmentId segment, PhysicalBlock end) const;

  // The data of a block that is not yet on the device; null if it is there.
  const char* Find(PhysicalBlock block) const;

  // A run of a class that someone else writes: on a zoned device what is staged for the class from
  // now on waits.
  void Hold(ClassId log_class, PhysicalRange run);
  void Unhold(PhysicalRange part);
  // Whether all of its class that was staged before held `run` is written: it may be begun, unless
  // something else that was held before it is still to be written.
  bool IsReached(PhysicalRange run) const;
  // The same, and it is the first that its class holds.
  bool IsNext(PhysicalRange run) const;

  // The first error of a write since this was last called.
  absl::Status TakeStatus() { return std::exchange(status_, absl::OkStatus()); }
  uint64_t blocks_written() const { return blocks_written_; }

 private:
  struct Buffer {
    AlignedBuffer memory;
    ClassId log_class;
    PhysicalRange run;    // what it holds
    uint64_t number = 0;  // its turn, among buffers and held runs
    // In a zone, once a write of it has failed:
    bool failed = false;
    DeviceBlockCount arrived;  // has been read and is right
    AlignedBuffer read;
  };
  struct Held {
    ClassId log_class;
    PhysicalRange run;
    uint64_t number = 0;
  };
  using BufferPtr = std::unique_ptr<Buffer>;

  bool AnyStaged() const;
  bool MayGo(const Buffer& buffer) const;
  bool IsHeldBefore(ClassId log_class, uint64_t number) const;
  const Held* FindHeld(PhysicalRange run) const;
  bool Start(BufferPtr& buffer);
  absl::Status Send(Buffer* buffer);
  absl::Status ReadArrived(Buffer* buffer, DeviceRange range);
  void EndRead(Buffer* buffer, DeviceRange range, absl::Status status);
  void Finish(Buffer* written, const absl::Status& status);
  BufferPtr TakeFromFlight(const Buffer* buffer);
  template <typename Visit>
  bool AnyOf(Visit visit) const;

  IoQueue* const queue_;
  Device* const device_;
  const bool zoned_;
  const BlockLayout layout_;
  const SegmentGeometry geometry_;
  const Options options_;
  std::vector<BufferPtr> staged_;  // by class; null: none
  std::deque<BufferPtr>
      waiting_;  // not yet submitted, or failed; in order within a class
  std::vector<BufferPtr> in_flight_;
  std::vector<BufferPtr> free_;
  std::vector<Held> holds_;
  uint64_t next_number_ = 0;
  absl::Status status_;
  uint64_t blocks_written_ = 0;
};

}  // namespace gleaner
