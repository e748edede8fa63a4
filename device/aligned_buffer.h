// Memory that any device takes as a buffer: starts at a page, all zeroes at first.
//
//   AlignedBuffer buffer(16 * geometry.block_bytes);
//   GLEANER_RETURN_IF_ERROR(ReadBlocks(*queue, {DeviceBlock(0), DeviceBlockCount(16)},
//                                      buffer.data()));
//
// Moves, does not copy.
#pragma once

#include <cstddef>
#include <utility>

#include "absl/strings/string_view.h"

namespace gleaner {

class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 4096;

  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes);
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer&& other) noexcept { *this = std::move(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }

  char* data() { return data_; }
  const char* data() const { return data_; }
  size_t size() const { return size_; }
  absl::string_view view() const { return {data_, size_}; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace gleaner
