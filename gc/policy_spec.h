// "NAME:ARG1:ARG2", the form in which policies and placements are named on a command line.
//
//   PolicySpec spec = PolicySpec::Parse("victim policy", "d-choices:10");
//   GLEANER_ASSIGN_OR_RETURN(uint64_t k, spec.Integer(0, 1, 100000));
//
// Pure values; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gleaner {

struct PolicySpec {
  std::string what;  // for messages: "victim policy"
  std::string text;  // the whole
  std::string name;
  std::vector<std::string> arguments;

  static PolicySpec Parse(absl::string_view what, absl::string_view text);

  // InvalidArgument: `what "text": reason`.
  absl::Status Error(absl::string_view reason) const;
  // InvalidArgument unless there are at_least..at_most arguments.
  absl::Status ExpectArguments(size_t at_least, size_t at_most) const;
  // Argument `i`, which exists; InvalidArgument unless it lies within [low, high].
  absl::StatusOr<double> Number(size_t i, double low, double high) const;
  absl::StatusOr<uint64_t> Integer(size_t i, uint64_t low, uint64_t high) const;
};

}  // namespace gleaner
