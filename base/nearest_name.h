// The error for a name that no table knows: it suggests the known name that was probably
// meant.
//
//   constexpr absl::string_view kNames[] = {"greedy", "fifo"};
//   return UnknownNameError("victim policy", "gredy", kNames);
//   // InvalidArgument: unknown victim policy "gredy"; did you mean "greedy"?
//
// Thread-safe: pure functions.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace gleaner {

// The candidate that `word` most probably means: one that it abbreviates, else the one at
// the least edit distance (insert, delete, replace, swap of neighbours; letter case is
// ignored), the first of equals. Empty if none is near: further than a third of the
// longer name, rounded up. The result is a view into `candidates`.
absl::string_view NearestName(absl::string_view word,
                              absl::Span<const absl::string_view> candidates);

// InvalidArgument that names `what` and `word`, and the nearest candidate or, if none is
// near, all of them.
absl::Status UnknownNameError(absl::string_view what, absl::string_view word,
                              absl::Span<const absl::string_view> candidates);

}  // namespace gleaner
