// Makes this process behave as on a file system without direct I/O (this kernel has none
// left that is easy to mount): while one of these lives, switching O_DIRECT on fails with
// EINVAL.
//
//   DirectIoRefusal refusal;
//   auto device = OpenFileDevice(path, options);  // uses the page cache
//
// It replaces the process's fcntl(). Not thread-safe.
#pragma once

namespace gleaner::testing {

class DirectIoRefusal {
 public:
  DirectIoRefusal();
  ~DirectIoRefusal();
};

}  // namespace gleaner::testing
