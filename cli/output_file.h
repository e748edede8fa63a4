// Files that a command writes beside what it prints.
//
//   GLEANER_RETURN_IF_ERROR(CheckWritable("--report", path));
//   ...
//   GLEANER_RETURN_IF_ERROR(WriteFile("--report", path, html));
//
// Errors are "FLAG: cannot write PATH: why". Single-threaded.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace gleaner {

// Whether the file can be written, asked before the work and not after it. A file that is there
// keeps its contents, one that is not does not stay.
absl::Status CheckWritable(absl::string_view flag, const std::string& path);

// In place of what it holds.
absl::Status WriteFile(absl::string_view flag, const std::string& path,
                       absl::string_view text);

}  // namespace gleaner
