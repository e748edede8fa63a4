#include "base/nearest_name.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace gleaner {
namespace {

// A longer word is nobody's misspelling; the bound keeps hostile input cheap.
constexpr size_t kLongestWord = 64;

// Optimal string alignment distance, row by row.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] =
          std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

absl::string_view NearestName(absl::string_view word,
                              absl::Span<const absl::string_view> candidates) {
  if (word.empty() || word.size() > kLongestWord) return {};
  const std::string lower = absl::AsciiStrToLower(word);
  absl::string_view nearest;
  size_t least = kLongestWord;
  for (absl::string_view candidate : candidates) {
    const std::string name = absl::AsciiStrToLower(candidate);
    if (absl::StartsWith(name, lower)) return candidate;
    const size_t distance = EditDistance(lower, name);
    const size_t near = (std::max(lower.size(), name.size()) + 2) / 3;
    if (distance > near || distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

absl::Status UnknownNameError(absl::string_view what, absl::string_view word,
                              absl::Span<const absl::string_view> candidates) {
  const absl::string_view nearest = NearestName(word, candidates);
  const std::string advice =
      nearest.empty() ? absl::StrCat("known: ", absl::StrJoin(candidates, ", "))
                      : absl::StrCat("did you mean \"", nearest, "\"?");
  return absl::InvalidArgumentError(
      absl::StrCat("unknown ", what, " \"", word, "\"; ", advice));
}

}  // namespace gleaner
