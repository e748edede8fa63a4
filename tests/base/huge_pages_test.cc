#include "base/huge_pages.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace gleaner {
namespace {

TEST(HugePagesTest, LargeBlocksStartAtAHugePage) {
  for (size_t bytes : {kHugePageBytes, kHugePageBytes + 1, 5 * kHugePageBytes / 2}) {
    void* const memory = AllocateLarge(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % kHugePageBytes, 0u);
    std::memset(memory, 1, bytes);
    FreeLarge(memory);
  }
}

TEST(HugePagesTest, SmallBlocksAreOrdinaryMemory) {
  for (size_t bytes : {size_t{0}, size_t{1}, kHugePageBytes - 1}) {
    void* const memory = AllocateLarge(bytes);
    ASSERT_NE(memory, nullptr);
    std::memset(memory, 1, bytes);
    FreeLarge(memory);
  }
}

TEST(HugePagesTest, ServesContainers) {
  std::vector<uint32_t, HugePageAllocator<uint32_t>> numbers;
  for (uint32_t i = 0; i < 2'000'000; ++i) numbers.push_back(i);
  for (uint32_t i = 0; i < 2'000'000; ++i) ASSERT_EQ(numbers[i], i);
}

}  // namespace
}  // namespace gleaner
