// What a simulation writes into each block of a real device, so that a block that went astray, is
// old, or was overwritten is found out.
//
//   Stamp stamp{.lba = Lba(7), .generation = 3, .seed = 1};
//   stamp.Fill(absl::MakeSpan(block));
//   GLEANER_RETURN_IF_ERROR(stamp.Check(block));
//
// Every 512 bytes begin with Gleaner's marker, lba, generation, seed and their own number, so that
// torn blocks show too; the rest is pseudo-random. Thread-safe.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/types.h"

namespace gleaner {

struct Stamp {
  Lba lba;
  uint32_t generation =
      0;  // counts the writes of the lba, from 1; 0: never written, all zeroes
  uint64_t seed = 0;

  // The block's size is a multiple of 512 bytes.
  void Fill(absl::Span<char> block) const;

  // DataLoss: the block differs; says what it holds instead, as far as it can be told.
  absl::Status Check(absl::Span<const char> block) const;
};

}  // namespace gleaner
