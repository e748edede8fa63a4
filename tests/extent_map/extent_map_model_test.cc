// The extent map in lock step with models that cannot be wrong: a plain array for windows
// of the address space that straddle every boundary inside the map, and a std::map of
// single blocks for addresses scattered over all of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "base/random.h"
#include "extent_map/extent_map.h"

namespace gleaner {
namespace {

using Extents = std::vector<Extent>;

constexpr uint64_t kHole = PhysicalBlock::kInvalid;

// Appends block by block, joining what meets.
void AddBlock(Extents& extents, uint64_t lba, uint64_t physical) {
  if (!extents.empty() && extents.back().lbas().end() == Lba(lba) &&
      extents.back().physicals().end() == PhysicalBlock(physical)) {
    extents.back().count += BlockCount(1);
  } else {
    extents.push_back({Lba(lba), PhysicalBlock(physical), BlockCount(1)});
  }
}

// Blocks [base, base + size) of the map, as an array.
class Window {
 public:
  Window(uint64_t base, uint64_t size) : base_(base), blocks_(size, kHole) {}

  uint64_t base() const { return base_; }
  uint64_t size() const { return blocks_.size(); }
  uint64_t& operator[](uint64_t i) { return blocks_[i]; }

  Extents Within(uint64_t first, uint64_t end) const {
    Extents extents;
    for (uint64_t i = first; i < end; ++i)
      if (blocks_[i] != kHole) AddBlock(extents, base_ + i, blocks_[i]);
    return extents;
  }
  // The extent or hole from block `at`, cut at `end`.
  Extent From(uint64_t at, uint64_t end) const {
    uint64_t n = 1;
    const bool hole = blocks_[at] == kHole;
    const auto goes_on = [&](uint64_t i) {
      if (hole || blocks_[i] == kHole) return hole && blocks_[i] == kHole;
      return blocks_[i] == blocks_[at] + (i - at);
    };
    while (at + n < end && goes_on(at + n)) ++n;
    return {Lba(base_ + at), PhysicalBlock(blocks_[at]), BlockCount(n)};
  }
  uint64_t mapped() const {
    return blocks_.size() - std::count(blocks_.begin(), blocks_.end(), kHole);
  }

 private:
  uint64_t base_;
  std::vector<uint64_t> blocks_;
};

// What random operations look like for a while.
struct Mood {
  uint64_t longest = 1;        // blocks of a range
  uint64_t physical_from = 0;  // random physical blocks lie in [from, from + span)
  uint64_t physical_span = 1;
  bool log = false;       // physical blocks follow one another instead, as in a log
  bool in_order = false;  // lbas follow one another
  uint64_t erase_percent = 0;
};

Mood RandomMood(Random& random) {
  constexpr uint64_t kLongest[] = {1, 1, 4, 16, 300, 3000};
  constexpr uint64_t kFrom[] = {0, 0xffffffff - 2000, uint64_t{1} << 40,
                                PhysicalBlock::kInvalid - 8000};
  constexpr uint64_t kSpan[] = {100, 3000, 1 << 20};
  Mood mood;
  mood.longest = kLongest[random.Below(6)];
  // High blocks are rarer, so that leaves of narrow entries get their share.
  mood.physical_from = kFrom[random.Below(10) < 7 ? 0 : 1 + random.Below(3)];
  mood.physical_span = mood.physical_from > kFrom[2] ? 4000 : kSpan[random.Below(3)];
  mood.log = random.Below(2) == 0;
  mood.in_order = random.Below(3) == 0;
  mood.erase_percent = random.Below(4) == 0 ? 60 : 5;
  return mood;
}

class Player {
 public:
  Player(uint64_t seed, uint64_t base, uint64_t size)
      : random_(seed), window_(base, size) {}

  // Plays `blocks` single-block operations' worth of work, then compares all there is.
  void Play(uint64_t blocks) {
    mood_ = RandomMood(random_);
    log_head_ = mood_.physical_from + random_.Below(mood_.physical_span);
    for (uint64_t done = 0; done < blocks && !::testing::Test::HasFailure();) {
      const uint64_t first = mood_.in_order ? cursor_ : random_.Below(window_.size());
      const uint64_t end =
          std::min(window_.size(), first + 1 + random_.Below(mood_.longest));
      cursor_ = end % window_.size();
      Step(first, end);
      done += end - first;
    }
    ExpectSame();
  }

 private:
  Lba LbaOf(uint64_t i) const { return Lba(window_.base() + i); }
  LbaRange LbasOf(uint64_t first, uint64_t end) const {
    return {LbaOf(first), BlockCount(end - first)};
  }

