// The queue of a file device: one io_uring.
//
//   GLEANER_ASSIGN_OR_RETURN(auto queue, FileQueue::Create(device, fd,
//   FileKind::kRegular, 32));
//
// Internal to the file backend. Belongs to one thread, as every IoQueue.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "device/aligned_buffer.h"
#include "device/device.h"
#include "device/ring.h"

namespace gleaner {

enum class FileKind : uint8_t { kRegular, kBlockDevice };

class FileQueue : public IoQueue {
 public:
  // `fd` belongs to the device and stays open as long as the queue. Unavailable: the
  // system offers no io_uring, or no more of them.
  static absl::StatusOr<std::unique_ptr<IoQueue>> Create(Device* device, int fd,
                                                         FileKind kind, int depth);

 protected:
  void DoStart(uint32_t id, const Piece& piece) override;
  void DoReap(ReapMode mode) override;

 private:
  // What is left of a piece to transfer.
  struct Transfer {
    uint64_t offset = 0;  // in the file, bytes
    uint64_t left = 0;    // bytes
    char* data = nullptr;
    bool zeroes_by_writing = false;  // no fallocate here
  };

  FileQueue(Device* device, FileKind kind, int depth);
  void Prepare(uint32_t id);
  void PrepareZeroes(io_uring_sqe* sqe, Transfer& transfer);
  void Complete(uint32_t id, int result);
  void CompleteTransfer(uint32_t id, int result);
  void Fail(uint32_t id, int error);

  const FileKind kind_;
  std::vector<Transfer> transfers_;
  AlignedBuffer zeroes_;  // max_transfer, once it is needed
  Ring ring_;             // goes first: the kernel lets go of the buffers
};

}  // namespace gleaner
