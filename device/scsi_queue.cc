#include "device/scsi_queue.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "device/aligned_buffer.h"
#include "device/command_threads.h"
#include "device/scsi_command.h"
#include "device/scsi_status.h"

namespace gleaner {
namespace {

class ScsiQueue : public IoQueue {
 public:
  ScsiQueue(Device* device, const ScsiIo& io, int depth)
      : IoQueue(device, depth),
        io_(io),
        slots_(depth),
        threads_(depth, [&io](const Request& request, int pauses) {
          return Run(io, request, pauses);
        }) {}

 protected:
  void DoStart(uint32_t id, const Piece& piece) override;
  void DoReap(ReapMode mode) override {
    threads_.Reap(mode == ReapMode::kWait, [this](uint32_t id, const ScsiResult& result) {
      Complete(id, result);
    });
  }

 private:
  struct Request {
    ScsiCommand command;
    std::vector<char>* list = nullptr;  // of a copy
  };
  struct Slot {
    DeviceBlockCount sent;  // by commands that succeeded
    DeviceBlockCount sending;
    bool by_write_same = false;
    std::vector<char> list;  // of a copy or unmapping
  };

  static std::optional<ScsiResult> Run(const ScsiIo& io, const Request& request,
                                       int pauses);
  void SendNext(uint32_t id);
  ScsiCommand NextCommand(const Piece& piece, Slot& slot);
  ScsiCommand NextZeroes(DeviceRange left, Slot& slot);
  void Complete(uint32_t id, const ScsiResult& result);
  void Fail(uint32_t id, const ScsiResult& result);

  const ScsiIo& io_;
  std::vector<Slot> slots_;
  AlignedBuffer zeroes_;                         // max_transfer, once it is needed
  CommandThreads<Request, ScsiResult> threads_;  // last: gone before what it works on
};

// On a thread of the queue.
std::optional<ScsiResult> ScsiQueue::Run(const ScsiIo& io, const Request& request,
                                         int pauses) {
  ScsiResult result;
  if (request.list == nullptr) {
    result = RunScsiCommand(io.fd, request.command);
  } else {
    const uint8_t slot = io.copy_slots->Take();
    if (io.list_ids == ScsiListIds::kOne) SetListId(slot, *request.list);
    result = RunScsiCommand(io.fd, request.command);
    io.copy_slots->Release(slot);
  }
  const bool is_busy = !Succeeded(result) && RetryOf(result) == ScsiRetry::kLater;
  if (is_busy && pauses < kMaxScsiPauses) return std::nullopt;
  return result;
}

void ScsiQueue::DoStart(uint32_t id, const Piece& piece) {
  slots_[id].sent = DeviceBlockCount(0);
  if (piece.type == OpType::kDeallocate && io_.max_unmap_blocks == 0) {
    Finish(id, OpResult());
    return;
  }
  SendNext(id);
}

void ScsiQueue::SendNext(uint32_t id) {
  Slot& slot = slots_[id];
  slot.sending = piece(id).range.count - slot.sent;
  Request request;
  request.command = NextCommand(piece(id), slot);
  if (piece(id).type == OpType::kCopy) request.list = &slot.list;
  threads_.Send(id, request);
}

// May make slot.sending smaller.
ScsiCommand ScsiQueue::NextCommand(const Piece& piece, Slot& slot) {
  const DeviceRange left{piece.range.start + slot.sent, slot.sending};
  switch (piece.type) {
    case OpType::kRead:
      return EncodeRead(io_.disk, left, piece.data);
    case OpType::kWrite:
      return EncodeWrite(io_.disk, left, piece.data);
    case OpType::kWriteZeroes:
      return NextZeroes(left, slot);
    case OpType::kCopy:
      return EncodeExtendedCopy(io_.disk, io_.designator, piece.sources,
                                piece.range.start, io_.list_ids, slot.list);
    case OpType::kDeallocate:
      slot.sending = std::min(left.count, DeviceBlockCount(io_.max_unmap_blocks));
      return EncodeUnmap(io_.disk, {left.start, slot.sending}, slot.list);
    default:  // there are no zones
      return EncodeSynchronizeCache();
  }
}

ScsiCommand ScsiQueue::NextZeroes(DeviceRange left, Slot& slot) {
  const Geometry& g = device().geometry();
  if (zeroes_.size() == 0)
    zeroes_ = AlignedBuffer(g.max_transfer.value() * g.block_bytes);
  slot.by_write_same = io_.max_zeroes_blocks != 0 && !*io_.no_write_same;
  if (!slot.by_write_same) return EncodeWrite(io_.disk, left, zeroes_.data());
  slot.sending = std::min(left.count, DeviceBlockCount(io_.max_zeroes_blocks));
  return EncodeWriteSame(io_.disk, {left.start, slot.sending}, zeroes_.data());
}

void ScsiQueue::Complete(uint32_t id, const ScsiResult& result) {
  if (!Succeeded(result)) {
    Fail(id, result);
    return;
  }
  Slot& slot = slots_[id];
  slot.sent += slot.sending;
  if (slot.sent < piece(id).range.count) {
    SendNext(id);
    return;
  }
  Finish(id, OpResult());
}

void ScsiQueue::Fail(uint32_t id, const ScsiResult& result) {
  const Piece& failed = piece(id);
  std::string what = absl::StrCat(device().name(), ": ", OpName(failed.type));
  if (failed.type != OpType::kFlush) {
    const DeviceBlock at = failed.range.start + slots_[id].sent;
    absl::StrAppend(&what, " at block ", at.value());
    if (slots_[id].sending.value() > 1)
      absl::StrAppend(&what, " (", slots_[id].sending.value(), " blocks)");
  }
  OpResult failure;
  failure.status = ScsiStatus(result, what);
  failure.answered = Answered(result);
  if (failed.type == OpType::kWriteZeroes && slots_[id].by_write_same &&
      failure.status.code() == absl::StatusCode::kUnimplemented) {
    *io_.no_write_same = true;
    SendNext(id);
    return;
  }
  if (failed.type == OpType::kCopy) {
    failure.ranges_copied = RangesCopied(result);
    failure.too_many_ranges = HasTooManyRanges(result);
  }
  Finish(id, failure);
}

}  // namespace

uint8_t ScsiCopySlots::Take() {
  MutexLock lock(&mu_);
  while (true) {
    const auto slot = std::find(taken_.begin(), taken_.end(), false);
    if (slot != taken_.end()) {
      *slot = true;
      return static_cast<uint8_t>(slot - taken_.begin());
    }
    free_.Wait(&mu_);
  }
}

void ScsiCopySlots::Release(uint8_t slot) {
  {
    MutexLock lock(&mu_);
    taken_[slot] = false;
  }
  free_.Signal();
}

std::unique_ptr<IoQueue> OpenScsiQueue(Device* device, const ScsiIo& io, int depth) {
  return std::make_unique<ScsiQueue>(device, io, depth);
}

}  // namespace gleaner
