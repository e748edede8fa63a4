#include "extent_map/extent_map.h"

#include <algorithm>

#include "base/check.h"

namespace gleaner {
namespace {

constexpr uint64_t kEnd = Lba::kInvalid;  // of the address space

constexpr auto kIgnore = [](const Extent&) {};

void CheckValid(LbaRange range) {
  GLEANER_CHECK(range.empty() || range.count.value() <= kEnd - range.start.value());
}

void CheckValid(PhysicalBlock first, BlockCount count) {
  GLEANER_CHECK(count.value() <= PhysicalBlock::kInvalid - first.value());
}

}  // namespace

ExtentMap::ExtentMap() = default;

ExtentMap::~ExtentMap() {
  for (auto& [area, directory] : directories_)
    for (Leaf& leaf : directory->leaves) leaf.Clear(pools_);
}

void ExtentMap::Assign(LbaRange range, PhysicalBlock physical, ExtentVisitor displaced) {
  CheckValid(range);
  CheckValid(physical, range.count);
  ExtentMerger merger(displaced);
  Replace(range.start.value(), range.end().value(), physical.value(), merger);
  merger.Finish();
  mapped_blocks_ += range.count.value() - merger.blocks();
}

PhysicalBlock ExtentMap::AssignBlockSlow(Lba lba, PhysicalBlock physical) {
  PhysicalBlock before;
  Assign({lba, BlockCount(1)}, physical,
         [&before](const Extent& displaced) { before = displaced.physical; });
  return before;
}

void ExtentMap::Erase(LbaRange range, ExtentVisitor displaced) {
  CheckValid(range);
  ExtentMerger merger(displaced);
  Replace(range.start.value(), range.end().value(), kUnmapped, merger);
  merger.Finish();
  mapped_blocks_ -= merger.blocks();
}

Extent ExtentMap::LookupExtent(Lba lba, BlockCount at_most) const {
  const uint64_t limit = std::min(at_most.value(), kEnd - lba.value());
  PackedRun run{lba.value(), kUnmapped, 0};
  while (run.count < limit) {
    const PackedRun piece = PieceAt(run.end(), limit - run.count);
    const bool hole = piece.physical == kUnmapped;
    if (run.count == 0) {
      run.physical = piece.physical;
    } else if (hole != (run.physical == kUnmapped) || (!hole && !run.Meets(piece))) {
      break;
    }
    run.count += piece.count;
  }
  return {lba, PhysicalBlock(run.physical), BlockCount(run.count)};
}

BlockCount ExtentMap::Relocate(LbaRange range, PhysicalBlock from, PhysicalBlock to,
                               ExtentVisitor moved) {
  CheckValid(range);
  CheckValid(from, range.count);
  CheckValid(to, range.count);
  const uint64_t first = range.start.value();
  ExtentMerger was(kIgnore), merger(moved);
  for (uint64_t at = first; at < range.end().value();) {
    const PackedRun piece = PieceAt(at, range.end().value() - at);
    if (piece.physical == from.value() + (at - first)) {
      const uint64_t target = to.value() + (at - first);
      Replace(at, piece.end(), target, was);
      merger.Add(at, target, piece.count);
    }
    at = piece.end();
  }
  merger.Finish();
  return BlockCount(merger.blocks());
}

bool ExtentMap::RelocateBlockSlow(Lba lba, PhysicalBlock from, PhysicalBlock to) {
  return Relocate({lba, BlockCount(1)}, from, to, kIgnore).value() == 1;
}

void ExtentMap::ForEach(LbaRange range, ExtentVisitor visit) const {
  CheckValid(range);
  ExtentMerger merger(visit);
  for (uint64_t at = range.start.value(); at < range.end().value();) {
    const PackedRun piece = PieceAt(at, range.end().value() - at);
    if (piece.physical != kUnmapped) merger.Add(at, piece.physical, piece.count);
    at = piece.end();
  }
  merger.Finish();
}

uint64_t ExtentMap::CountExtents(LbaRange range) const {
  uint64_t extents = 0;
  ForEach(range, [&extents](const Extent&) { ++extents; });
  return extents;
}

uint64_t ExtentMap::memory_bytes() const {
  // Nodes of absl's tree are three quarters full on average.
  uint64_t bytes = directories_.size() * (HeapBytes(sizeof(Directory)) +
                                          sizeof(*directories_.begin()) * 4 / 3) +
                   low_.capacity() * sizeof(low_[0]) + sparse_.memory_bytes() +
                   pools_.narrow.memory_bytes() + pools_.wide.memory_bytes();
  for (const auto& [area, directory] : directories_)
    for (const Leaf& leaf : directory->leaves) bytes += leaf.memory_bytes();
  return bytes;
}

ExtentMap::Directory* ExtentMap::DirectoryOf(uint64_t area) const {
  if (area < kLowAreas) return area < low_.size() ? low_[area] : nullptr;
  const auto it = directories_.find(area);
  return it == directories_.end() ? nullptr : it->second.get();
}

bool ExtentMap::WantsDirectory(uint64_t area, uint64_t blocks) const {
  return blocks < kAreaBlocks && (area == 0 || DirectoryOf(area - 1) != nullptr);
}

ExtentMap::Directory* ExtentMap::AddDirectory(uint64_t area) {
  auto& directory = directories_[area];
  GLEANER_CHECK(directory == nullptr);
  directory = std::make_unique<Directory>();
  if (area < kLowAreas) {
    if (area >= low_.size()) low_.resize(area + 1);
    low_[area] = directory.get();
  }
  ExtentMerger nothing(kIgnore);
  const auto move = [&](const Extent& e) {
    ReplaceIn(*directory, e.lba.value(), e.lbas().end().value(), e.physical.value(),
              nothing);
  };
  ExtentMerger moved(move);
  const uint64_t first = area << kAreaBits;
  sparse_.Replace(first, first + std::min(kAreaBlocks, kEnd - first), kUnmapped, moved);
  moved.Finish();
  return directory.get();
}

void ExtentMap::RemoveDirectory(uint64_t area) {
  if (area < kLowAreas) low_[area] = nullptr;
  directories_.erase(area);
}

uint64_t ExtentMap::ToNextDirectory(uint64_t lba) const {
  const auto next = directories_.lower_bound(lba >> kAreaBits);
  return (next == directories_.end() ? kEnd : next->first << kAreaBits) - lba;
}

void ExtentMap::Replace(uint64_t first, uint64_t end, uint64_t physical,
                        ExtentMerger& displaced) {
  if (first / Leaf::kBlocks == (end - 1) / Leaf::kBlocks && first < end) {
    // Within one leaf, as most updates are: if it has a directory, that is all.
    const uint64_t area = first >> kAreaBits, at = first % Leaf::kBlocks;
    if (Directory* directory = DirectoryOf(area)) {
      directory->used += directory->leaves[LeafIndex(first)].Replace(
          first - at, {at, physical, end - first}, displaced, pools_);
      if (directory->used == 0) RemoveDirectory(area);
      return;
    }
  }
  const bool maps = physical != kUnmapped;
  while (first < end) {
    const uint64_t area = first >> kAreaBits;
    uint64_t n = std::min(end - first, kAreaBlocks - first % kAreaBlocks);
    Directory* directory = DirectoryOf(area);
    if (directory == nullptr && maps && WantsDirectory(area, n))
      directory = AddDirectory(area);
    if (directory != nullptr) {
      // An area that becomes one extent needs no directory for it.
      const bool whole = maps && n == kAreaBlocks;
      ReplaceIn(*directory, first, first + n, whole ? kUnmapped : physical, displaced);
      if (directory->used == 0) RemoveDirectory(area);
      if (whole) continue;
    } else {
      n = std::min(end - first, ToNextDirectory(first));
      if (const auto crowded = sparse_.Replace(first, first + n, physical, displaced))
        AddDirectory(*crowded);
    }
    first += n;
    if (maps) physical += n;
  }
}

void ExtentMap::ReplaceIn(Directory& directory, uint64_t first, uint64_t end,
                          uint64_t physical, ExtentMerger& displaced) {
  while (first < end) {
    Leaf& leaf = directory.leaves[LeafIndex(first)];
    const uint64_t at = first % Leaf::kBlocks;
    const uint64_t n = std::min(end - first, Leaf::kBlocks - at);
    directory.used += leaf.Replace(first - at, {at, physical, n}, displaced, pools_);
    first += n;
    if (physical != kUnmapped) physical += n;
  }
}

PackedRun ExtentMap::PieceAt(uint64_t lba, uint64_t at_most) const {
  if (const Directory* directory = DirectoryOf(lba >> kAreaBits)) {
    const uint64_t at = lba % Leaf::kBlocks;
    const uint64_t end = std::min(Leaf::kBlocks, at + std::min(at_most, Leaf::kBlocks));
    PackedRun piece = directory->leaves[LeafIndex(lba)].PieceAt(at, end);
    piece.key += lba - at;
    return piece;
  }
  PackedRun piece = sparse_.PieceAt(lba);
  piece.count = std::min(piece.count, at_most);
  if (piece.physical == kUnmapped)
    piece.count = std::min(piece.count, ToNextDirectory(lba));
  return piece;
}

}  // namespace gleaner
