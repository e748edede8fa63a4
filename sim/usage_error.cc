#include "sim/usage_error.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace gleaner {
namespace {

constexpr char kPayload[] = "gleaner/usage";

}  // namespace

absl::Status UsageError(absl::string_view flag, absl::string_view reason) {
  return UsageError(flag, absl::InvalidArgumentError(reason));
}

absl::Status UsageError(absl::string_view flag, const absl::Status& status) {
  if (status.ok()) return status;
  absl::Status marked(status.code(),
                      absl::StrCat(flag, ": ", std::string(status.message())));
  marked.SetPayload(kPayload, absl::Cord());
  return marked;
}

bool IsUsageError(const absl::Status& status) {
  return status.GetPayload(kPayload).has_value();
}

}  // namespace gleaner
