// The queues of an NVMe device: what is the same whichever way commands take to the driver, and
// the two ways.
//
//   NvmeIo io{.fd = fd, .space = space};
//   GLEANER_ASSIGN_OR_RETURN(auto queue, OpenNvmeRingQueue(device, io, 32));
//
// Internal to the nvme backend. A queue belongs to one thread, as every IoQueue.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "device/aligned_buffer.h"
#include "device/device.h"
#include "device/nvme_encoding.h"

namespace gleaner {

// Which zones have a write or copy in flight, from any queue. Thread-safe.
class ZoneLatches {
 public:
  explicit ZoneLatches(const Geometry& geometry)
      : geometry_(geometry), taken_(geometry.zoned() ? geometry.zones() : 0) {}
  // False if the zone of `block` is taken already.
  bool TryTake(DeviceBlock block) { return !taken_[Index(block)].exchange(true); }
  void Release(DeviceBlock block) { taken_[Index(block)] = false; }

 private:
  size_t Index(DeviceBlock block) const {
    return block.value() / geometry_.zone_size.value();
  }
  const Geometry geometry_;
  std::vector<std::atomic<bool>> taken_;
};

// What a device tells its queues; lives as long as the device.
struct NvmeIo {
  int fd = -1;
  NvmeNamespace space;
  // The most that one command zeroes or deallocates; 0: there is no such command. Then zeroes are
  // written, and blocks are left as they are: Deallocate promises nothing of their contents.
  uint64_t max_zeroes_blocks = 0;
  uint64_t max_deallocate_blocks = 0;
  uint16_t placement_types = 0;    // bit n: DTYPE n means something
  ZoneLatches* latches = nullptr;  // null: not zoned
};

// A device of this backend, as those see it that copy from it.
class NvmeSource : public Device {
 public:
  virtual const NvmeNamespace& space() const = 0;

 protected:
  using Device::Device;
};

// A command as the kernel takes it: the ioctl's structure and that of passthrough name their fields
// alike.
template <typename Body>
Body BodyOf(const NvmeCommand& command) {
  Body body = {};
  body.opcode = command.opcode;
  body.nsid = command.nsid;
  body.addr = reinterpret_cast<uint64_t>(command.data);
  body.data_len = command.data_bytes;
  body.cdw10 = command.cdw10;
  body.cdw11 = command.cdw11;
  body.cdw12 = command.cdw12;
  body.cdw13 = command.cdw13;
  return body;
}

class NvmeQueue : public IoQueue {
 public:
  ~NvmeQueue() override;

 protected:
  // How a command ended.
  struct Completion {
    int error = 0;        // an errno: the command did not reach the controller
    uint16_t status = 0;  // as Linux has it
    uint64_t result = 0;  // Dwords 0 and 1
  };

  NvmeQueue(Device* device, const NvmeIo& io, int depth);

  // Starts a command for piece `id`, which has no other in flight. Must not block, nor call
  // Complete.
  virtual void Send(uint32_t id, const NvmeCommand& command) = 0;
  // Told once for each command, from DoReap. May call Send.
  void Complete(uint32_t id, const Completion& completion);
  const NvmeIo& io() const { return io_; }

  void DoStart(uint32_t id, const Piece& piece) final;

 private:
  struct Slot {
    DeviceBlockCount sent;  // by commands that succeeded
    DeviceBlockCount sending;
    std::vector<char> list;  // ranges of a copy or deallocation
    bool has_latch = false;
  };

  void SendNext(uint32_t id);
  bool CanRepeat(OpType type) const;
  NvmeCommand NextCommand(const Piece& piece, Slot& slot);
  NvmeCommand NextZeroes(DeviceRange left, Slot& slot);
  void End(uint32_t id, const OpResult& result);
  void Fail(uint32_t id, const Completion& completion);

  const NvmeIo& io_;
  std::vector<Slot> slots_;
  AlignedBuffer zeroes_;  // max_transfer, once it is needed
};

// While a controller is reset, its namespaces take no commands; after this many pauses of a tenth
// of a second each, a command is given up.
inline constexpr int kMaxNvmePauses = 50;

// Commands through io_uring passthrough: `io.fd` is a generic node. Unavailable: no ring is to
// be had, or no more of them.
absl::StatusOr<std::unique_ptr<IoQueue>> OpenNvmeRingQueue(Device* device,
                                                           const NvmeIo& io, int depth);
// Whether the kernel has such passthrough for `fd`: 0, or the errno that says why not. Reads the
// first block.
int ProbeNvmeRing(int fd, const NvmeNamespace& space);

// Commands through the ioctl, which blocks until the command is done: each queue has threads of
// its own for that, at most eight, so that submitting and polling still never block. No more
// commands than threads reach the device at a time.
std::unique_ptr<IoQueue> OpenNvmeIoctlQueue(Device* device, const NvmeIo& io, int depth);

// Runs one command by the ioctl; blocks. An errno, or 0 with the status and result set.
int RunNvmeCommand(int fd, const NvmeCommand& command, uint16_t& status,
                   uint64_t& result);

}  // namespace gleaner
