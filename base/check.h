// CHECK(condition): stops the process with file and line when one of our own assumptions is
// wrong. For what the world can do wrong (devices, files, users) return a Status instead.
// On in all builds; DCHECK is for hot paths and costs nothing in -c opt.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace gleaner::internal {

[[noreturn]] inline void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace gleaner::internal

#define GLEANER_CHECK(condition)      \
  (__builtin_expect(!!(condition), 1) \
       ? static_cast<void>(0)         \
       : ::gleaner::internal::CheckFailed(__FILE__, __LINE__, #condition))

#ifdef NDEBUG
#define GLEANER_DCHECK(condition) static_cast<void>(sizeof(!(condition)))
#else
#define GLEANER_DCHECK(condition) GLEANER_CHECK(condition)
#endif
