// The synchronous way: an ioctl, on threads of the queue's own.
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "base/mutex.h"
#include "device/nvme_queue.h"

namespace gleaner {
namespace {

constexpr int kMaxThreads = 8;

class NvmeIoctlQueue : public NvmeQueue {
 public:
  NvmeIoctlQueue(Device* device, const NvmeIo& io, int depth)
      : NvmeQueue(device, io, depth) {
    for (int i = 0; i < std::min(depth, kMaxThreads); ++i)
      threads_.emplace_back([this] { Work(); });
  }
  ~NvmeIoctlQueue() override {
    {
      MutexLock lock(&mu_);
      stopping_ = true;
    }
    work_.SignalAll();
    pause_.SignalAll();
    for (std::thread& thread : threads_) thread.join();
  }

 protected:
  void Send(uint32_t id, const NvmeCommand& command) override {
    {
      MutexLock lock(&mu_);
      waiting_.push_back({id, command, 0});
    }
    work_.Signal();
  }
  void DoReap(ReapMode mode) override {
    reaped_.clear();
    {
      MutexLock lock(&mu_);
      while (mode == ReapMode::kWait && done_.empty()) finished_.Wait(&mu_);
      reaped_.swap(done_);
    }
    for (const auto& [id, completion] : reaped_) Complete(id, completion);
  }

 private:
  struct Waiting {
    uint32_t id = 0;
    NvmeCommand command;
    int pauses = 0;
  };

  void Work() {
    while (true) {
      Waiting next;
      {
        MutexLock lock(&mu_);
        while (waiting_.empty() && !stopping_) work_.Wait(&mu_);
        if (stopping_) return;
        next = waiting_.front();
        waiting_.pop_front();
      }
      Completion completion;
      completion.error =
          RunNvmeCommand(io().fd, next.command, completion.status, completion.result);
      MutexLock lock(&mu_);
      if (completion.error == EAGAIN) {  // no path to a namespace that could have several
        completion.error = ENODEV;
        if (next.pauses < kMaxNvmePauses) {
          pause_.WaitFor(&mu_, absl::Milliseconds(100));
          ++next.pauses;
          waiting_.push_back(next);
          continue;
        }
      }
      done_.emplace_back(next.id, completion);
      finished_.Signal();
    }
  }

  std::vector<std::pair<uint32_t, Completion>> reaped_;  // keeps its memory between uses
  Mutex mu_;
  CondVar work_;
  CondVar finished_;
  CondVar pause_;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  std::vector<std::pair<uint32_t, Completion>> done_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
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
