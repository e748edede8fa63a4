#include "gc/policy_spec.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gleaner {

PolicySpec PolicySpec::Parse(absl::string_view what, absl::string_view text) {
  PolicySpec spec{.what = std::string(what),
                  .text = std::string(text),
                  .name = {},
                  .arguments = absl::StrSplit(text, ':')};
  spec.name = spec.arguments.front();
  spec.arguments.erase(spec.arguments.begin());
  return spec;
}

absl::Status PolicySpec::Error(absl::string_view reason) const {
  return absl::InvalidArgumentError(absl::StrCat(what, " \"", text, "\": ", reason));
}

absl::Status PolicySpec::ExpectArguments(size_t at_least, size_t at_most) const {
  if (arguments.size() < at_least)
    return Error(absl::StrCat("needs ", at_least, " argument(s) after a colon"));
  if (arguments.size() > at_most)
    return at_most == 0 ? Error("takes no argument")
                        : Error(absl::StrCat("takes at most ", at_most, " argument(s)"));
  return absl::OkStatus();
}

absl::StatusOr<double> PolicySpec::Number(size_t i, double low, double high) const {
  double value;
  if (!absl::SimpleAtod(arguments[i], &value) || !(value >= low && value <= high))
    return Error(
        absl::StrCat("\"", arguments[i], "\" is not a number from ", low, " to ", high));
  return value;
}

absl::StatusOr<uint64_t> PolicySpec::Integer(size_t i, uint64_t low,
                                             uint64_t high) const {
  uint64_t value;
  if (!absl::SimpleAtoi(arguments[i], &value) || value < low || value > high) {
    return Error(absl::StrCat("\"", arguments[i], "\" is not a whole number from ", low,
                              " to ", high));
  }
  return value;
}

}  // namespace gleaner
