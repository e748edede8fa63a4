// The reverse map, physical -> lba: the cleaner asks it which lbas the live blocks of a
// victim belong to. An interface over ranges, because stores keep it in different places:
// the volatile store in RAM, LogStore in the summaries of its segments.
//
//   RamReverseMap reverse(BlockCount(524288));
//   reverse.Set(PhysicalBlock(7), Lba(100));
//   Lba lbas[4];
//   GLEANER_RETURN_IF_ERROR(reverse.Get({PhysicalBlock(6), BlockCount(4)}, lbas));
//   // lbas[1] == Lba(100)
//
// It says what was last written to a block, not that the block is live: an entry outlives
// the overwriting or trimming of its lba, until the block is written again.
// Thread-compatible.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/huge_pages.h"
#include "base/types.h"
#include "extent_map/extent.h"

namespace gleaner {

class ReverseMap {
 public:
  virtual ~ReverseMap() = default;

  // Writes the lba of each block of `range` to `lbas`, an invalid one for a block that
  // was never written. lbas.size() must be range.count. OutOfRange past the end of the
  // map; what a store that keeps the entries on a device can meet besides, it says.
  virtual absl::Status Get(PhysicalRange range, absl::Span<Lba> lbas) const = 0;
};

// In RAM: 4 bytes per block while every lba is below 2^32 - 1; the first higher one
// widens all entries to 8 bytes, once, at a cost linear in the map.
class RamReverseMap final : public ReverseMap {
 public:
  // Blocks 0 to `blocks` - 1, none written.
  explicit RamReverseMap(BlockCount blocks) : narrow_(blocks.value(), kNarrowInvalid) {}

  absl::Status Get(PhysicalRange range, absl::Span<Lba> lbas) const override;

  // Preconditions of both: the block is below size().
  void Set(PhysicalBlock block, Lba lba) {
    GLEANER_DCHECK(block.value() < size().value());
    if (lba.value() < kNarrowInvalid && !narrow_.empty()) [[likely]] {
      narrow_[block.value()] = static_cast<uint32_t>(lba.value());
    } else {
      SetWide(block, lba);
    }
  }
  Lba GetBlock(PhysicalBlock block) const {
    GLEANER_DCHECK(block.value() < size().value());
    if (!wide_.empty()) [[unlikely]]
      return Lba(wide_[block.value()]);
    return GetNarrow(block.value());
  }

  // Calls visit(Extent) for each maximal run of consecutive lbas in `range`, in its order. Every
  // block of it must have been written.
  template <typename Visit>
  void ForEachExtent(PhysicalRange range, Visit&& visit) const {
    GLEANER_DCHECK(range.end().value() <= size().value());
    wide_.empty() ? VisitExtents(narrow_.data(), range, visit)
                  : VisitExtents(wide_.data(), range, visit);
  }

  BlockCount size() const {
    return BlockCount(wide_.empty() ? narrow_.size() : wide_.size());
  }

  // Adds blocks, none written, until there are `blocks`; never fewer than there are.
  void Grow(BlockCount blocks);

  // The heap memory that this object holds.
  uint64_t memory_bytes() const;

 private:
  static constexpr uint32_t kNarrowInvalid = std::numeric_limits<uint32_t>::max();

  Lba GetNarrow(uint64_t block) const {
    const uint32_t lba = narrow_[block];
    return lba == kNarrowInvalid ? Lba() : Lba(lba);
  }
  void SetWide(PhysicalBlock block, Lba lba);

  template <typename Entry, typename Visit>
  static void VisitExtents(const Entry* lbas, PhysicalRange range, Visit&& visit) {
    const uint64_t end = range.end().value();
    for (uint64_t at = range.start.value(); at < end;) {
      const uint64_t first = at;
      const uint64_t lba = lbas[first];
      do ++at;
      while (at < end && lbas[at] == lba + (at - first));
      visit(Extent{Lba(lba), PhysicalBlock(first), BlockCount(at - first)});
    }
  }

  template <typename T>
  using Vector = std::vector<T, HugePageAllocator<T>>;
  // Exactly one of the two is in use.
  Vector<uint32_t> narrow_;
  Vector<uint64_t> wide_;
};

}  // namespace gleaner
