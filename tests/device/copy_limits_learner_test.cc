// The learner against devices that are no more than three true limits.
#include "device/copy_limits_learner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "device/geometry.h"

namespace gleaner {
namespace {

using Shape = CopyLimitsLearner::Shape;

DeviceRange Range(uint64_t blocks) { return {DeviceBlock(0), DeviceBlockCount(blocks)}; }

class LearnerTest : public ::testing::Test {
 protected:
  void Start(const CopyLimits& truth) {
    truth_ = truth;
    in_force_ = WithCaps({.unknown = true});
    learner_ = {};
    refused_ = 0;
  }

  // Copies the ranges, by commands as large as the learner lets through.
  void Copy(std::vector<DeviceRange> ranges) {
    while (!ranges.empty()) {
      const bool wanted = learner_.WantsProbe(ranges, in_force_);
      std::vector<DeviceRange> left = ranges;
      const std::vector<DeviceRange> sources =
          Cut(left, learner_.ForNext(ranges, in_force_, true));
      Shape shape;
      for (const DeviceRange& range : sources) {
        ++shape.ranges;
        shape.blocks += range.count.value();
        shape.longest = std::max(shape.longest, range.count.value());
      }
      ASSERT_GT(shape.blocks, 0u);
      ASSERT_TRUE(KeepsLimits(sources, in_force_));
      ASSERT_EQ(learner_.IsProbe(shape), wanted);
      if (KeepsLimits(sources, truth_)) {
        learner_.Accepted(shape, {});
        ranges = left;
        continue;
      }
      ++refused_;
      ASSERT_TRUE(wanted && learner_.any_accepted());
      in_force_ = Lowered(in_force_, learner_.Refused(shape));
    }
  }

  CopyLimits truth_;
  CopyLimits in_force_;
  CopyLimitsLearner learner_;
  int refused_ = 0;

 private:
  static std::vector<DeviceRange> Cut(std::vector<DeviceRange>& ranges,
                                      const CopyLimits& limits) {
    std::vector<DeviceRange> sources;
    uint64_t room = limits.max_copy_blocks;
    size_t next = 0;
    while (next < ranges.size() && room > 0 && sources.size() < limits.max_copy_ranges) {
      DeviceRange& range = ranges[next];
      const DeviceBlockCount n(
          std::min({room, range.count.value(), limits.max_range_blocks}));
      sources.push_back({range.start, n});
      range.count -= n;
      room -= n.value();
      if (range.empty()) ++next;
    }
    ranges.erase(ranges.begin(), ranges.begin() + static_cast<ptrdiff_t>(next));
    return sources;
  }
};

TEST_F(LearnerTest, BeginsWithOneBlockInOneRange) {
  Start({});
  const CopyLimits one{1, 1, 1, true, true};
  EXPECT_EQ(learner_.ForNext({Range(9)}, in_force_, true), one);
  EXPECT_EQ(learner_.ForNext({Range(9)}, in_force_, false), one);
  EXPECT_FALSE(
      learner_.ForNext({Range(9)}, Lowered(in_force_, {.copy_offload = false}), true)
          .can_copy());
}

// Of one long range everything can be learned: it may be cut into many.
TEST_F(LearnerTest, EachLimitIsRefusedOnce) {
  struct Case {
    CopyLimits truth;
    int refused;
    CopyLimits learned;
  };
  const uint64_t cap = 65536;
  for (const Case& c : {Case{{1, 1, 1}, 2, {cap, 1, 1}},      //
                        Case{{5, 2, 3}, 2, {cap, 2, 2}},      // ranges show all there is
                        Case{{7, 256, 65535}, 3, {4, 4, 4}},  // blocks limit all three
                        Case{{1024, 16, 100}, 2, {cap, 16, 64}},
                        Case{{128, 128, 128}, 3, {128, 128, 128}},
                        Case{{cap, 256, cap}, 0, {cap, 256, cap}}}) {
    Start(c.truth);
    for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(Copy({Range(300'000)}));
    EXPECT_EQ(refused_, c.refused) << c.truth.max_copy_blocks;
    EXPECT_EQ(in_force_.max_copy_blocks, c.learned.max_copy_blocks);
    EXPECT_EQ(in_force_.max_copy_ranges, c.learned.max_copy_ranges);
    EXPECT_EQ(in_force_.max_range_blocks, c.learned.max_range_blocks);
  }
}

TEST_F(LearnerTest, AnyLimitsByAnyRangesAreRefusedAtMostThrice) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const auto up_to = [&random](uint64_t bits) {
      return 1 + random.Below(uint64_t{1} << random.Below(bits + 1));
    };
    Start({up_to(12), static_cast<uint32_t>(up_to(8)), up_to(12)});
    in_force_ = Lowered(in_force_, {.max_copy_blocks = up_to(16),
                                    .max_copy_ranges = static_cast<uint32_t>(up_to(8)),
                                    .max_range_blocks = up_to(16)});
    for (int i = 0; i < 40; ++i) {
      std::vector<DeviceRange> ranges;
      for (uint64_t n = up_to(8); n > 0; --n) ranges.push_back(Range(up_to(seed % 9)));
      ASSERT_NO_FATAL_FAILURE(Copy(ranges));
    }
    EXPECT_LE(refused_, 3);
    // What was learned is not below a half of what the device takes of it.
    const uint64_t range = std::min(truth_.max_range_blocks, truth_.max_copy_blocks);
    EXPECT_TRUE(refused_ == 0 || in_force_.max_range_blocks * 2 > range ||
                in_force_.max_range_blocks >= WithCaps({}).max_range_blocks);
  }
}

}  // namespace
}  // namespace gleaner
