// An io_uring on one file: set up, told apart by ids, and drained before it goes.
//
//   Ring ring;
//   if (int error = ring.Open(32, fd, 0); error != 0) return ErrnoStatus(error, "...");
//   io_uring_sqe* sqe = ring.Next();
//   io_uring_prep_read(sqe, Ring::kFile, data, bytes, offset);
//   ring.Tag(sqe, id);
//   ring.Enter(Ring::Wait::kForOne);
//   ring.Reap([&](uint32_t id, const io_uring_cqe& cqe) { ... });
//
// Internal to the backends. Belongs to one thread.
#pragma once

#include <liburing.h>

#include <cstdint>

namespace gleaner {

class Ring {
 public:
  // What stands for the file in an entry.
  static constexpr int kFile = 0;
  enum class Wait : uint8_t { kNo, kForOne };

  Ring() = default;
  // Waits for what the kernel has begun; what it has not been told of never happens.
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // A ring of `depth` entries on `fd`, which must stay open as long as the ring. `flags`:
  // IORING_SETUP_…, of which kernels may know too little. Returns 0 or an errno. At most once.
  int Open(int depth, int fd, unsigned flags);

  // A free entry to prepare: never more than `depth` at a time before they are reaped.
  io_uring_sqe* Next();
  // After preparing it, which overwrites this: whose it is.
  void Tag(io_uring_sqe* sqe, uint32_t id);

  // Takes an entry for a pause: reported as `id` after about a tenth of a second.
  void Pause(uint32_t id);

  // Hands the entries to the kernel.
  void Enter(Wait wait);
  // Calls f(id, cqe) for everything that is done; f may prepare entries.
  template <typename F>
  void Reap(F f) {
    io_uring_cqe* cqes[64];
    unsigned n;
    while ((n = io_uring_peek_batch_cqe(&ring_, cqes, 64)) > 0) {
      in_ring_ -= n;
      for (unsigned i = 0; i < n; ++i) {
        f(static_cast<uint32_t>(io_uring_cqe_get_data64(cqes[i])), *cqes[i]);
      }
      io_uring_cq_advance(&ring_, n);
    }
  }

 private:
  io_uring ring_ = {};
  bool is_up_ = false;
  uint32_t in_ring_ = 0;  // entries that the ring or the kernel has
};

}  // namespace gleaner
