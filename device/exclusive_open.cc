#include "device/exclusive_open.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "device/errno_status.h"

namespace gleaner {

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

absl::Status InUseError(const std::string& path, absl::string_view how) {
  return absl::FailedPreconditionError(absl::StrCat(path, " is in use: ", how));
}

absl::StatusOr<FileDescriptor> OpenExclusively(const std::string& path, mode_t type,
                                               Access access) {
  int flags = O_CLOEXEC | (access == Access::kReadOnly ? O_RDONLY : O_RDWR);
  if (S_ISBLK(type) && access == Access::kReadWrite) flags |= O_EXCL;
  const int fd = open(path.c_str(), flags);
  if (fd >= 0) return FileDescriptor(fd);
  if (errno == EBUSY) return InUseError(path, "it is mounted or held by another process");
  return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
}

absl::Status LockExclusively(int fd, const std::string& path) {
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  if (errno == EWOULDBLOCK) return InUseError(path, "another process has locked it");
  return ErrnoStatus(errno, absl::StrCat("cannot lock ", path));
}

}  // namespace gleaner
