#include "tests/device/direct_io_refusal.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>

namespace {

int refusals = 0;

}  // namespace

// Instead of the C library's.
extern "C" int fcntl(int fd, int cmd, ...) {
  va_list arguments;
  va_start(arguments, cmd);
  const long argument = va_arg(arguments, long);
  va_end(arguments);
  if (refusals > 0 && cmd == F_SETFL && (argument & O_DIRECT) != 0) {
    errno = EINVAL;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fcntl, fd, cmd, argument));
}

namespace gleaner::testing {

DirectIoRefusal::DirectIoRefusal() { ++refusals; }
DirectIoRefusal::~DirectIoRefusal() { --refusals; }

}  // namespace gleaner::testing
