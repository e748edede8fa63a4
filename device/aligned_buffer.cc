#include "device/aligned_buffer.h"

#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/huge_pages.h"

namespace gleaner {

// A large buffer lies on huge pages: a transfer then has few parts in memory, which spares the
// kernel and the device work for each small page.
AlignedBuffer::AlignedBuffer(size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  if (bytes >= kHugePageBytes) {
    data_ = static_cast<char*>(AllocateLarge(bytes));
  } else {
    // aligned_alloc wants a multiple of the alignment.
    const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    data_ = static_cast<char*>(std::aligned_alloc(kAlignment, rounded));
    GLEANER_CHECK(data_ != nullptr);
  }
  std::memset(data_, 0, bytes);
}

AlignedBuffer::~AlignedBuffer() { FreeLarge(data_); }

}  // namespace gleaner