  uint64_t NewPhysical(uint64_t blocks) {
    if (!mood_.log) return mood_.physical_from + random_.Below(mood_.physical_span);
    if (log_head_ - mood_.physical_from > mood_.physical_span)
      log_head_ = mood_.physical_from;
    log_head_ += blocks;
    return log_head_ - blocks;
  }

  void Step(uint64_t first, uint64_t end) {
    const uint64_t dice = random_.Below(100);
    if (dice < mood_.erase_percent) {
      Erase(first, end);
    } else if (dice < 70) {
      Assign(first, end, NewPhysical(end - first));
    } else if (dice < 90) {
      Relocate(first, end);
    } else {
      Look(first, end);
    }
  }

  void Erase(uint64_t first, uint64_t end) {
    const Extents expected = window_.Within(first, end);
    Extents displaced;
    map_.Erase(LbasOf(first, end), [&](const Extent& e) { displaced.push_back(e); });
    ASSERT_EQ(displaced, expected);
    for (uint64_t i = first; i < end; ++i) window_[i] = kHole;
  }

  void Assign(uint64_t first, uint64_t end, uint64_t physical) {
    const Extents expected = window_.Within(first, end);
    if (end - first == 1 && random_.Below(8) != 0) {
      const PhysicalBlock before =
          map_.AssignBlock(LbaOf(first), PhysicalBlock(physical));
      ASSERT_EQ(before.value(), window_[first]);
    } else {
      Extents displaced;
      map_.Assign(LbasOf(first, end), PhysicalBlock(physical),
                  [&](const Extent& e) { displaced.push_back(e); });
      ASSERT_EQ(displaced, expected);
    }
    for (uint64_t i = first; i < end; ++i) window_[i] = physical + (i - first);
  }

  // Moves what is contiguous with the first block, the rest having been overwritten, as
  // it were.
  void Relocate(uint64_t first, uint64_t end) {
    const uint64_t to = NewPhysical(end - first);
    const uint64_t from = window_[first] == kHole ? random_.Below(100) : window_[first];
    if (from > PhysicalBlock::kInvalid - (end - first)) return;
    Extents expected;
    for (uint64_t i = first; i < end; ++i)
      if (window_[i] == from + (i - first))
        AddBlock(expected, LbaOf(i).value(), window_[i] = to + (i - first));
    if (end - first == 1 && random_.Below(8) != 0) {
      const bool moved =
          map_.RelocateBlock(LbaOf(first), PhysicalBlock(from), PhysicalBlock(to));
      ASSERT_EQ(moved, !expected.empty());
      return;
    }
    Extents moved;
    const BlockCount blocks =
        map_.Relocate(LbasOf(first, end), PhysicalBlock(from), PhysicalBlock(to),
                      [&](const Extent& e) { moved.push_back(e); });
    ASSERT_EQ(moved, expected);
    uint64_t total = 0;
    for (const Extent& e : expected) total += e.count.value();
    ASSERT_EQ(blocks.value(), total);
  }

  void Look(uint64_t first, uint64_t end) {
    map_.Prefetch(LbaOf(first));
    ASSERT_EQ(map_.Lookup(LbaOf(first)).value(), window_[first]);
    const PhysicalBlock peeked = map_.Peek(LbaOf(first));
    ASSERT_TRUE(!peeked.valid() || peeked.value() == window_[first]) << peeked;
    ASSERT_EQ(map_.LookupExtent(LbaOf(first), BlockCount(end - first)),
              window_.From(first, end));
    Extents seen;
    map_.ForEach(LbasOf(first, end), [&](const Extent& e) { seen.push_back(e); });
    ASSERT_EQ(seen, window_.Within(first, end));
  }

  void ExpectSame() {
    Extents seen;
    map_.ForEach({Lba(0), BlockCount(Lba::kInvalid)},
                 [&](const Extent& e) { seen.push_back(e); });
    ASSERT_EQ(seen, window_.Within(0, window_.size()));
    ASSERT_EQ(map_.mapped_blocks().value(), window_.mapped());
    for (uint64_t i = 0; i < window_.size(); ++i)
      ASSERT_EQ(map_.Lookup(LbaOf(i)).value(), window_[i]) << i;
  }

