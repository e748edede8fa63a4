// What the end of a SCSI command means: whether it succeeded, is worth repeating, or which Status
// it is.
//
//   const ScsiResult result = RunScsiCommand(fd, command);
//   if (RetryOf(result) == ScsiRetry::kAtOnce) ...;
//   if (!Succeeded(result)) return ScsiStatus(result, "scsi:/dev/sda: read at block 8");
//   // "scsi:/dev/sda: read at block 8: unrecovered read error (SCSI sense 3h/11h/00h)"
//
// Sources: SAM-5 (status codes), SPC-4 (sense keys and additional sense codes), Linux's host and
// driver status of SG_IO.
//
// Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "device/scsi_encoding.h"

namespace gleaner {

// How a command ended.
struct ScsiResult {
  int error = 0;                     // an errno: it did not reach the driver
  uint8_t status = 0;                // of the device
  uint16_t host = 0;                 // of the adapter, as Linux has it
  uint16_t driver = 0;               // of the driver, as Linux has it
  uint32_t untransferred_bytes = 0;  // that should not have been left
  ScsiSense sense;
};

bool Succeeded(const ScsiResult& result);

enum class ScsiRetry : uint8_t {
  kNo,
  kAtOnce,  // it was not executed, for a reason that has now been told
  kLater,   // the device or the way to it is busy
};
// Of a command that may be repeated, as all of ours may.
ScsiRetry RetryOf(const ScsiResult& result);

// `result` has not succeeded; `what` says of what command, on what.
absl::Status ScsiStatus(const ScsiResult& result, absl::string_view what);

// Whether the disk itself ended the command: not the system, and nothing on the way to it.
bool Answered(const ScsiResult& result);
// Whether a copy failed for having too many of them.
bool HasTooManyRanges(const ScsiResult& result);
// The number of ranges that a failed copy has done before the one that it failed at.
uint32_t RangesCopied(const ScsiResult& result);

}  // namespace gleaner
