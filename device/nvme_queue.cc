#include "device/nvme_queue.h"

#include <algorithm>
#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "device/errno_status.h"

namespace gleaner {
namespace {

bool TakesZone(OpType type) {
  return type == OpType::kWrite || type == OpType::kWriteZeroes || type == OpType::kCopy;
}

}  // namespace

NvmeQueue::NvmeQueue(Device* device, const NvmeIo& io, int depth)
    : IoQueue(device, depth), io_(io), slots_(depth) {}

NvmeQueue::~NvmeQueue() {
  for (size_t id = 0; id < slots_.size(); ++id) {
    if (slots_[id].has_latch) io_.latches->Release(piece(id).range.start);
  }
}

void NvmeQueue::DoStart(uint32_t id, const Piece& piece) {
  Slot& slot = slots_[id];
  slot.sent = DeviceBlockCount(0);
  if (io_.latches != nullptr && TakesZone(piece.type)) {
    if (!io_.latches->TryTake(piece.range.start)) {
      OpResult result;
      result.status = absl::FailedPreconditionError(
          absl::StrCat(device().name(), ": ", OpName(piece.type), " at block ",
                       piece.range.start.value(),
                       ": a write or copy is already in flight to its zone"));
      Finish(id, result);
      return;
    }
    slot.has_latch = true;
  }
  if (piece.type == OpType::kDeallocate && io_.max_deallocate_blocks == 0) {
    Finish(id, OpResult());
    return;
  }
  SendNext(id);
}

void NvmeQueue::SendNext(uint32_t id) {
  Slot& slot = slots_[id];
  slot.sending = piece(id).range.count - slot.sent;
  Send(id, NextCommand(piece(id), slot));
}

// May make slot.sending smaller.
NvmeCommand NvmeQueue::NextCommand(const Piece& piece, Slot& slot) {
  const NvmeNamespace& space = io_.space;
  const DeviceRange left{piece.range.start + slot.sent, slot.sending};
  PlacementHint hint = piece.hint;
  if ((io_.placement_types >> hint.dtype & 1) == 0) hint = PlacementHint();
  switch (piece.type) {
    case OpType::kRead:
      return EncodeRead(space, left, piece.data);
    case OpType::kWrite:
      return EncodeWrite(space, left, piece.data, hint);
    case OpType::kAppend:
      return EncodeAppend(space, left, piece.data, hint);
    case OpType::kWriteZeroes:
      return NextZeroes(left, slot);
    case OpType::kCopy:
      if (piece.from != &device()) {
        // Device::copy_limits_from lets no other device through.
        return EncodeCopyFrom(space, static_cast<const NvmeSource*>(piece.from)->space(),
                              piece.sources, piece.range.start, hint, slot.list);
      }
      return EncodeCopy(space, piece.sources, piece.range.start, hint, slot.list);
    case OpType::kDeallocate:
      slot.sending = std::min(left.count, DeviceBlockCount(io_.max_deallocate_blocks));
      return EncodeDeallocate(space, {left.start, slot.sending}, slot.list);
    case OpType::kFlush:
      return EncodeFlush(space);
    case OpType::kZoneOpen:
    case OpType::kZoneClose:
    case OpType::kZoneFinish:
    case OpType::kZoneReset:
      break;
  }
  return EncodeZoneOperation(space, piece.type, piece.range.start);
}

NvmeCommand NvmeQueue::NextZeroes(DeviceRange left, Slot& slot) {
  if (io_.max_zeroes_blocks != 0) {
    slot.sending = std::min(left.count, DeviceBlockCount(io_.max_zeroes_blocks));
    return EncodeWriteZeroes(io_.space, {left.start, slot.sending});
  }
  const Geometry& g = device().geometry();
  if (zeroes_.size() == 0)
    zeroes_ = AlignedBuffer(g.max_transfer.value() * g.block_bytes);
  return EncodeWrite(io_.space, left, zeroes_.data(), PlacementHint());
}

// After EINTR, with which the driver gives back what was in flight when it reset the controller:
// done or not, nobody knows. What moves a write pointer would do so twice.
bool NvmeQueue::CanRepeat(OpType type) const {
  return type != OpType::kAppend && (io_.latches == nullptr || !TakesZone(type));
}

void NvmeQueue::Complete(uint32_t id, const Completion& completion) {
  if (completion.error == EINTR && CanRepeat(piece(id).type)) {
    SendNext(id);
    return;
  }
  if (completion.error != 0 || completion.status != 0) {
    Fail(id, completion);
    return;
  }
  Slot& slot = slots_[id];
  slot.sent += slot.sending;
  if (slot.sent < piece(id).range.count) {
    SendNext(id);
    return;
  }
  OpResult result;
  if (piece(id).type == OpType::kAppend)
    result.written_at = DecodeAppendedAt(io_.space, completion.result);
  End(id, result);
}

void NvmeQueue::Fail(uint32_t id, const Completion& completion) {
  const Piece& failed = piece(id);
  std::string what = absl::StrCat(device().name(), ": ", OpName(failed.type));
  if (failed.type != OpType::kFlush) {
    const DeviceBlock at = failed.range.start + slots_[id].sent;
    absl::StrAppend(&what, " at block ", at.value());
    if (slots_[id].sending.value() > 1)
      absl::StrAppend(&what, " (", slots_[id].sending.value(), " blocks)");
  }
  OpResult result;
  if (completion.error == EINTR) {
    result.status = absl::UnavailableError(
        absl::StrCat(what, ": cancelled by a reset of the controller"));
  } else if (completion.error != 0) {
    result.status = ErrnoStatus(completion.error, what);
  } else {
    result.nvme = DecodeStatus(completion.status);
    result.status = absl::Status(StatusCodeOf(result.nvme),
                                 absl::StrCat(what, ": ", DescribeStatus(result.nvme)));
    if (failed.type == OpType::kCopy)
      result.ranges_copied = DecodeRangesCopied(completion.result);
  }
  GLEANER_CHECK(!result.status.ok());
  End(id, result);
}

void NvmeQueue::End(uint32_t id, const OpResult& result) {
  Slot& slot = slots_[id];
  if (slot.has_latch) io_.latches->Release(piece(id).range.start);
  slot.has_latch = false;
  Finish(id, result);
}

}  // namespace gleaner