  Random random_;
  Window window_;
  ExtentMap map_;
  Mood mood_;
  uint64_t log_head_ = 0;
  uint64_t cursor_ = 0;
};

// Boundaries of leaves, of areas, of what is found by index, and of the address space.
constexpr uint64_t kBases[] = {0, (1 << 18) - 6000, (uint64_t{1} << 36) - 6000,
                               (uint64_t{1} << 63) - 6000, Lba::kInvalid - 12000};

TEST(ExtentMapModelTest, AgreesWithAPlainArray) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  for (uint64_t base : kBases) {
    SCOPED_TRACE(::testing::Message() << "base " << base);
    Player player(seed + base, base, 12000);
    for (int mood = 0; mood < 60 && !HasFailure(); ++mood) player.Play(25000);
  }
}

// Long ranges over many areas: each counts for little, so there are few.
TEST(ExtentMapModelTest, AgreesWithAPlainArrayOverManyAreas) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  constexpr uint64_t kArea = 1 << 18;
  Random random(seed);
  ExtentMap map;
  Window window(3 * kArea - 1000, 5 * kArea);
  for (int step = 0; step < 200; ++step) {
    uint64_t first = random.Below(window.size());
    uint64_t end = std::min(window.size(), first + 1 + random.Below(4 * kArea));
    if (random.Below(2) == 0) first = first / kArea * kArea + 1000 % window.size();
    if (random.Below(2) == 0) end = std::min(window.size(), end / kArea * kArea + 1000);
    if (first >= end) continue;
    const uint64_t physical = random.Below(4) == 0 ? kHole : random.Next() >> 20;
    const LbaRange range{Lba(window.base() + first), BlockCount(end - first)};
    Extents displaced;
    const auto collect = [&](const Extent& e) { displaced.push_back(e); };
    if (physical == kHole) {
      map.Erase(range, collect);
    } else {
      map.Assign(range, PhysicalBlock(physical), collect);
    }
    ASSERT_EQ(displaced, window.Within(first, end));
    for (uint64_t i = first; i < end; ++i)
      window[i] = physical == kHole ? kHole : physical + (i - first);
    // Crowd one area with single blocks, so that some get directories and lose them
    // again.
    const uint64_t crowd = random.Below(window.size() - 3000);
    for (int i = 0; i < 1000; ++i) {
      const uint64_t at = crowd + random.Below(3000);
      const PhysicalBlock before =
          map.AssignBlock(Lba(window.base() + at), PhysicalBlock(i * 7));
      ASSERT_EQ(before.value(), window[at]);
      window[at] = i * 7;
    }
    ASSERT_EQ(map.mapped_blocks().value(), window.mapped());
  }
}

TEST(ExtentMapModelTest, AgreesOnScatteredAddresses) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Random random(seed);
  ExtentMap map;
  std::map<uint64_t, uint64_t> model;
  std::vector<uint64_t> places;  // some crowded, most alone
  for (int i = 0; i < 20000; ++i) places.push_back(random.Next() >> random.Below(40));
  const auto place = [&] { return places[random.Below(places.size())]; };
  for (int step = 0; step < 300000; ++step) {
    const uint64_t lba = std::min(place() + random.Below(50), Lba::kInvalid - 20);
    const uint64_t dice = random.Below(1000);
    Extents displaced, expected;
    const auto collect = [&](const Extent& e) { displaced.push_back(e); };
    const auto take = [&](uint64_t first, uint64_t end) {
      const auto from = model.lower_bound(first), to = model.lower_bound(end);
      for (auto it = from; it != to; ++it) AddBlock(expected, it->first, it->second);
      model.erase(from, to);
    };
    if (dice < 5) {  // from one place to another, which may be far
      const uint64_t end = std::min(lba + (place() >> 12), Lba::kInvalid);
      if (end <= lba) continue;
      map.Erase({Lba(lba), BlockCount(end - lba)}, collect);
      take(lba, end);
    } else if (dice < 200) {
      map.Erase({Lba(lba), BlockCount(20)}, collect);
      take(lba, lba + 20);
    } else {
      const uint64_t n = 1 + random.Below(dice < 600 ? 1 : 20);
      const uint64_t physical = random.Below(1 << 30) << random.Below(12);
      map.Assign({Lba(lba), BlockCount(n)}, PhysicalBlock(physical), collect);
      take(lba, lba + n);
      for (uint64_t i = 0; i < n; ++i) model[lba + i] = physical + i;
    }
    ASSERT_EQ(displaced, expected) << "step " << step;
    ASSERT_EQ(map.mapped_blocks().value(), model.size());
    const auto found = model.find(lba);
    ASSERT_EQ(map.Lookup(Lba(lba)).value(), found == model.end() ? kHole : found->second);
  }
  Extents seen, expected;
  map.ForEach({Lba(0), BlockCount(Lba::kInvalid)},
              [&](const Extent& e) { seen.push_back(e); });
  for (const auto& [lba, physical] : model) AddBlock(expected, lba, physical);
  ASSERT_EQ(seen, expected);
}

}  // namespace
}  // namespace gleaner
