// Memory for large arrays that are read at random, on huge pages where the kernel has them: a
// map of a large volume otherwise pays for a walk of the page tables with every access.
//
//   std::vector<uint32_t, HugePageAllocator<uint32_t>> lbas(100'000'000);
//
// Thread-safe.
#pragma once

#include <cstddef>
#include <memory>

namespace gleaner {

inline constexpr size_t kHugePageBytes = size_t{2} << 20;

// `bytes` of memory, not zeroed, never null: where there is none, the new handler is called and
// std::bad_alloc thrown, as by new. Blocks of a huge page or more start at one, and
// every huge page that lies within them is asked for; the rest is of small pages, so that they
// occupy no more than `bytes`.
void* AllocateLarge(size_t bytes);
void FreeLarge(void* memory);

// For containers.
template <typename T>
struct HugePageAllocator {
  using value_type = T;
  HugePageAllocator() = default;
  template <typename U>
  HugePageAllocator(const HugePageAllocator<U>&) {}  // NOLINT: containers convert it

  T* allocate(size_t n) { return static_cast<T*>(AllocateLarge(n * sizeof(T))); }
  void deallocate(T* memory, size_t) { FreeLarge(memory); }
  template <typename U>
  bool operator==(const HugePageAllocator<U>&) const {
    return true;
  }
};

}  // namespace gleaner
