#include "base/huge_pages.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace gleaner {
namespace {

// As operator new does.
[[noreturn]] void OutOfMemory() {
  if (const std::new_handler handler = std::get_new_handler()) handler();
  throw std::bad_alloc();
}

}  // namespace

void* AllocateLarge(size_t bytes) {
  if (bytes < kHugePageBytes) {
    void* const memory = std::malloc(bytes > 0 ? bytes : 1);
    if (memory == nullptr) OutOfMemory();
    return memory;
  }
  const size_t rounded = (bytes + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  void* const memory = std::aligned_alloc(kHugePageBytes, rounded);
  if (memory == nullptr) OutOfMemory();
  // Advice: a kernel without huge pages refuses, and nothing is lost but speed.
  madvise(memory, bytes / kHugePageBytes * kHugePageBytes, MADV_HUGEPAGE);
  return memory;
}

void FreeLarge(void* memory) { std::free(memory); }

}  // namespace gleaner
