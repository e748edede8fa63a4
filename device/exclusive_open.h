// Opens files and device nodes so that nobody else's data is written: what is mounted, held or
// locked elsewhere is refused.
//
//   GLEANER_ASSIGN_OR_RETURN(FileDescriptor fd,
//                            OpenExclusively("/dev/sdb", S_IFBLK, Access::kReadWrite));
//   GLEANER_RETURN_IF_ERROR(LockExclusively(fd.get(), "/dev/ng0n1"));
//
// Thread-safe.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "device/device.h"

namespace gleaner {

// Owns a file descriptor; -1: none.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// "PATH is in use: HOW", FailedPrecondition.
absl::Status InUseError(const std::string& path, absl::string_view how);

// Opens an existing file, or node, of that type (of stat's st_mode). A block device that is
// opened for writing is held: refused while a file system, a RAID or another such opener
// holds it or a partition of it, as they are while it is open. NotFound, PermissionDenied,
// FailedPrecondition: in use.
absl::StatusOr<FileDescriptor> OpenExclusively(const std::string& path, mode_t type,
                                               Access access);

// Takes the advisory lock, which lasts as long as the file is open: enough against a second
// Gleaner. FailedPrecondition: another process has it.
absl::Status LockExclusively(int fd, const std::string& path);

}  // namespace gleaner
