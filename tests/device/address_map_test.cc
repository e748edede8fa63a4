#include "device/address_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/random.h"

namespace gleaner {
namespace {

TEST(AddressMapTest, AStripeDealsChunksInTurn) {
  const AddressMap map = AddressMap::Stripe(DeviceBlockCount(16), 3, 10);
  EXPECT_EQ(map.capacity(), DeviceBlockCount(480));
  const AddressMap::Place place = map.PlaceOf(DeviceBlock(67));
  EXPECT_EQ(place.member, 1u);
  EXPECT_EQ(place.block, DeviceBlock(19));
  EXPECT_EQ(place.window, (DeviceRange{DeviceBlock(64), DeviceBlockCount(16)}));
  EXPECT_EQ(map.BlockOf(1, DeviceBlock(19)), DeviceBlock(67));
}

TEST(AddressMapTest, AConcatenationPutsOneAfterTheOther) {
  const AddressMap map =
      AddressMap::Concat({DeviceBlockCount(5), DeviceBlockCount(1), DeviceBlockCount(7)});
  EXPECT_EQ(map.capacity(), DeviceBlockCount(13));
  EXPECT_EQ(map.PlaceOf(DeviceBlock(4)).member, 0u);
  EXPECT_EQ(map.PlaceOf(DeviceBlock(5)).member, 1u);
  const AddressMap::Place place = map.PlaceOf(DeviceBlock(12));
  EXPECT_EQ(place.member, 2u);
  EXPECT_EQ(place.block, DeviceBlock(6));
  EXPECT_EQ(place.window, (DeviceRange{DeviceBlock(6), DeviceBlockCount(7)}));
  EXPECT_EQ(map.BlockOf(2, DeviceBlock(6)), DeviceBlock(12));
}

// Where each block lies, block by block: a member's next one until its turn is over.
std::vector<std::pair<size_t, uint64_t>> Deal(const std::vector<uint64_t>& turns,
                                              uint64_t rounds) {
  std::vector<std::pair<size_t, uint64_t>> places;
  std::vector<uint64_t> next(turns.size(), 0);
  for (uint64_t round = 0; round < rounds; ++round) {
    for (size_t member = 0; member < turns.size(); ++member) {
      for (uint64_t i = 0; i < turns[member]; ++i)
        places.emplace_back(member, next[member]++);
    }
  }
  return places;
}

void ExpectPlaces(const AddressMap& map,
                  const std::vector<std::pair<size_t, uint64_t>>& places) {
  ASSERT_EQ(map.capacity().value(), places.size());
  for (uint64_t i = 0; i < places.size(); ++i) {
    const auto [member, block] = places[i];
    const AddressMap::Place place = map.PlaceOf(DeviceBlock(i));
    ASSERT_EQ(place.member, member) << i;
    ASSERT_EQ(place.block, DeviceBlock(block)) << i;
    ASSERT_EQ(map.BlockOf(member, DeviceBlock(block)), DeviceBlock(i));
    ASSERT_TRUE(place.window.contains(DeviceBlock(i)));
    for (DeviceBlock b = place.window.start; b < place.window.end(); ++b) {
      ASSERT_EQ(places[b.value()],
                std::make_pair(member, block + b.value() - i));  // contiguous on both
    }
  }
}

TEST(AddressMapTest, MatchesBlocksThatAreDealtOneByOne) {
  const uint64_t seed = 20261126;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    std::vector<uint64_t> turns(2 + random.Below(6));
    const uint64_t chunk = 1 + random.Below(20);
    std::fill(turns.begin(), turns.end(), chunk);
    const uint64_t chunks = 1 + random.Below(9);
    ExpectPlaces(AddressMap::Stripe(DeviceBlockCount(chunk), turns.size(), chunks),
                 Deal(turns, chunks));
    std::vector<DeviceBlockCount> capacities;
    for (uint64_t& turn : turns) {
      turn = 1 + random.Below(50);
      capacities.emplace_back(turn);
    }
    ExpectPlaces(AddressMap::Concat(capacities), Deal(turns, 1));
    if (::testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace gleaner
