// What a cut may undo, block by block.
#include "device/unflushed_log.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/device/copy_testing.h"

namespace gleaner::testing {
namespace {

using Restored = std::map<uint64_t, char>;

constexpr uint32_t kBlockBytes = 512;

void Record(UnflushedLog& log, uint64_t start, uint64_t count, char before) {
  log.Record(Blocks(start, count), std::string(count * kBlockBytes, before).data());
}

Restored Cut(UnflushedLog log, uint64_t seed) {
  Restored restored;
  Random random(seed);
  log.Cut(random, [&restored](DeviceBlock block, const char* contents) {
    EXPECT_EQ(contents[0], contents[kBlockBytes - 1]);
    EXPECT_TRUE(restored.emplace(block.value(), contents[0]).second);
  });
  EXPECT_EQ(log.bytes(), 0u);
  return restored;
}

// All that many seeds give.
template <typename Make>
std::set<Restored> Outcomes(Make make) {
  std::set<Restored> outcomes;
  for (uint64_t seed = 0; seed < 100; ++seed) outcomes.insert(Cut(make(), seed));
  return outcomes;
}

TEST(UnflushedLogTest, ABlockGoesBackToBeforeSomeOperation) {
  const auto outcomes = Outcomes([] {
    UnflushedLog log(kBlockBytes, DeviceBlockCount(1));
    Record(log, 7, 1, 'a');
    Record(log, 7, 1, 'b');
    EXPECT_EQ(log.operations(), 2u);
    EXPECT_EQ(log.bytes(), 2 * kBlockBytes);
    return log;
  });
  EXPECT_EQ(outcomes, (std::set<Restored>{{}, {{7, 'a'}}, {{7, 'b'}}}));
}

TEST(UnflushedLogTest, BlocksAreDrawnApart) {
  const auto outcomes = Outcomes([] {
    UnflushedLog log(kBlockBytes, DeviceBlockCount(1));
    Record(log, 3, 2, 'a');
    return log;
  });
  EXPECT_EQ(outcomes,
            (std::set<Restored>{{}, {{3, 'a'}}, {{4, 'a'}}, {{3, 'a'}, {4, 'a'}}}));
}

TEST(UnflushedLogTest, AnAtomicUnitIsNotTorn) {
  const auto outcomes = Outcomes([] {
    UnflushedLog log(kBlockBytes, DeviceBlockCount(4));
    Record(log, 4, 2, 'a');
    Record(log, 5, 2, 'b');
    return log;
  });
  EXPECT_EQ(outcomes, (std::set<Restored>{
                          {}, {{5, 'b'}, {6, 'b'}}, {{4, 'a'}, {5, 'a'}, {6, 'b'}}}));
}

TEST(UnflushedLogTest, AFlushKeepsWhatItCovers) {
  const auto outcomes = Outcomes([] {
    UnflushedLog log(kBlockBytes, DeviceBlockCount(1));
    Record(log, 1, 2, 'a');
    const uint64_t covered = log.operations();
    Record(log, 1, 1, 'b');  // completes before the flush does, and is not covered
    log.Flushed(covered);
    EXPECT_EQ(log.bytes(), kBlockBytes);
    return log;
  });
  EXPECT_EQ(outcomes, (std::set<Restored>{{}, {{1, 'b'}}}));
}

}  // namespace
}  // namespace gleaner::testing
