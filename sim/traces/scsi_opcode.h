// What a SCSI command (SPC-4, SBC-3) means to a volume, by its operation code.
//
//   GLEANER_ASSIGN_OR_RETURN(ScsiMeaning meaning, ScsiOpcodeMeaning(0x2a));  // kWrite
//
// Thread-safe: a pure function.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

namespace gleaner {

enum class ScsiMeaning : uint8_t {
  kRead,
  kWrite,
  kUnmap,
  kNone,  // moves no data of the medium: inquiry, cache synchronisation, verify, …
};

// InvalidArgument for a command that is not in the list: it might change data in a way
// that a record of address and length does not tell.
absl::StatusOr<ScsiMeaning> ScsiOpcodeMeaning(uint64_t opcode);

}  // namespace gleaner
