#include "sim/pages/json_text.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace gleaner {
namespace {

// What walks the values is recursive.
constexpr int kMaxDepth = 32;

// Keeps the length, so that errors name the right place.
std::string WithoutNotNumbers(absl::string_view text) {
  static constexpr absl::string_view kWords[] = {"-Infinity", "Infinity", "-NaN", "NaN"};
  std::string result(text);
  bool quoted = false;
  for (size_t i = 0; i < result.size(); ++i) {
    if (quoted && result[i] == '\\') {
      ++i;
    } else if (result[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && (result[i] == '-' || result[i] == 'I' || result[i] == 'N')) {
      for (absl::string_view word : kWords) {
        if (!absl::StartsWith(absl::string_view(result).substr(i), word)) continue;
        result.replace(i, word.size(), "\"\"" + std::string(word.size() - 2, ' '));
        i += 1;
        break;
      }
    }
  }
  return result;
}

// "[json.exception.parse_error.101] parse error at line 3, column 7: syntax error while …" ->
// "line 3, column 7: syntax error while …".
absl::Status SyntaxError(absl::string_view what) {
  const size_t place = what.find(" at line ");
  if (place != absl::string_view::npos) what.remove_prefix(place + sizeof(" at ") - 1);
  constexpr size_t kEnough = 200;
  std::string text(what.substr(0, kEnough));
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  return absl::InvalidArgumentError(
      absl::StrCat(text, what.size() > kEnough ? "..." : ""));
}

}  // namespace

absl::StatusOr<nlohmann::ordered_json> ParseJson(absl::string_view text) {
  bool too_deep = false;
  const auto look = [&too_deep](int depth, nlohmann::ordered_json::parse_event_t,
                                nlohmann::ordered_json&) {
    if (depth > kMaxDepth) too_deep = true;
    return !too_deep;
  };
  try {
    nlohmann::ordered_json json =
        nlohmann::ordered_json::parse(WithoutNotNumbers(text), look);
    if (too_deep)
      return absl::InvalidArgumentError(absl::StrCat("nested deeper than ", kMaxDepth));
    return json;
  } catch (const nlohmann::ordered_json::exception& e) {
    return SyntaxError(e.what());
  }
}

}  // namespace gleaner
