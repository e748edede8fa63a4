// Reads JSON that comes from outside, with errors that say where.
//
//   GLEANER_ASSIGN_OR_RETURN(const nlohmann::ordered_json json, ParseJson(text));
//
// The numbers that JSON lacks but Google Benchmark writes (NaN, Infinity) become empty strings.
// Thread-safe.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace gleaner {

// InvalidArgument: no JSON (the message begins with line and column), or nested deeper than any
// report is.
absl::StatusOr<nlohmann::ordered_json> ParseJson(absl::string_view text);

}  // namespace gleaner
