// Keeps what a device run must find in every block, writes stamps and checks them.
//
//   Verifier verifier(&store, {.volume_blocks = n, .block_bytes = 4096, .seed = 1});
//   GLEANER_RETURN_IF_ERROR(verifier.Write({Lba(7), BlockCount(2)}));
//   GLEANER_RETURN_IF_ERROR(verifier.CheckAll());
//
// 4 bytes per volume block and the buffers of the reads under way. Thread-compatible.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/random.h"
#include "base/types.h"
#include "device/aligned_buffer.h"
#include "store/store.h"

namespace gleaner {

class Verifier {
 public:
  struct Options {
    uint64_t volume_blocks = 0;
    uint32_t block_bytes = 4096;
    uint64_t seed = 0;
    // One block is read back and checked for this many written. Smaller: slower runs.
    uint32_t sample_every_blocks = 256;
    // Where a block lies on the device, for messages.
    std::function<PhysicalBlock(Lba)> locate;
  };

  // The store must outlive the verifier, and be drained before the verifier is destroyed.
  Verifier(Store* store, Options options);

  absl::Status Write(LbaRange range);
  absl::Status Trim(LbaRange range);
  // Starts reading `range`; what it finds is checked when it arrives, and an error is returned by
  // a later call.
  absl::Status Read(LbaRange range);
  // Reads the whole volume and checks it. DataLoss names the first bad block's addresses.
  absl::Status CheckAll();

  uint64_t verified_blocks() const { return verified_blocks_; }
  uint64_t read_blocks() const {
    return read_blocks_;
  }  // by Read, samples and CheckAll apart

 private:
  static constexpr uint32_t kReadBlocks = 64;
  static constexpr size_t kReads = 32;

  struct ReadSlot {
    AlignedBuffer buffer;
    std::vector<uint32_t> generations;
  };

  absl::Status StartRead(LbaRange range);
  absl::Status CheckSlot(LbaRange range, const ReadSlot& slot) const;

  Store* const store_;
  const Options options_;
  Random random_;
  std::vector<uint32_t> generations_;  // by lba
  AlignedBuffer write_buffer_;
  std::vector<std::unique_ptr<ReadSlot>> free_slots_;
  absl::Status error_;
  uint64_t until_sample_ = 0;
  uint64_t verified_blocks_ = 0;
  uint64_t read_blocks_ = 0;
};

}  // namespace gleaner
