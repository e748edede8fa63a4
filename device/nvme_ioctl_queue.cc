// The synchronous way: an ioctl, on threads of the queue's own.
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <optional>

#include "device/command_threads.h"
#include "device/nvme_queue.h"

namespace gleaner {
namespace {

class NvmeIoctlQueue : public NvmeQueue {
 public:
  NvmeIoctlQueue(Device* device, const NvmeIo& io, int depth)
      : NvmeQueue(device, io, depth),
        threads_(depth, [&io](const NvmeCommand& command, int pauses) {
          return Run(io.fd, command, pauses);
        }) {}

 protected:
  void Send(uint32_t id, const NvmeCommand& command) override {
    threads_.Send(id, command);
  }
  void DoReap(ReapMode mode) override {
    threads_.Reap(mode == ReapMode::kWait,
                  [this](uint32_t id, const Completion& done) { Complete(id, done); });
  }

 private:
  static std::optional<Completion> Run(int fd, const NvmeCommand& command, int pauses) {
    Completion completion;
    completion.error = RunNvmeCommand(fd, command, completion.status, completion.result);
    if (completion.error == EAGAIN) {  // no path to a namespace that could have several
      if (pauses < kMaxNvmePauses) return std::nullopt;
      completion.error = ENODEV;
    }
    return completion;
  }

  CommandThreads<NvmeCommand, Completion> threads_;
};

}  // namespace

std::unique_ptr<IoQueue> OpenNvmeIoctlQueue(Device* device, const NvmeIo& io, int depth) {
  return std::make_unique<NvmeIoctlQueue>(device, io, depth);
}

int RunNvmeCommand(int fd, const NvmeCommand& command, uint16_t& status,
                   uint64_t& result) {
  auto body = BodyOf<nvme_passthru_cmd64>(command);
  const int returned = ioctl(fd, NVME_IOCTL_IO64_CMD, &body);
  if (returned < 0) return errno;
  status = static_cast<uint16_t>(returned);
  result = body.result;
  return 0;
}

}  // namespace gleaner
