#include "extent_map/entry_pool.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <set>
#include <vector>

#include "base/random.h"

namespace gleaner {
namespace {

constexpr size_t kPiece = 16384;

TEST(EntryPoolTest, StartsSmallAndGrowsByHugePages) {
  EntryPool pool(kPiece);
  EXPECT_EQ(pool.memory_bytes(), 0u);
  void* first = pool.Allocate();
  EXPECT_EQ(pool.memory_bytes(), kPiece);
  std::vector<void*> pieces;
  for (int i = 1; i < 16; ++i) pieces.push_back(pool.Allocate());
  EXPECT_EQ(pool.memory_bytes(), 16 * kPiece);  // the first slab
  pieces.push_back(pool.Allocate());
  EXPECT_EQ(pool.memory_bytes(), 16 * kPiece + (2 << 20));
  pool.Free(pieces.back());
  EXPECT_EQ(pool.memory_bytes(), 16 * kPiece);
  pieces.pop_back();
  for (void* piece : pieces) pool.Free(piece);
  pool.Free(first);
  EXPECT_EQ(pool.memory_bytes(), 0u);
}

TEST(EntryPoolTest, GivesAFreedPieceOutAgain) {
  EntryPool pool(kPiece);
  void* kept = pool.Allocate();
  void* freed = pool.Allocate();
  pool.Free(freed);
  EXPECT_EQ(pool.Allocate(), freed);
  EXPECT_EQ(pool.memory_bytes(), 2 * kPiece);
  pool.Free(kept);
  pool.Free(freed);
}

// Pieces keep what their owners wrote: no two overlap, and the pool stays out of them.
TEST(EntryPoolTest, PiecesAreTheirOwnersAlone) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  Random random(seed);
  EntryPool pool(kPiece);
  struct Piece {
    unsigned char* memory;
    unsigned char stamp;
  };
  std::vector<Piece> pieces;
  size_t most = 0;
  for (int step = 0; step < 20000; ++step) {
    const bool grows = random.Below(1000) < (step / 4000 % 2 == 0 ? 600u : 400u);
    if (grows || pieces.empty()) {
      const auto stamp = static_cast<unsigned char>(step);
      pieces.push_back({static_cast<unsigned char*>(pool.Allocate()), stamp});
      std::memset(pieces.back().memory, stamp, kPiece);
    } else {
      std::swap(pieces[random.Below(pieces.size())], pieces.back());
      const Piece piece = pieces.back();
      ASSERT_EQ(piece.memory[0], piece.stamp);
      ASSERT_EQ(std::memcmp(piece.memory, piece.memory + 1, kPiece - 1), 0);
      pool.Free(piece.memory);
      pieces.pop_back();
    }
    most = std::max(most, pieces.size());
  }
  EXPECT_GT(most, 300u);  // several slabs
  for (const Piece& piece : pieces) pool.Free(piece.memory);
  EXPECT_EQ(pool.memory_bytes(), 0u);
}

}  // namespace
}  // namespace gleaner
