// An NVMe namespace, zoned or not, or a partition of one: native Copy, and I/O past the page
// cache and the block layer's schedulers.
//
//   GLEANER_ASSIGN_OR_RETURN(auto device, OpenNvmeDevice("/dev/nvme0n1", {}));
//   device->hardware_copy_limits();  // MCL, MSRC + 1, MSSRL
//
// Takes a block node (/dev/nvme0n1, a partition /dev/nvme0n1p2) or a generic one (/dev/ng0n1);
// whichever is named, both are used where they exist. Commands go by io_uring passthrough, or by
// the ioctl where the kernel lacks that. Passthrough does not see the page cache: what was
// written through the block node and is not on media yet may overwrite what is written here.
//
// What is opened for writing is held: a namespace that is mounted or held elsewhere is refused,
// and a second Gleaner too. Thread-safe, as every Device.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "device/device.h"

namespace gleaner {

struct NvmeDeviceOptions {
  Access access = Access::kReadWrite;
  // Told, in one line, what is slower or less than the user may expect.
  std::function<void(absl::string_view)> message;
  // Where the kernel shows nodes and their attributes; tests have their own.
  std::string dev_directory = "/dev";
  std::string sys_directory = "/sys";
};

// NotFound: no such node. InvalidArgument: a node of something else: a controller, a disk of
// another kind, a file. PermissionDenied: not allowed, or write-protected. FailedPrecondition: in
// use elsewhere. Unavailable: the namespace is gone. Unimplemented: formatted with metadata or
// protection information, zones of unlike capacity, or a command set without blocks.
absl::StatusOr<std::unique_ptr<Device>> OpenNvmeDevice(const std::string& path,
                                                       const NvmeDeviceOptions& options);

}  // namespace gleaner
