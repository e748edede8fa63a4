// Sends SCSI commands by SG_IO, and asks a device what it is. Blocks.
//
//   const ScsiResult result = RunScsiCommand(fd, EncodeSynchronizeCache());
//   GLEANER_ASSIGN_OR_RETURN(const ScsiIdentity identity, IdentifyScsi(fd, "/dev/sda"));
//   identity.copy.max_segments;
//
// Thread-safe. Internal to the scsi backend.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "device/scsi_encoding.h"
#include "device/scsi_status.h"

namespace gleaner {

// Repeats at once what RetryOf says so of, a few times; leaves waiting to the caller.
ScsiResult RunScsiCommand(int fd, const ScsiCommand& command);

struct ScsiIdentity {
  ScsiInquiry inquiry;
  std::string serial_number;  // empty: not told
  ScsiCapacity capacity;
  ScsiBlockLimits limits;
  ScsiProvisioning provisioning;
  ScsiMode mode;
  // How to name the device in a copy; nullopt: it copies not, and why is told in why_no_copy.
  std::optional<ScsiDesignator> designator;
  ScsiCopyParameters copy;
  std::string why_no_copy;
};

// `fd`: a node of a disk; `path` names it in messages. InvalidArgument: of something else, or of
// what takes no SCSI commands. PermissionDenied: not allowed to ask. Unavailable: it is gone.
// Unimplemented: a zoned disk.
absl::StatusOr<ScsiIdentity> IdentifyScsi(int fd, const std::string& path);

}  // namespace gleaner
