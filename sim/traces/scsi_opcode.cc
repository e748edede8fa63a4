#include "sim/traces/scsi_opcode.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace gleaner {

absl::StatusOr<ScsiMeaning> ScsiOpcodeMeaning(uint64_t opcode) {
  switch (opcode) {
    case 0x08:  // read of 6, 10, 12, 16 bytes of command
    case 0x28:
    case 0xA8:
    case 0x88:
      return ScsiMeaning::kRead;
    case 0x0A:  // write of 6, 10, 12, 16
    case 0x2A:
    case 0xAA:
    case 0x8A:
    case 0x2E:  // write and verify of 10, 12, 16
    case 0xAE:
    case 0x8E:
      return ScsiMeaning::kWrite;
    case 0x42:
      return ScsiMeaning::kUnmap;
    case 0x00:  // test unit ready
    case 0x03:  // request sense
    case 0x12:  // inquiry
    case 0x15:  // mode select
    case 0x55:
    case 0x16:  // reserve
    case 0x56:
    case 0x17:  // release
    case 0x57:
    case 0x1A:  // mode sense
    case 0x5A:
    case 0x1B:  // start or stop
    case 0x1E:  // prevent removal
    case 0x25:  // read capacity
    case 0x9E:
    case 0x2F:  // verify
    case 0xAF:
    case 0x8F:
    case 0x34:  // pre-fetch
    case 0x90:
    case 0x35:  // synchronise cache
    case 0x91:
    case 0x4C:  // log select
    case 0x4D:  // log sense
    case 0x5E:  // persistent reserve in
    case 0x5F:  // persistent reserve out
    case 0xA0:  // report luns
    case 0xA3:  // maintenance in
      return ScsiMeaning::kNone;
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "SCSI command ", absl::Hex(opcode, absl::kZeroPad2), "h is not understood"));
  }
}

}  // namespace gleaner
