// A SCSI disk, or a partition of one: native copies by EXTENDED COPY, and I/O past the page cache
// and the block layer's schedulers.
//
//   GLEANER_ASSIGN_OR_RETURN(auto device, OpenScsiDevice("/dev/sda", {}));
//   device->hardware_copy_limits();  // segments of a command, and what one of them may cover
//
// Takes a block node (/dev/sda, a partition /dev/sda2) or a generic one (/dev/sg0), and sends
// commands by SG_IO. That does not see the page cache: what was written through the block node and
// is not on media yet may overwrite what is written here.
//
// What is opened for writing is held: a disk that is mounted or held elsewhere is refused, and a
// second Gleaner too. Thread-safe, as every Device.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "device/device.h"

namespace gleaner {

struct ScsiDeviceOptions {
  Access access = Access::kReadWrite;
  // Told, in one line, what is slower or less than the user may expect.
  std::function<void(absl::string_view)> message;
  // Where the kernel shows nodes and their attributes; tests have their own.
  std::string dev_directory = "/dev";
  std::string sys_directory = "/sys";
};

// NotFound: no such node. InvalidArgument: a node of something else, or a file. PermissionDenied:
// not allowed, or write-protected. FailedPrecondition: in use elsewhere. Unavailable: the disk is
// gone or not ready. Unimplemented: zones, or blocks of a size that is no power of two.
absl::StatusOr<std::unique_ptr<Device>> OpenScsiDevice(const std::string& path,
                                                       const ScsiDeviceOptions& options);

}  // namespace gleaner
