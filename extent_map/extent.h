// A piece of the map: `count` blocks that are contiguous both in lba and in physical
// blocks.
//
//   const Extent e{Lba(100), PhysicalBlock(7), BlockCount(4)};
//   e.lbas();       // lba(100)+4
//   e.physicals();  // block(7)+4
//
// A hole, where the map says so, is an extent whose physical block is invalid.
#pragma once

#include <ostream>

#include "base/types.h"

namespace gleaner {

struct Extent {
  Lba lba;
  PhysicalBlock physical;
  BlockCount count;

  constexpr bool mapped() const { return physical.valid(); }
  constexpr LbaRange lbas() const { return {lba, count}; }
  constexpr PhysicalRange physicals() const { return {physical, count}; }

  friend constexpr bool operator==(const Extent&, const Extent&) = default;
  friend std::ostream& operator<<(std::ostream& os, const Extent& e) {
    return os << e.lbas() << " at " << e.physical;
  }
};

}  // namespace gleaner
