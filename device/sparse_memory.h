// A large array of bytes, all zeroes, of which only the touched pages cost memory.
//
//   GLEANER_ASSIGN_OR_RETURN(SparseMemory memory, SparseMemory::Create(100ull << 30));
//   memcpy(memory.data() + offset, ...);
//   memory.Zero(offset, bytes);  // gives whole pages back
//
// Moves, does not copy. Not thread-safe.
#pragma once

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"

namespace gleaner {

class SparseMemory {
 public:
  // ResourceExhausted: not enough address space.
  static absl::StatusOr<SparseMemory> Create(uint64_t bytes);
  ~SparseMemory();
  SparseMemory(SparseMemory&& other) noexcept { *this = std::move(other); }
  SparseMemory& operator=(SparseMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  char* data() { return data_; }
  // Sets [offset, offset + bytes) to zeroes.
  void Zero(uint64_t offset, uint64_t bytes);

 private:
  SparseMemory() = default;

  char* data_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace gleaner
