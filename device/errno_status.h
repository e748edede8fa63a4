// Turns an errno of a device into the Status that the contract names (see OpResult).
//
//   if (fd < 0) return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
//   // "cannot open /x: No such file or directory", NotFound
//
// Thread-safe.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace gleaner {

// `error` is positive. The message is `what`, a colon, and the system's words for the
// error.
absl::Status ErrnoStatus(int error, absl::string_view what);

}  // namespace gleaner
