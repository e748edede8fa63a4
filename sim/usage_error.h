// Marks errors that are the user's wrong use of a flag (exit code 2) apart from what a run met
// (exit code 1).
//
//   return UsageError("--utilization", "1.5 is not between 0 and 1");
//   if (IsUsageError(status)) return 2;
//
// Thread-safe.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace gleaner {

// InvalidArgument "FLAG: REASON", marked.
absl::Status UsageError(absl::string_view flag, absl::string_view reason);
// The same from another error: its code and message, marked. OK stays OK.
absl::Status UsageError(absl::string_view flag, const absl::Status& status);

bool IsUsageError(const absl::Status& status);

}  // namespace gleaner
