#include "extent_map/segment_liveness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "base/random.h"

namespace gleaner {
namespace {

std::vector<PhysicalRange> LiveRuns(const SegmentLiveness& liveness, SegmentId segment) {
  std::vector<PhysicalRange> runs;
  liveness.ForEachLiveRun(segment, [&runs](PhysicalRange run) { runs.push_back(run); });
  return runs;
}

PhysicalRange Blocks(uint64_t start, uint64_t count) {
  return {PhysicalBlock(start), BlockCount(count)};
}

TEST(SegmentLivenessTest, MarksBlocksAndCounts) {
  SegmentLiveness liveness(SegmentGeometry(BlockCount(100)), 3);
  EXPECT_EQ(liveness.MarkLive(PhysicalBlock(199)), SegmentId(1));
  EXPECT_EQ(liveness.MarkLive(PhysicalBlock(200)), SegmentId(2));
  EXPECT_TRUE(liveness.IsLive(PhysicalBlock(199)));
  EXPECT_FALSE(liveness.IsLive(PhysicalBlock(198)));
  EXPECT_EQ(liveness.live_blocks(SegmentId(0)), BlockCount(0));
  EXPECT_EQ(liveness.live_blocks(SegmentId(1)), BlockCount(1));
  EXPECT_EQ(liveness.MarkStale(PhysicalBlock(199)), SegmentId(1));
  EXPECT_EQ(liveness.live_blocks(SegmentId(1)), BlockCount(0));
  EXPECT_FALSE(liveness.IsLive(PhysicalBlock(199)));
}

TEST(SegmentLivenessTest, RangesSpanWordsAndSegments) {
  SegmentLiveness liveness(SegmentGeometry(BlockCount(100)), 3);
  liveness.MarkLive(Blocks(60, 180));
  EXPECT_EQ(LiveRuns(liveness, SegmentId(0)), (std::vector{Blocks(60, 40)}));
  EXPECT_EQ(LiveRuns(liveness, SegmentId(1)), (std::vector{Blocks(100, 100)}));
  EXPECT_EQ(LiveRuns(liveness, SegmentId(2)), (std::vector{Blocks(200, 40)}));
  liveness.MarkStale(Blocks(63, 67));
  EXPECT_EQ(LiveRuns(liveness, SegmentId(0)), (std::vector{Blocks(60, 3)}));
  EXPECT_EQ(LiveRuns(liveness, SegmentId(1)), (std::vector{Blocks(130, 70)}));
  EXPECT_EQ(liveness.live_blocks(SegmentId(0)), BlockCount(3));
  EXPECT_EQ(liveness.live_blocks(SegmentId(1)), BlockCount(70));
}

TEST(SegmentLivenessTest, MasksSpanWordsAndSegments) {
  SegmentLiveness liveness(SegmentGeometry(BlockCount(100)), 3);
  liveness.MarkLive(Blocks(0, 300));
  std::vector<std::pair<SegmentId, uint32_t>> told;
  const auto tell = [&told](SegmentId segment, uint32_t n) {
    told.emplace_back(segment, n);
  };
  // 60 and 70 lie in two words of segment 0, 101 and 123 in segment 1.
  liveness.MarkStale(PhysicalBlock(60),
                     0b10000000001 | (uint64_t{1} << 41) | (uint64_t{1} << 63), tell);
  liveness.MarkStale(PhysicalBlock(299), 1, tell);
  liveness.MarkStale(PhysicalBlock(0), 0, tell);
  EXPECT_EQ(told, (std::vector<std::pair<SegmentId, uint32_t>>{
                      {SegmentId(0), 2}, {SegmentId(1), 2}, {SegmentId(2), 1}}));
  EXPECT_EQ(LiveRuns(liveness, SegmentId(0)),
            (std::vector{Blocks(0, 60), Blocks(61, 9), Blocks(71, 29)}));
  EXPECT_EQ(LiveRuns(liveness, SegmentId(1)),
            (std::vector{Blocks(100, 1), Blocks(102, 21), Blocks(124, 76)}));
  EXPECT_EQ(LiveRuns(liveness, SegmentId(2)), (std::vector{Blocks(200, 99)}));
}

TEST(SegmentLivenessTest, ClearAndGrow) {
  SegmentLiveness liveness(SegmentGeometry(BlockCount(64)), 1);
  liveness.MarkLive(Blocks(0, 64));
  liveness.Grow(2);
  EXPECT_EQ(liveness.segments(), 2u);
  EXPECT_EQ(liveness.live_blocks(SegmentId(0)), BlockCount(64));
  EXPECT_EQ(liveness.live_blocks(SegmentId(1)), BlockCount(0));
  liveness.MarkLive(Blocks(127, 1));
  liveness.Clear(SegmentId(0));
  EXPECT_EQ(LiveRuns(liveness, SegmentId(0)), (std::vector<PhysicalRange>{}));
  EXPECT_EQ(liveness.live_blocks(SegmentId(0)), BlockCount(0));
  EXPECT_EQ(LiveRuns(liveness, SegmentId(1)), (std::vector{Blocks(127, 1)}));
}

TEST(SegmentLivenessTest, MemoryIsABitPerBlockAndFourBytesPerSegment) {
  SegmentLiveness liveness(SegmentGeometry(BlockCount(512)), 1000);
  EXPECT_EQ(liveness.memory_bytes(), 1000u * (512 / 8 + 4));
}

// Random marks in lock step with a plain array.
TEST(SegmentLivenessTest, AgreesWithAPlainArray) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Random random(seed);
  for (uint64_t size : {1, 63, 64, 65, 100, 512}) {
    constexpr uint32_t kSegments = 7;
    SegmentLiveness liveness(SegmentGeometry(BlockCount(size)), kSegments);
    std::vector<bool> model(size * kSegments);
    for (int step = 0; step < 20000; ++step) {
      // A range of equal liveness from a random block.
      const uint64_t start = random.Below(model.size());
      uint64_t end = start + 1;
      const uint64_t longest = 1 + random.Below(2 * size);
      while (end < model.size() && end - start < longest && model[end] == model[start])
        ++end;
      const PhysicalRange range = Blocks(start, end - start);
      if (step % 1000 == 999) {
        const SegmentId segment = liveness.geometry().segment_of(range.start);
        liveness.Clear(segment);
        for (uint64_t i = 0; i < size; ++i) model[segment.value() * size + i] = false;
      } else if (model[start] && random.Below(2) == 0) {  // some of the next 64
        uint64_t mask = 0;
        std::vector<uint64_t> expected(kSegments), told(kSegments);
        for (uint64_t i = start; i < std::min<uint64_t>(start + 64, model.size()); ++i) {
          if (!model[i] || random.Below(3) == 0) continue;
          mask |= uint64_t{1} << (i - start);
          model[i] = false;
          ++expected[i / size];
        }
        liveness.MarkStale(range.start, mask, [&told](SegmentId segment, uint32_t n) {
          told[segment.value()] += n;
        });
        ASSERT_EQ(told, expected);
      } else if (random.Below(2) == 0) {  // one by one
        for (uint64_t i = start; i < end; ++i)
          model[start] ? liveness.MarkStale(PhysicalBlock(i))
                       : liveness.MarkLive(PhysicalBlock(i));
        std::fill(model.begin() + start, model.begin() + end, !model[start]);
      } else {
        model[start] ? liveness.MarkStale(range) : liveness.MarkLive(range);
        std::fill(model.begin() + start, model.begin() + end, !model[start]);
      }
      // The runs of one segment say all about it.
      const SegmentId segment(static_cast<uint32_t>(random.Below(kSegments)));
      std::vector<bool> seen(size);
      uint64_t live = 0, before = 0;
      for (PhysicalRange run : LiveRuns(liveness, segment)) {
        const uint64_t at =
            (run.start - liveness.geometry().first_block(segment)).value();
        ASSERT_TRUE(live == 0 || at > before) << "runs touch";
        before = at + run.count.value();
        live += run.count.value();
        ASSERT_LE(before, size);
        std::fill(seen.begin() + at, seen.begin() + before, true);
      }
      ASSERT_EQ(liveness.live_blocks(segment).value(), live);
      for (uint64_t i = 0; i < size; ++i) {
        const uint64_t block = segment.value() * size + i;
        ASSERT_EQ(seen[i], model[block]) << block;
        ASSERT_EQ(liveness.IsLive(PhysicalBlock(block)), model[block]) << block;
      }
    }
  }
}

TEST(SegmentLivenessDeathTest, MarkingTwiceIsABug) {
  SegmentLiveness liveness(SegmentGeometry(BlockCount(100)), 2);
  liveness.MarkLive(Blocks(70, 60));
  EXPECT_DEATH(liveness.MarkLive(PhysicalBlock(70)), "CHECK");
  EXPECT_DEATH(liveness.MarkStale(PhysicalBlock(69)), "CHECK");
  EXPECT_DEATH(liveness.MarkLive(Blocks(0, 71)), "CHECK");
  EXPECT_DEATH(liveness.MarkStale(Blocks(129, 2)), "CHECK");
  EXPECT_DEATH(liveness.MarkLive(Blocks(199, 2)), "CHECK");  // past the last segment
  const auto ignore = [](SegmentId, uint32_t) {};
  EXPECT_DEATH(liveness.MarkStale(PhysicalBlock(69), 0b11, ignore), "CHECK");
  EXPECT_DEATH(liveness.MarkStale(PhysicalBlock(129), 0b11, ignore), "CHECK");
  EXPECT_DEATH(liveness.MarkStale(PhysicalBlock(129), 1 | (uint64_t{1} << 63), ignore),
               "CHECK");  // 192 was never live
}

}  // namespace
}  // namespace gleaner
