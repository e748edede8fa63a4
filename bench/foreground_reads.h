// Reads of one block each at a steady rate, as somebody else's, and how long each takes: what
// cleaning does to those who use the device meanwhile.
//
//   ForegroundReads reads(&device, block_bytes, /*per_second=*/200);
//   reads.Resume();
//   ... clean ...
//   reads.Pause();
//   reads.Percentile(0.99);
//
// Open loop: a read is due at its time however long the ones before it take, and its latency counts
// from then. It owns a thread; its functions are called from one thread at a time.
#pragma once

#include <cstdint>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/types.h"
#include "device/device.h"

namespace gleaner {

class ForegroundReads {
 public:
  // `device` must outlive this. `block_bytes`: of a read, a multiple of the device block.
  ForegroundReads(Device* device, uint32_t block_bytes, uint32_t per_second);
  ~ForegroundReads();

  void Resume();
  void Pause();  // returns when no read is under way

  // Between Pause and Resume.
  uint64_t count() const { return latencies_.size(); }
  absl::Duration Percentile(double share);
  const absl::Status& status() const { return status_; }  // the first error

 private:
  void Loop(IoQueue& queue);
  bool WaitForWork();

  Device& device_;
  const uint32_t block_bytes_;
  const absl::Duration interval_;
  Mutex mu_;
  CondVar changed_;
  bool running_ ABSL_GUARDED_BY(mu_) = false;
  bool busy_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  // The thread's while it is busy, else the caller's.
  absl::Status status_;
  std::vector<absl::Duration> latencies_;
  std::thread thread_;  // last: it uses all the others
};

}  // namespace gleaner
