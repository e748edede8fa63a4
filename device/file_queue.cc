#include "device/file_queue.h"

#include <fcntl.h>
#include <linux/falloc.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "device/errno_status.h"

namespace gleaner {

FileQueue::FileQueue(Device* device, FileKind kind, int depth)
    : IoQueue(device, depth), kind_(kind), transfers_(depth) {}

absl::StatusOr<std::unique_ptr<IoQueue>> FileQueue::Create(Device* device, int fd,
                                                           FileKind kind, int depth) {
  std::unique_ptr<FileQueue> queue(new FileQueue(device, kind, depth));
  const int error = queue->ring_.Open(depth, fd, 0);
  if (error != 0) {
    return absl::UnavailableError(
        ErrnoStatus(error, absl::StrCat(device->name(), ": cannot set up io_uring"))
            .message());
  }
  return queue;
}

void FileQueue::DoStart(uint32_t id, const Piece& piece) {
  const uint64_t block_bytes = device().geometry().block_bytes;
  transfers_[id] = {piece.range.start.value() * block_bytes,
                    piece.range.count.value() * block_bytes, piece.data, false};
  Prepare(id);
}

void FileQueue::Prepare(uint32_t id) {
  // The ring has room for every piece, and a piece has one entry at a time.
  io_uring_sqe* sqe = ring_.Next();
  Transfer& t = transfers_[id];
  switch (piece(id).type) {
    case OpType::kRead:
      io_uring_prep_read(sqe, Ring::kFile, t.data, static_cast<unsigned>(t.left),
                         t.offset);
      break;
    case OpType::kWrite:
      io_uring_prep_write(sqe, Ring::kFile, t.data, static_cast<unsigned>(t.left),
                          t.offset);
      break;
    case OpType::kWriteZeroes:
      PrepareZeroes(sqe, t);
      break;
    case OpType::kDeallocate:
      io_uring_prep_fallocate(sqe, Ring::kFile,
                              FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                              static_cast<off_t>(t.offset), static_cast<off_t>(t.left));
      break;
    case OpType::kFlush:
      io_uring_prep_fsync(sqe, Ring::kFile, IORING_FSYNC_DATASYNC);
      break;
    case OpType::kAppend:
    case OpType::kCopy:
    case OpType::kZoneOpen:
    case OpType::kZoneClose:
    case OpType::kZoneFinish:
    case OpType::kZoneReset:
      GLEANER_CHECK(false);  // refused by the base class: no zones, no Copy
  }
  ring_.Tag(sqe, id);
}

void FileQueue::PrepareZeroes(io_uring_sqe* sqe, Transfer& t) {
  if (!t.zeroes_by_writing) {
    // A hole reads as zeroes. A block device is asked for zeroes outright, by whatever
    // means.
    const int mode =
        kind_ == FileKind::kRegular ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
    io_uring_prep_fallocate(sqe, Ring::kFile, mode | FALLOC_FL_KEEP_SIZE,
                            static_cast<off_t>(t.offset), static_cast<off_t>(t.left));
    return;
  }
  if (zeroes_.size() == 0) {
    const Geometry& g = device().geometry();
    zeroes_ = AlignedBuffer(g.max_transfer.value() * g.block_bytes);
  }
  t.data = zeroes_.data();
  io_uring_prep_write(sqe, Ring::kFile, t.data, static_cast<unsigned>(t.left), t.offset);
}

void FileQueue::DoReap(ReapMode mode) {
  ring_.Enter(mode == ReapMode::kWait ? Ring::Wait::kForOne : Ring::Wait::kNo);
  ring_.Reap([this](uint32_t id, const io_uring_cqe& cqe) { Complete(id, cqe.res); });
}

void FileQueue::Complete(uint32_t id, int result) {
  const OpType type = piece(id).type;
  if (result == -EINTR || result == -EAGAIN) {
    Prepare(id);
    return;
  }
  if (result == -EOPNOTSUPP && type == OpType::kWriteZeroes) {
    transfers_[id].zeroes_by_writing = true;
    Prepare(id);
    return;
  }
  if (result == -EOPNOTSUPP && type == OpType::kDeallocate) result = 0;  // it is a hint
  if (result < 0) {
    Fail(id, -result);
  } else if (type == OpType::kRead || type == OpType::kWrite ||
             transfers_[id].zeroes_by_writing) {
    CompleteTransfer(id, result);
  } else {
    Finish(id, OpResult());
  }
}

void FileQueue::CompleteTransfer(uint32_t id, int result) {
  Transfer& t = transfers_[id];
  const uint64_t n = static_cast<uint64_t>(result);
  GLEANER_CHECK(n <= t.left);
  t.offset += n;
  t.left -= n;
  t.data += n;
  if (t.left == 0) {
    Finish(id, OpResult());
  } else if (n == 0) {  // the file has become shorter
    Fail(id, EIO);
  } else {
    Prepare(id);
  }
}

void FileQueue::Fail(uint32_t id, int error) {
  const OpType type = piece(id).type;
  std::string what = absl::StrCat(device().name(), ": ", OpName(type));
  if (type != OpType::kFlush) {
    absl::StrAppend(&what, " at block ",
                    transfers_[id].offset / device().geometry().block_bytes);
  }
  OpResult result;
  result.status = ErrnoStatus(error, what);
  Finish(id, result);
}

}  // namespace gleaner
