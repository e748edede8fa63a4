#include "extent_map/extent_map.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace gleaner {
namespace {

using Extents = std::vector<Extent>;

LbaRange Lbas(uint64_t start, uint64_t count) { return {Lba(start), BlockCount(count)}; }

Extent At(uint64_t lba, uint64_t count, uint64_t physical) {
  return {Lba(lba), PhysicalBlock(physical), BlockCount(count)};
}
Extent Hole(uint64_t lba, uint64_t count) {
  return {Lba(lba), PhysicalBlock(), BlockCount(count)};
}

Extents Assign(ExtentMap& map, uint64_t lba, uint64_t count, uint64_t physical) {
  Extents displaced;
  map.Assign(Lbas(lba, count), PhysicalBlock(physical),
             [&displaced](const Extent& e) { displaced.push_back(e); });
  return displaced;
}

Extents Erase(ExtentMap& map, uint64_t lba, uint64_t count) {
  Extents displaced;
  map.Erase(Lbas(lba, count), [&displaced](const Extent& e) { displaced.push_back(e); });
  return displaced;
}

Extents All(const ExtentMap& map, LbaRange range = Lbas(0, Lba::kInvalid)) {
  Extents extents;
  map.ForEach(range, [&extents](const Extent& e) { extents.push_back(e); });
  EXPECT_EQ(map.CountExtents(range), extents.size());
  return extents;
}

TEST(ExtentMapTest, EmptyMapIsOneHole) {
  ExtentMap map;
  EXPECT_FALSE(map.Lookup(Lba(0)).valid());
  EXPECT_EQ(map.LookupExtent(Lba(0), BlockCount(7)), Hole(0, 7));
  EXPECT_EQ(map.LookupExtent(Lba(5), BlockCount(~uint64_t{0})),
            Hole(5, ~uint64_t{0} - 5));
  EXPECT_EQ(All(map), Extents{});
  EXPECT_EQ(Erase(map, 0, Lba::kInvalid), Extents{});
  EXPECT_EQ(map.mapped_blocks(), BlockCount(0));
  EXPECT_EQ(map.memory_bytes(), 0u);
}

TEST(ExtentMapTest, AssignReturnsWhatItDisplaced) {
  ExtentMap map;
  EXPECT_EQ(Assign(map, 100, 8, 0), Extents{});
  EXPECT_EQ(map.AssignBlock(Lba(103), PhysicalBlock(512)), PhysicalBlock(3));
  EXPECT_EQ(map.AssignBlock(Lba(99), PhysicalBlock(513)), PhysicalBlock());
  EXPECT_EQ(map.mapped_blocks(), BlockCount(9));
  EXPECT_EQ(All(map),
            (Extents{At(99, 1, 513), At(100, 3, 0), At(103, 1, 512), At(104, 4, 4)}));
  EXPECT_EQ(Assign(map, 98, 8, 1000),
            (Extents{At(99, 1, 513), At(100, 3, 0), At(103, 1, 512), At(104, 2, 4)}));
  EXPECT_EQ(All(map), (Extents{At(98, 8, 1000), At(106, 2, 6)}));
  EXPECT_EQ(map.mapped_blocks(), BlockCount(10));
}

TEST(ExtentMapTest, ExtentsJoinWhereBothAddressesMeet) {
  ExtentMap map;
  Assign(map, 10, 5, 100);
  Assign(map, 20, 5, 110);
  Assign(map, 15, 5, 105);
  EXPECT_EQ(All(map), (Extents{At(10, 15, 100)}));
  Assign(map, 25, 1, 116);  // meets in lba only
  EXPECT_EQ(All(map), (Extents{At(10, 15, 100), At(25, 1, 116)}));
  EXPECT_EQ(map.LookupExtent(Lba(12), BlockCount(1000)), At(12, 13, 102));
  EXPECT_EQ(map.LookupExtent(Lba(12), BlockCount(3)), At(12, 3, 102));
  EXPECT_EQ(map.LookupExtent(Lba(3), BlockCount(1000)), Hole(3, 7));
  EXPECT_EQ(map.LookupExtent(Lba(26), BlockCount(1000)), Hole(26, 1000));
  EXPECT_EQ(map.LookupExtent(Lba(12), BlockCount(0)), Hole(12, 0));
}

TEST(ExtentMapTest, EraseTellsWhatItUnmaps) {
  ExtentMap map;
  Assign(map, 0, 10, 50);
  EXPECT_EQ(Erase(map, 3, 4), (Extents{At(3, 4, 53)}));
  EXPECT_EQ(Erase(map, 3, 4), Extents{});
  EXPECT_EQ(All(map), (Extents{At(0, 3, 50), At(7, 3, 57)}));
  EXPECT_EQ(Erase(map, 2, 6), (Extents{At(2, 1, 52), At(7, 1, 57)}));
  EXPECT_EQ(map.mapped_blocks(), BlockCount(4));
  EXPECT_EQ(Erase(map, 0, Lba::kInvalid), (Extents{At(0, 2, 50), At(8, 2, 58)}));
  EXPECT_EQ(map.mapped_blocks(), BlockCount(0));
}

TEST(ExtentMapTest, EmptyRangesChangeNothing) {
  ExtentMap map;
  Assign(map, 5, 2, 50);
  EXPECT_EQ(Assign(map, 6, 0, 90), Extents{});
  EXPECT_EQ(Erase(map, 6, 0), Extents{});
  EXPECT_EQ(All(map, Lbas(5, 0)), Extents{});
  EXPECT_EQ(All(map), (Extents{At(5, 2, 50)}));
}

TEST(ExtentMapTest, RelocateMovesOnlyWhatIsStillThere) {
  ExtentMap map;
  Assign(map, 0, 10, 100);
  map.AssignBlock(Lba(4), PhysicalBlock(777));  // the user's overwrite, meanwhile
  Erase(map, 7, 1);                             // and trim
  Extents moved;
  EXPECT_EQ(map.Relocate(Lbas(0, 10), PhysicalBlock(100), PhysicalBlock(200),
                         [&moved](const Extent& e) { moved.push_back(e); }),
            BlockCount(8));
  EXPECT_EQ(moved, (Extents{At(0, 4, 200), At(5, 2, 205), At(8, 2, 208)}));
  EXPECT_EQ(All(map),
            (Extents{At(0, 4, 200), At(4, 1, 777), At(5, 2, 205), At(8, 2, 208)}));
  EXPECT_FALSE(map.RelocateBlock(Lba(0), PhysicalBlock(100), PhysicalBlock(300)));
  EXPECT_TRUE(map.RelocateBlock(Lba(0), PhysicalBlock(200), PhysicalBlock(300)));
  EXPECT_FALSE(map.RelocateBlock(Lba(7), PhysicalBlock(107), PhysicalBlock(300)));
  EXPECT_EQ(map.Lookup(Lba(0)), PhysicalBlock(300));
  EXPECT_EQ(map.mapped_blocks(), BlockCount(9));
}

TEST(ExtentMapTest, RelocateMayShiftByLessThanItsLength) {
  ExtentMap map;
  Assign(map, 0, 10, 100);
  EXPECT_EQ(map.Relocate(Lbas(0, 10), PhysicalBlock(100), PhysicalBlock(101),
                         [](const Extent&) {}),
            BlockCount(10));
  EXPECT_EQ(All(map), (Extents{At(0, 10, 101)}));
}

// Scrambles one leaf until it holds an entry per block.
void Scramble(ExtentMap& map, uint64_t first, uint64_t physical) {
  for (uint64_t i = 0; i < 4096; ++i)
    map.AssignBlock(Lba(first + i), PhysicalBlock(physical + (i * 389) % 4096));
}

TEST(ExtentMapTest, EntriesOfFourBytesHoldAllTheyCan) {
  ExtentMap map;
  Scramble(map, 0, 5000);
  EXPECT_EQ(map.AssignBlock(Lba(10), PhysicalBlock(0xfffffffe)),
            PhysicalBlock(5000 + 3890));
  EXPECT_EQ(Erase(map, 11, 1), (Extents{At(11, 1, 5000 + 183)}));
  // A hole follows the last block that fits; it is not that extent's next block.
  EXPECT_EQ(map.LookupExtent(Lba(10), BlockCount(9)), At(10, 1, 0xfffffffe));
  EXPECT_FALSE(map.RelocateBlock(Lba(11), PhysicalBlock(0xffffffff), PhysicalBlock(1)));
  EXPECT_FALSE(map.Lookup(Lba(11)).valid());
  const uint64_t narrow = map.memory_bytes();
  EXPECT_TRUE(
      map.RelocateBlock(Lba(10), PhysicalBlock(0xfffffffe), PhysicalBlock(0xffffffff)));
  EXPECT_EQ(map.LookupExtent(Lba(10), BlockCount(9)), At(10, 1, 0xffffffff));
  EXPECT_GT(map.memory_bytes(), narrow + 16000);
}

TEST(ExtentMapTest, EntriesWidenForHighPhysicalBlocks) {
  ExtentMap map;
  Scramble(map, 0, 5000);
  constexpr uint64_t kHigh = uint64_t{1} << 40;
  constexpr uint64_t kHighest = ~uint64_t{0} - 1;
  EXPECT_EQ(map.AssignBlock(Lba(10), PhysicalBlock(kHigh)), PhysicalBlock(5000 + 3890));
  EXPECT_EQ(map.AssignBlock(Lba(12), PhysicalBlock(kHighest)), PhysicalBlock(5000 + 572));
  EXPECT_EQ(map.AssignBlock(Lba(9), PhysicalBlock(kHigh - 1)),
            PhysicalBlock(5000 + 3501));
  Erase(map, 13, 1);
  EXPECT_EQ(map.LookupExtent(Lba(9), BlockCount(9)), At(9, 2, kHigh - 1));
  EXPECT_EQ(map.LookupExtent(Lba(12), BlockCount(9)), At(12, 1, kHighest));
  EXPECT_EQ(map.Lookup(Lba(0)), PhysicalBlock(5000));
  EXPECT_TRUE(map.RelocateBlock(Lba(9), PhysicalBlock(kHigh - 1), PhysicalBlock(7)));
  EXPECT_EQ(map.Lookup(Lba(9)), PhysicalBlock(7));
  EXPECT_EQ(map.mapped_blocks(), BlockCount(4095));
}

TEST(ExtentMapTest, HugeExtentsCostNothing) {
  ExtentMap map;
  constexpr uint64_t kHuge = uint64_t{1} << 62;
  Assign(map, 1000, kHuge, 5);
  EXPECT_EQ(map.AssignBlock(Lba(kHuge), PhysicalBlock(kHuge + 3)),
            PhysicalBlock(kHuge - 995));
  EXPECT_EQ(All(map), (Extents{At(1000, kHuge - 1000, 5), At(kHuge, 1, kHuge + 3),
                               At(kHuge + 1, 999, kHuge - 994)}));
  EXPECT_LT(map.memory_bytes(), 5000u);
  EXPECT_EQ(Erase(map, 0, Lba::kInvalid).size(), 3u);
}

TEST(ExtentMapTest, TheLastLbaIsAnLba) {
  ExtentMap map;
  constexpr uint64_t kLast = Lba::kInvalid - 1;
  EXPECT_EQ(map.AssignBlock(Lba(kLast), PhysicalBlock(4)), PhysicalBlock());
  EXPECT_EQ(map.Lookup(Lba(kLast)), PhysicalBlock(4));
  EXPECT_EQ(map.LookupExtent(Lba(kLast), BlockCount(9)), At(kLast, 1, 4));
  EXPECT_EQ(Assign(map, kLast - 9, 10, 100), (Extents{At(kLast, 1, 4)}));
  EXPECT_EQ(All(map), (Extents{At(kLast - 9, 10, 100)}));
}

// Bytes per block, as the header promises.
TEST(ExtentMapTest, MemoryOfAScrambledVolume) {
  ExtentMap map;
  constexpr uint64_t kBlocks = 1 << 20;
  for (uint64_t i = 0; i < kBlocks; ++i)
    map.AssignBlock(Lba(i * 387001 % kBlocks), PhysicalBlock(i));
  EXPECT_EQ(map.mapped_blocks(), BlockCount(kBlocks));
  EXPECT_LT(map.memory_bytes(), kBlocks * 401 / 100 + (2 << 20));  // the last slab's rest
}

TEST(ExtentMapTest, MemoryOfLongExtents) {
  ExtentMap map;
  constexpr uint64_t kExtent = 16384;
  for (uint64_t i = 0; i < 1024;
       ++i)  // starting anywhere in a leaf, physically backwards
    Assign(map, 77 + i * kExtent, kExtent, (1024 - i) * kExtent);
  EXPECT_EQ(map.CountExtents(Lbas(0, Lba::kInvalid)), 1024u);
  EXPECT_LT(map.memory_bytes(), 1024 * kExtent * 7 / 1000);
}

TEST(ExtentMapTest, MemoryOfScatteredBlocks) {
  ExtentMap map;
  for (uint64_t i = 0; i < 200000; ++i)
    map.AssignBlock(Lba(i * 0x9e3779b97f4a7c15), PhysicalBlock(i));
  EXPECT_LT(map.memory_bytes(), 200000u * 14);
}

TEST(ExtentMapTest, MemoryComesBackWhenAVolumeIsWrittenInOrder) {
  ExtentMap map;
  constexpr uint64_t kBlocks = 1 << 18;
  for (uint64_t i = 0; i < kBlocks; ++i)
    map.AssignBlock(Lba(i * 387001 % kBlocks), PhysicalBlock(i));
  EXPECT_GT(map.memory_bytes(), kBlocks * 4);
  for (uint64_t i = 0; i < kBlocks; ++i)
    map.AssignBlock(Lba(i), PhysicalBlock(kBlocks + i));
  EXPECT_EQ(All(map), (Extents{At(0, kBlocks, kBlocks)}));
  EXPECT_LT(map.memory_bytes(), 8000u);
  Erase(map, 0, kBlocks);
  EXPECT_LT(map.memory_bytes(), 1000u);
}

TEST(ExtentMapDeathTest, InvalidAddressesAreBugs) {
  ExtentMap map;
  EXPECT_DEATH(map.AssignBlock(Lba(), PhysicalBlock(1)), "CHECK");
  EXPECT_DEATH(map.AssignBlock(Lba(1), PhysicalBlock()), "CHECK");
  EXPECT_DEATH(Assign(map, Lba::kInvalid - 1, 2, 0), "CHECK");
  EXPECT_DEATH(Assign(map, 0, 2, PhysicalBlock::kInvalid - 1), "CHECK");
}

}  // namespace
}  // namespace gleaner
