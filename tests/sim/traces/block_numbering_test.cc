#include "sim/traces/block_numbering.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "base/random.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

constexpr uint32_t kRegionBlocks = BlockNumbering::kRegionBlocks;

TEST(BlockNumberingTest, NumbersInOrderOfAssignment) {
  BlockNumbering numbering;
  EXPECT_EQ(numbering.Find(0, 5), nullptr);
  uint32_t* numbers = numbering.FindOrAdd(0, 5);
  for (uint32_t i = 0; i < kRegionBlocks; ++i)
    EXPECT_EQ(numbers[i], BlockNumbering::kNone);
  numbers[3] = *numbering.New();
  numbering.FindOrAdd(1, 5)[3] = *numbering.New();
  EXPECT_EQ(numbering.Find(0, 5)[3], 0u);
  EXPECT_EQ(numbering.Find(1, 5)[3], 1u);
  EXPECT_EQ(numbering.size(), 2u);
  EXPECT_EQ(numbering.Find(0, 4), nullptr);
  EXPECT_EQ(numbering.Find(2, 5), nullptr);
}

TEST(BlockNumberingTest, AgreesWithAMap) {
  constexpr uint64_t kSeed = 11;
  Random random(kSeed);
  BlockNumbering numbering;
  std::map<std::pair<uint32_t, uint64_t>, uint32_t> model;
  for (int i = 0; i < 200'000; ++i) {
    const uint32_t volume = random.Below(3);
    const uint64_t block = random.Below(1 << 17) << (volume * 20);
    uint32_t& number =
        numbering.FindOrAdd(volume, block / kRegionBlocks)[block % kRegionBlocks];
    const auto [it, is_new] = model.try_emplace({volume, block}, model.size());
    ASSERT_EQ(number == BlockNumbering::kNone, is_new)
        << "seed " << kSeed << " step " << i;
    if (is_new) number = *numbering.New();
    ASSERT_EQ(number, it->second) << "seed " << kSeed << " step " << i;
  }
  EXPECT_EQ(numbering.size(), model.size());
}

}  // namespace
}  // namespace gleaner
