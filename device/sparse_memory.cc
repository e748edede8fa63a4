#include "device/sparse_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace gleaner {
namespace {

constexpr uint64_t kPageBytes = 4096;

}  // namespace

absl::StatusOr<SparseMemory> SparseMemory::Create(uint64_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no address space for ", bytes, " bytes of memory"));
  }
  SparseMemory memory;
  memory.data_ = static_cast<char*>(data);
  memory.bytes_ = bytes;
  return memory;
}

SparseMemory::~SparseMemory() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

void SparseMemory::Zero(uint64_t offset, uint64_t bytes) {
  const uint64_t end = offset + bytes;
  const uint64_t first_page =
      std::min(end, (offset + kPageBytes - 1) / kPageBytes * kPageBytes);
  const uint64_t last_page = std::max(first_page, end / kPageBytes * kPageBytes);
  std::memset(data_ + offset, 0, first_page - offset);
  if (last_page > first_page) {
    GLEANER_CHECK(madvise(data_ + first_page, last_page - first_page, MADV_DONTNEED) ==
                  0);
  }
  std::memset(data_ + last_page, 0, end - last_page);
}

}  // namespace gleaner
