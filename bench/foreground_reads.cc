#include "bench/foreground_reads.h"

#include <algorithm>
#include <cmath>

#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/random.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"

namespace gleaner {

ForegroundReads::ForegroundReads(Device* device, uint32_t block_bytes,
                                 uint32_t per_second)
    : device_(*device),
      block_bytes_(block_bytes),
      interval_(absl::Seconds(1) / per_second),
      thread_([this] {
        auto queue = device_.OpenQueue(/*depth=*/1);
        if (queue.ok()) return Loop(**queue);
        status_ = queue.status();
      }) {}

ForegroundReads::~ForegroundReads() {
  {
    MutexLock lock(&mu_);
    stopped_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void ForegroundReads::Resume() {
  MutexLock lock(&mu_);
  running_ = true;
  changed_.SignalAll();
}

void ForegroundReads::Pause() {
  MutexLock lock(&mu_);
  running_ = false;
  while (busy_) changed_.Wait(&mu_);
}

absl::Duration ForegroundReads::Percentile(double share) {
  if (latencies_.empty()) return absl::ZeroDuration();
  const auto nth = latencies_.begin() +
                   std::lround(share * static_cast<double>(latencies_.size() - 1));
  std::nth_element(latencies_.begin(), nth, latencies_.end());
  return *nth;
}

// False: the end.
bool ForegroundReads::WaitForWork() {
  MutexLock lock(&mu_);
  busy_ = false;
  changed_.SignalAll();
  while (!running_ && !stopped_) changed_.Wait(&mu_);
  busy_ = !stopped_;
  return busy_;
}

void ForegroundReads::Loop(IoQueue& queue) {
  AlignedBuffer buffer(block_bytes_);
  const Clock& clock = Clock::Real();
  Random random(1);
  const DeviceBlockCount length(block_bytes_ / device_.geometry().block_bytes);
  const uint64_t blocks = device_.geometry().capacity.value() / length.value();
  while (WaitForWork()) {
    absl::Duration due = clock.Now();
    for (bool goes_on = true; goes_on;) {
      absl::SleepFor(due - clock.Now());
      const DeviceBlock at(random.Below(blocks) * length.value());
      const absl::Status status = ReadBlocks(queue, {at, length}, buffer.data());
      if (status_.ok()) status_ = status;
      latencies_.push_back(clock.Now() - due);
      due += interval_;
      MutexLock lock(&mu_);
      goes_on = running_ && !stopped_;
    }
  }
}

}  // namespace gleaner
