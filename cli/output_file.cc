#include "cli/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace gleaner {

absl::Status CheckWritable(absl::string_view flag, const std::string& path) {
  int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) unlink(path.c_str());
  if (fd < 0 && errno == EEXIST)
    fd = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return absl::ErrnoToStatus(errno, absl::StrCat(flag, ": cannot write ", path));
  close(fd);
  return absl::OkStatus();
}

absl::Status WriteFile(absl::string_view flag, const std::string& path,
                       absl::string_view text) {
  errno = 0;
  std::ofstream file(path, std::ios::trunc | std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (file) return absl::OkStatus();
  return absl::ErrnoToStatus(errno != 0 ? errno : EIO,
                             absl::StrCat(flag, ": cannot write ", path));
}

}  // namespace gleaner
