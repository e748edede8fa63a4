// The queue of a SCSI disk: commands by SG_IO, which blocks until they are done, on threads of the
// queue's own.
//
//   ScsiIo io{.fd = fd, .disk = disk};
//   auto queue = OpenScsiQueue(device, io, 32);
//
// Internal to the scsi backend. A queue belongs to one thread, as every IoQueue.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "device/device.h"
#include "device/scsi_encoding.h"

namespace gleaner {

// Which copies are in flight, from any queue: no more than the device takes, each with a list
// identifier of its own. Thread-safe.
class ScsiCopySlots {
 public:
  // `copies`: at a time, at most 255; 0: not told.
  explicit ScsiCopySlots(uint8_t copies) : taken_(copies == 0 ? 255 : copies) {}
  // Waits until one is free.
  uint8_t Take();
  void Release(uint8_t slot);

 private:
  Mutex mu_;
  CondVar free_;
  std::vector<bool> taken_ ABSL_GUARDED_BY(mu_);
};

// What a device tells its queues; lives as long as the device.
struct ScsiIo {
  int fd = -1;
  ScsiDisk disk;
  ScsiDesignator designator;
  ScsiListIds list_ids = ScsiListIds::kOne;
  ScsiCopySlots* copy_slots = nullptr;
  // The most that one command zeroes or unmaps; 0: there is no such command. Then zeroes are
  // written, and blocks are left as they are: Deallocate promises nothing of their contents.
  uint64_t max_zeroes_blocks = 0;
  uint64_t max_unmap_blocks = 0;
  // Set by whoever finds out that there is no WRITE SAME although it seemed so.
  std::atomic<bool>* no_write_same = nullptr;
};

// While a disk is busy it takes no commands; after this many pauses of a tenth of a second each, a
// command is given up.
inline constexpr int kMaxScsiPauses = 50;

std::unique_ptr<IoQueue> OpenScsiQueue(Device* device, const ScsiIo& io, int depth);

}  // namespace gleaner
