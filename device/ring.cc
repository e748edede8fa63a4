#include "device/ring.h"

#include <cerrno>

#include "base/check.h"
#include "base/mutex.h"

namespace gleaner {
namespace {

// Held while a ring's memory is unmapped, and taken once after another is mapped, perhaps in the
// same place. liburing makes these system calls itself, so that ThreadSanitizer would take the
// threads that use the two rings for racing.
Mutex unmapping;

}  // namespace

int Ring::Open(int depth, int fd, unsigned flags) {
  // No interrupts of the thread for completions that it fetches itself; Linux 5.19.
  int error = io_uring_queue_init(
      depth, &ring_, flags | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG);
  if (error == -EINVAL) error = io_uring_queue_init(depth, &ring_, flags);
  if (error < 0) return -error;
  { MutexLock after_unmapping(&unmapping); }
  error = io_uring_register_files(&ring_, &fd, 1);
  if (error < 0) {
    io_uring_queue_exit(&ring_);
    return -error;
  }
  is_up_ = true;
  return 0;
}

Ring::~Ring() {
  if (!is_up_) return;
  // What was not yet submitted never will be; the kernel still uses the buffers of the
  // rest.
  uint32_t in_kernel = in_ring_ - io_uring_sq_ready(&ring_);
  while (in_kernel > 0) {
    io_uring_cqe* cqe;
    if (io_uring_wait_cqe(&ring_, &cqe) != 0) continue;
    io_uring_cqe_seen(&ring_, cqe);
    --in_kernel;
  }
  // The kernel takes a ring down some time after it is closed; until then a registered
  // file stays open, and locked, for the next one who wants it.
  io_uring_unregister_files(&ring_);
  MutexLock lock(&unmapping);
  io_uring_queue_exit(&ring_);
}

io_uring_sqe* Ring::Next() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  GLEANER_CHECK(sqe != nullptr);
  ++in_ring_;
  return sqe;
}

void Ring::Tag(io_uring_sqe* sqe, uint32_t id) {
  sqe->flags |= IOSQE_FIXED_FILE;
  io_uring_sqe_set_data64(sqe, id);
}

void Ring::Pause(uint32_t id) {
  static __kernel_timespec pause = {.tv_sec = 0, .tv_nsec = 100'000'000};
  io_uring_sqe* sqe = Next();
  io_uring_prep_timeout(sqe, &pause, 0, 0);
  io_uring_sqe_set_data64(sqe, id);
}

void Ring::Enter(Wait wait) {
  int result = 0;
  if (wait == Wait::kForOne) {
    result = io_uring_submit_and_wait(&ring_, 1);
  } else if (io_uring_sq_ready(&ring_) > 0) {
    result = io_uring_submit(&ring_);
  }
  // Short of memory or interrupted: what is not submitted yet goes with the next call.
  GLEANER_CHECK(result >= 0 || result == -EINTR || result == -EAGAIN ||
                result == -EBUSY || result == -ENOMEM);
}

}  // namespace gleaner
