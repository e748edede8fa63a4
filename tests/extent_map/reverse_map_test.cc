#include "extent_map/reverse_map.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "extent_map/extent.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::IsOk;
using ::gleaner::testing::StatusIs;
using ::testing::HasSubstr;

std::vector<Lba> GetAll(const ReverseMap& map, uint64_t start, uint64_t count) {
  std::vector<Lba> lbas(count);
  EXPECT_THAT(map.Get({PhysicalBlock(start), BlockCount(count)}, absl::MakeSpan(lbas)),
              IsOk());
  return lbas;
}

TEST(RamReverseMapTest, SaysWhatWasWrittenLast) {
  RamReverseMap map(BlockCount(4));
  map.Set(PhysicalBlock(1), Lba(100));
  map.Set(PhysicalBlock(2), Lba(0xfffffffe));  // the highest that fits 32 bits
  map.Set(PhysicalBlock(1), Lba(200));
  EXPECT_EQ(GetAll(map, 0, 4), (std::vector{Lba(), Lba(200), Lba(0xfffffffe), Lba()}));
  EXPECT_EQ(GetAll(map, 1, 1), (std::vector{Lba(200)}));
  EXPECT_EQ(GetAll(map, 4, 0), (std::vector<Lba>{}));
  EXPECT_EQ(map.GetBlock(PhysicalBlock(1)), Lba(200));
  EXPECT_EQ(map.memory_bytes(), 16u);
}

TEST(RamReverseMapTest, WidensAtTheFirstHighLba) {
  RamReverseMap map(BlockCount(4));
  map.Set(PhysicalBlock(0), Lba(7));
  map.Set(PhysicalBlock(1), Lba());  // to forget a block does not widen
  EXPECT_EQ(map.memory_bytes(), 16u);
  map.Set(PhysicalBlock(2), Lba(0xffffffff));
  EXPECT_EQ(GetAll(map, 0, 4), (std::vector{Lba(7), Lba(), Lba(0xffffffff), Lba()}));
  map.Set(PhysicalBlock(3), Lba(0xfffffffffffffffe));
  map.Set(PhysicalBlock(0), Lba(8));
  EXPECT_EQ(GetAll(map, 0, 4),
            (std::vector{Lba(8), Lba(), Lba(0xffffffff), Lba(0xfffffffffffffffe)}));
  EXPECT_EQ(map.memory_bytes(), 32u);
}

TEST(RamReverseMapTest, Grows) {
  RamReverseMap map(BlockCount(0));
  map.Grow(BlockCount(2));
  map.Set(PhysicalBlock(1), Lba(5));
  map.Grow(BlockCount(3));
  EXPECT_EQ(GetAll(map, 0, 3), (std::vector{Lba(), Lba(5), Lba()}));
  map.Set(PhysicalBlock(0), Lba(uint64_t{1} << 40));
  map.Grow(BlockCount(4));
  EXPECT_EQ(GetAll(map, 0, 4),
            (std::vector{Lba(uint64_t{1} << 40), Lba(5), Lba(), Lba()}));
}

TEST(RamReverseMapTest, VisitsRunsOfConsecutiveLbas) {
  RamReverseMap map(BlockCount(6));
  const uint64_t high = uint64_t{1} << 40;
  for (const uint64_t base : {uint64_t{7}, high}) {  // entries of 4 bytes, then of 8
    const uint64_t lbas[] = {base, base + 1, base + 2, base, base + 9, base + 10};
    for (uint64_t i = 0; i < 6; ++i) map.Set(PhysicalBlock(i), Lba(lbas[i]));
    std::vector<Extent> seen;
    map.ForEachExtent({PhysicalBlock(1), BlockCount(5)},
                      [&](const Extent& e) { seen.push_back(e); });
    EXPECT_EQ(seen, (std::vector<Extent>{
                        {Lba(base + 1), PhysicalBlock(1), BlockCount(2)},
                        {Lba(base), PhysicalBlock(3), BlockCount(1)},
                        {Lba(base + 9), PhysicalBlock(4), BlockCount(2)},
                    }));
  }
}

TEST(RamReverseMapTest, RefusesWhatIsPastTheEnd) {
  RamReverseMap map(BlockCount(4));
  std::vector<Lba> lbas(2);
  EXPECT_THAT(map.Get({PhysicalBlock(3), BlockCount(2)}, absl::MakeSpan(lbas)),
              StatusIs(absl::StatusCode::kOutOfRange, HasSubstr("block(3)+2")));
  EXPECT_THAT(
      map.Get({PhysicalBlock(~uint64_t{0} - 1), BlockCount(2)}, absl::MakeSpan(lbas)),
      StatusIs(absl::StatusCode::kOutOfRange));
}

}  // namespace
}  // namespace gleaner
