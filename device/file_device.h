// A regular file or a block device, through io_uring and direct I/O.
//
//   FileDeviceOptions options;
//   options.create_bytes = 2 << 30;
//   GLEANER_ASSIGN_OR_RETURN(auto device, OpenFileDevice("/data/log", options));
//
// Has no Copy command. A regular file that is open elsewhere, and a block device that is
// mounted or held elsewhere, are never opened for writing; nor is anything opened for
// writing twice. Thread- safe, as every Device.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "device/device.h"

namespace gleaner {

struct FileDeviceOptions {
  Access access = Access::kReadWrite;
  // Zero: the file must exist. Else a missing file is created, sparse, with this size, and
  // removed again with the device if no write to it succeeded; an existing one must have
  // exactly this size.
  uint64_t create_bytes = 0;
  // Device block: a power of two, 512 to 65536. Zero: 4096 for a regular file, the
  // logical block of a block device. What is left at the end of the file is not used.
  uint32_t block_bytes = 0;
  // Told, in one line, when direct I/O is refused and the page cache is used instead.
  std::function<void(absl::string_view)> message;
};

// NotFound: no such file, and create_bytes is zero. FailedPrecondition: in use elsewhere,
// or of another size than create_bytes. PermissionDenied: not readable or writable.
// InvalidArgument: not a file or block device, one with zones, no whole block in it, or a
// block that direct I/O refuses.
absl::StatusOr<std::unique_ptr<Device>> OpenFileDevice(const std::string& path,
                                                       const FileDeviceOptions& options);

}  // namespace gleaner
