#include "gc/candidate_index.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

#include "base/random.h"

namespace gleaner {
namespace {

constexpr uint32_t kNone = CandidateIndex::kNone;

std::vector<uint32_t> Lowest(const CandidateIndex& index, uint32_t bucket,
                             uint32_t at_most) {
  std::vector<uint32_t> slots;
  index.ForEachLowest(bucket, at_most, [&](uint32_t slot) { slots.push_back(slot); });
  return slots;
}

TEST(CandidateIndexTest, EmptyHasNoBucket) {
  CandidateIndex index(512, 1);
  EXPECT_EQ(index.FirstBucket(), kNone);
  index.Insert(0, 511);
  EXPECT_EQ(index.FirstBucket(), 511u);
  EXPECT_EQ(index.NextBucket(511), kNone);
  index.Erase(0, 511);
  EXPECT_EQ(index.FirstBucket(), kNone);
}

TEST(CandidateIndexTest, FindsTheLowestSlotAcrossLevels) {
  CandidateIndex index(3, 300'000);
  index.Insert(299'999, 1);
  index.Insert(4096, 1);
  index.Insert(63, 2);
  EXPECT_EQ(index.First(1), 4096u);
  EXPECT_EQ(Lowest(index, 1, 3), (std::vector<uint32_t>{4096, 299'999}));
  EXPECT_EQ(Lowest(index, 1, 1), (std::vector<uint32_t>{4096}));
  EXPECT_EQ(index.NextBucket(1), 2u);
  index.Move(63, 2, 1);
  EXPECT_EQ(index.First(1), 63u);
  EXPECT_EQ(Lowest(index, 1, 2), (std::vector<uint32_t>{63, 4096}));
  EXPECT_EQ(index.NextBucket(1), kNone);
}

TEST(CandidateIndexTest, ResetEmpties) {
  CandidateIndex index(2, 100);
  index.Insert(7, 1);
  index.Reset(100);
  EXPECT_EQ(index.FirstBucket(), kNone);
  index.Insert(7, 0);
  index.Reset(5000);
  EXPECT_EQ(index.slots(), 5000u);
  EXPECT_EQ(index.FirstBucket(), kNone);
  index.Insert(4999, 0);
  EXPECT_EQ(index.First(0), 4999u);
}

void CompareAll(const CandidateIndex& index,
                const std::vector<std::set<uint32_t>>& model) {
  uint32_t found = index.FirstBucket();
  for (uint32_t b = 0; b < model.size(); ++b) {
    if (model[b].empty()) continue;
    ASSERT_EQ(found, b);
    ASSERT_EQ(index.First(b), *model[b].begin()) << "bucket " << b;
    const auto all = static_cast<uint32_t>(model[b].size());
    const std::vector<uint32_t> expected(model[b].begin(), model[b].end());
    ASSERT_EQ(Lowest(index, b, all + 1), expected) << "bucket " << b;
    ASSERT_EQ(Lowest(index, b, (all + 1) / 2).size(), (all + 1) / 2) << "bucket " << b;
    found = index.NextBucket(b);
  }
  ASSERT_EQ(found, kNone);
}

TEST(CandidateIndexTest, AgreesWithSets) {
  for (const uint32_t slots : {1u, 64u, 65u, 4096u, 4097u, 20'000u}) {
    for (const uint32_t buckets : {1u, 2u, 65u, 130u}) {
      const uint64_t seed = slots * 1000 + buckets;
      SCOPED_TRACE(::testing::Message() << "seed " << seed);
      Random random(seed);
      CandidateIndex index(buckets, slots);
      std::vector<std::set<uint32_t>> model(buckets);
      std::vector<uint32_t> where(slots, kNone);
      for (int i = 0; i < 3000; ++i) {
        const auto slot = static_cast<uint32_t>(random.Below(slots));
        const auto bucket = static_cast<uint32_t>(random.Below(buckets));
        if (where[slot] == kNone) {
          index.Insert(slot, bucket);
        } else if (random.Below(2) == 0) {
          index.Move(slot, where[slot], bucket);
          model[where[slot]].erase(slot);
        } else {
          index.Erase(slot, where[slot]);
          model[where[slot]].erase(slot);
          where[slot] = kNone;
          continue;
        }
        model[bucket].insert(slot);
        where[slot] = bucket;
        if (i % 50 == 0) CompareAll(index, model);
        if (HasFatalFailure()) return;
      }
      CompareAll(index, model);
    }
  }
}

}  // namespace
}  // namespace gleaner
