// The asynchronous way: io_uring passthrough to a generic node, with 128-byte entries that hold a
// command, and 32-byte completions that hold its result. Since Linux 5.19.
#include <linux/nvme_ioctl.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "device/errno_status.h"
#include "device/nvme_queue.h"
#include "device/ring.h"

namespace gleaner {
namespace {

constexpr unsigned kRingFlags = IORING_SETUP_SQE128 | IORING_SETUP_CQE32;

void Prepare(io_uring_sqe* sqe, const NvmeCommand& command) {
  constexpr size_t kEntryBytes = 128;
  std::memset(static_cast<void*>(sqe), 0, kEntryBytes);
  sqe->opcode = IORING_OP_URING_CMD;
  sqe->fd = Ring::kFile;
  sqe->cmd_op = NVME_URING_CMD_IO;
  const auto body = BodyOf<nvme_uring_cmd>(command);
  static_assert(offsetof(io_uring_sqe, cmd) + sizeof(body) <= kEntryBytes);
  std::memcpy(reinterpret_cast<char*>(sqe) + offsetof(io_uring_sqe, cmd), &body,
              sizeof(body));
}

class NvmeRingQueue : public NvmeQueue {
 public:
  NvmeRingQueue(Device* device, const NvmeIo& io, int depth)
      : NvmeQueue(device, io, depth), sent_(depth) {}
  int OpenRing() { return ring_.Open(depth(), io().fd, kRingFlags); }

 protected:
  void Send(uint32_t id, const NvmeCommand& command) override {
    sent_[id] = {command, 0};
    SendAgain(id);
  }
  void DoReap(ReapMode mode) override {
    ring_.Enter(mode == ReapMode::kWait ? Ring::Wait::kForOne : Ring::Wait::kNo);
    ring_.Reap([this](uint32_t id, const io_uring_cqe& cqe) {
      if ((id & kPause) != 0) {
        SendAgain(id & ~kPause);
      } else {
        Ended(id, cqe);
      }
    });
  }

 private:
  struct Sent {
    NvmeCommand command;
    int pauses = 0;
  };
  // Beside a piece's number: that what ended is a pause before it is sent again.
  static constexpr uint32_t kPause = 1u << 31;

  // The ring has room for every piece, and a piece has one entry at a time.
  void SendAgain(uint32_t id) {
    io_uring_sqe* sqe = ring_.Next();
    Prepare(sqe, sent_[id].command);
    ring_.Tag(sqe, id);
  }
  void Ended(uint32_t id, const io_uring_cqe& cqe) {
    Completion completion;
    // Of a well-formed command, EINVAL is how the driver says that there is no path to a
    // namespace that could have several.
    const bool no_path = cqe.res == -EINVAL || cqe.res == -EAGAIN;
    if (no_path && sent_[id].pauses < kMaxNvmePauses) {
      ++sent_[id].pauses;
      ring_.Pause(id | kPause);
      return;
    }
    if (cqe.res < 0) {
      completion.error = no_path ? ENODEV : -cqe.res;
    } else {
      completion.status = static_cast<uint16_t>(cqe.res);
      completion.result = cqe.big_cqe[0];
    }
    Complete(id, completion);
  }

  std::vector<Sent> sent_;  // by piece
  Ring ring_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<IoQueue>> OpenNvmeRingQueue(Device* device,
                                                           const NvmeIo& io, int depth) {
  auto queue = std::make_unique<NvmeRingQueue>(device, io, depth);
  const int error = queue->OpenRing();
  if (error != 0) {
    return absl::UnavailableError(
        ErrnoStatus(error, absl::StrCat(device->name(), ": cannot set up io_uring"))
            .message());
  }
  return queue;
}

int ProbeNvmeRing(int fd, const NvmeNamespace& space) {
  AlignedBuffer block(space.block_bytes);
  Ring ring;
  if (const int error = ring.Open(1, fd, kRingFlags); error != 0) return error;
  io_uring_sqe* sqe = ring.Next();
  Prepare(sqe, EncodeRead(space, {DeviceBlock(0), DeviceBlockCount(1)}, block.data()));
  ring.Tag(sqe, 0);
  bool done = false;
  int error = 0;
  while (!done) {
    ring.Enter(Ring::Wait::kForOne);
    ring.Reap([&](uint32_t, const io_uring_cqe& cqe) {
      done = true;
      // Whatever else went wrong, the command went through, and the ioctl would fare no better.
      if (cqe.res == -EOPNOTSUPP || cqe.res == -EINVAL || cqe.res == -ENOTTY ||
          cqe.res == -ENOSYS)
        error = -cqe.res;
    });
  }
  return error;
}

}  // namespace gleaner
