#include "sim/traces/rwbs.h"

#include "sim/traces/fields.h"

namespace gleaner {
namespace {

// Flags behind the operation: FUA or flush, read-ahead, barrier (old kernels), erase,
// metadata, sync, atomic.
constexpr absl::string_view kFlags = "FABEMSU";

bool AreFlags(absl::string_view letters) {
  return letters.find_first_not_of(kFlags) == absl::string_view::npos;
}

absl::StatusOr<std::optional<RequestOp>> ParseZoneOperation(absl::string_view rwbs,
                                                            absl::string_view letters) {
  switch (letters.empty() ? '\0' : letters[0]) {
    case 'O':
    case 'C':
    case 'F':
      if (AreFlags(letters.substr(1))) return std::nullopt;
      break;
    case 'A':
      return NotA("request", rwbs, "usable: a zone append's address is not in the trace");
    case 'R':
      return NotA("request", rwbs, "usable: a zone reset's length is not in the trace");
  }
  return NotA("request", rwbs, "one of the block layer's");
}

}  // namespace

absl::StatusOr<std::optional<RequestOp>> ParseRwbs(absl::string_view rwbs) {
  absl::string_view letters = rwbs;
  const bool flush = !letters.empty() && letters[0] == 'F';
  if (flush) letters.remove_prefix(1);
  const char operation = letters.empty() ? '\0' : letters[0];
  std::optional<RequestOp> op;
  switch (operation) {
    case 'R':
      op = RequestOp::kRead;
      break;
    case 'W':
      op = RequestOp::kWrite;
      break;
    case 'D':
    case 'N':
      op = RequestOp::kTrim;
      break;
    case 'Z':
      return ParseZoneOperation(rwbs, letters.substr(1));
    default:
      if (flush && AreFlags(letters)) return std::nullopt;
      return NotA("request", rwbs, "one of the block layer's");
  }
  if (!AreFlags(letters.substr(1)))
    return NotA("request", rwbs, "one of the block layer's");
  return op;
}

}  // namespace gleaner
