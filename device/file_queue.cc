#include "device/file_queue.h"

#include <fcntl.h>
#include <linux/falloc.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "device/errno_status.h"

namespace gleaner {
namespace {

// The only registered file.
constexpr int kFileIndex = 0;

// The kernel hands the memory of a ring that was closed to the next one. Counting before the one
// and after the other orders what two threads do to it in a way that ThreadSanitizer can see.
std::atomic<int> rings_up{0};

int SetUpRing(int depth, int fd, io_uring* ring) {
  // No interrupts of the thread for completions that it fetches itself; Linux 5.19.
  int error = io_uring_queue_init(depth, ring,
                                  IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG);
  if (error == -EINVAL) error = io_uring_queue_init(depth, ring, 0);
  if (error < 0) return -error;
  error = io_uring_register_files(ring, &fd, 1);
  if (error < 0) io_uring_queue_exit(ring);
  return -error;
}

}  // namespace

FileQueue::FileQueue(Device* device, FileKind kind, int depth)
    : IoQueue(device, depth), kind_(kind), transfers_(depth) {}

absl::StatusOr<std::unique_ptr<IoQueue>> FileQueue::Create(Device* device, int fd,
                                                           FileKind kind, int depth) {
  std::unique_ptr<FileQueue> queue(new FileQueue(device, kind, depth));
  const int error = SetUpRing(depth, fd, &queue->ring_);
  if (error != 0) {
    return absl::UnavailableError(
        ErrnoStatus(error, absl::StrCat(device->name(), ": cannot set up io_uring"))
            .message());
  }
  rings_up.fetch_add(1, std::memory_order_acquire);
  queue->ring_is_up_ = true;
  return queue;
}

FileQueue::~FileQueue() {
  if (!ring_is_up_) return;
  // What was not yet submitted never will be; the kernel still uses the buffers of the
  // rest.
  uint32_t in_kernel = started_ - io_uring_sq_ready(&ring_);
  while (in_kernel > 0) {
    io_uring_cqe* cqe;
    if (io_uring_wait_cqe(&ring_, &cqe) != 0) continue;
    io_uring_cqe_seen(&ring_, cqe);
    --in_kernel;
  }
  // The kernel takes a ring down some time after it is closed; until then a registered
  // file stays open, and locked, for the next one who wants it.
  io_uring_unregister_files(&ring_);
  rings_up.fetch_sub(1, std::memory_order_release);
  io_uring_queue_exit(&ring_);
}

void FileQueue::DoStart(uint32_t id, const Piece& piece) {
  const uint64_t block_bytes = device().geometry().block_bytes;
  transfers_[id] = {piece.range.start.value() * block_bytes,
                    piece.range.count.value() * block_bytes, piece.data, false};
  ++started_;
  Prepare(id);
}

void FileQueue::Prepare(uint32_t id) {
  // Never null: the ring has room for every piece, and a piece has one entry at a time.
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  GLEANER_CHECK(sqe != nullptr);
  Transfer& t = transfers_[id];
  switch (piece(id).type) {
    case OpType::kRead:
      io_uring_prep_read(sqe, kFileIndex, t.data, static_cast<unsigned>(t.left),
                         t.offset);
      break;
    case OpType::kWrite:
      io_uring_prep_write(sqe, kFileIndex, t.data, static_cast<unsigned>(t.left),
                          t.offset);
      break;
    case OpType::kWriteZeroes:
      PrepareZeroes(sqe, t);
      break;
    case OpType::kDeallocate:
      io_uring_prep_fallocate(sqe, kFileIndex, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                              static_cast<off_t>(t.offset), static_cast<off_t>(t.left));
      break;
    case OpType::kFlush:
      io_uring_prep_fsync(sqe, kFileIndex, IORING_FSYNC_DATASYNC);
      break;
    case OpType::kAppend:
    case OpType::kCopy:
    case OpType::kZoneOpen:
    case OpType::kZoneClose:
    case OpType::kZoneFinish:
    case OpType::kZoneReset:
      GLEANER_CHECK(false);  // refused by the base class: no zones, no Copy
  }
  sqe->flags |= IOSQE_FIXED_FILE;
  io_uring_sqe_set_data64(sqe, id);
}

void FileQueue::PrepareZeroes(io_uring_sqe* sqe, Transfer& t) {
  if (!t.zeroes_by_writing) {
    // A hole reads as zeroes. A block device is asked for zeroes outright, by whatever
    // means.
    const int mode =
        kind_ == FileKind::kRegular ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
    io_uring_prep_fallocate(sqe, kFileIndex, mode | FALLOC_FL_KEEP_SIZE,
                            static_cast<off_t>(t.offset), static_cast<off_t>(t.left));
    return;
  }
  if (zeroes_.size() == 0) {
    const Geometry& g = device().geometry();
    zeroes_ = AlignedBuffer(g.max_transfer.value() * g.block_bytes);
  }
  t.data = zeroes_.data();
  io_uring_prep_write(sqe, kFileIndex, t.data, static_cast<unsigned>(t.left), t.offset);
}

void FileQueue::Enter(ReapMode mode) {
  int result = 0;
  if (mode == ReapMode::kWait) {
    result = io_uring_submit_and_wait(&ring_, 1);
  } else if (io_uring_sq_ready(&ring_) > 0) {
    result = io_uring_submit(&ring_);
  }
  // Short of memory or interrupted: what is not submitted yet goes with the next call.
  GLEANER_CHECK(result >= 0 || result == -EINTR || result == -EAGAIN ||
                result == -EBUSY || result == -ENOMEM);
}

void FileQueue::DoReap(ReapMode mode) {
  Enter(mode);
  io_uring_cqe* cqes[64];
  unsigned n;
  while ((n = io_uring_peek_batch_cqe(&ring_, cqes, 64)) > 0) {
    for (unsigned i = 0; i < n; ++i) {
      Complete(static_cast<uint32_t>(io_uring_cqe_get_data64(cqes[i])), cqes[i]->res);
    }
    io_uring_cq_advance(&ring_, n);
  }
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
    --started_;
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
    --started_;
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
  --started_;
  Finish(id, result);
}

}  // namespace gleaner
