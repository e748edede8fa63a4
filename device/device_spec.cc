// Takes SPECs apart.
#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/nearest_name.h"
#include "base/status_macros.h"
#include "device/device_factory.h"

namespace gleaner {
namespace {

// The most that a size may be: what an off_t can say.
constexpr uint64_t kMaxBytes = std::numeric_limits<int64_t>::max();

absl::StatusOr<const DeviceBackend*> FindBackend(absl::string_view name) {
  std::vector<absl::string_view> names;
  for (const DeviceBackend& backend : DeviceBackends()) {
    if (name == backend.name) return &backend;
    names.push_back(backend.name);
  }
  return UnknownNameError("device", name, names);
}

// Whether `text` begins as key=value does.
bool BeginsWithKey(absl::string_view text) {
  const size_t n = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_");
  return n != 0 && n != absl::string_view::npos && text[n] == '=';
}

// Takes the argument off the front of `rest`: it ends before a comma that a key follows,
// so that a path may hold commas.
absl::string_view TakeArgument(absl::string_view& rest) {
  size_t end = 0;
  while ((end = rest.find(',', end)) != absl::string_view::npos) {
    if (BeginsWithKey(rest.substr(end + 1))) break;
    ++end;
  }
  const absl::string_view argument = rest.substr(0, end);
  rest = end == absl::string_view::npos ? "" : rest.substr(end + 1);
  return argument;
}

absl::Status ParseValue(const DeviceBackend& backend, absl::string_view item,
                        DeviceSpec& spec) {
  const std::pair<absl::string_view, absl::string_view> pair =
      absl::StrSplit(item, absl::MaxSplits('=', 1));
  const auto [key, value] = pair;
  if (backend.keys.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        backend.name, ": takes no keys, but \"", key, "\" is given; ", backend.synopsis));
  }
  if (std::find(backend.keys.begin(), backend.keys.end(), key) == backend.keys.end()) {
    const std::vector<absl::string_view> keys(backend.keys.begin(), backend.keys.end());
    return UnknownNameError(absl::StrCat("key of ", backend.name, ":"), key, keys);
  }
  if (value.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        backend.name, ": ", key, " needs a value, as in ", backend.synopsis));
  }
  if (spec.Find(key) != nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(backend.name, ": ", key, " is given twice"));
  }
  spec.values.emplace_back(std::string(key), std::string(value));
  return absl::OkStatus();
}

constexpr int kMaxNesting = 16;  // far from what a stack takes

// Takes a SPEC off the front of `list`: to the ")" that matches, or to the next ";" where there are
// several.
absl::StatusOr<absl::string_view> TakeSpec(const DeviceBackend& backend,
                                           absl::string_view& list) {
  if (!absl::StartsWith(list, "(")) {
    const size_t end = backend.has_members ? list.find(';') : absl::string_view::npos;
    const absl::string_view spec = list.substr(0, end);
    list.remove_prefix(spec.size());
    return spec;
  }
  size_t end = 0;
  for (int open = 0; end < list.size(); ++end) {
    if (list[end] == '(') ++open;
    if (list[end] == ')' && --open == 0) break;
  }
  if (end == list.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        backend.name, ": no \")\" matches the first \"(\" of \"", list, "\""));
  }
  const absl::string_view spec = list.substr(1, end - 1);
  list.remove_prefix(end + 1);
  if (list.empty() || (backend.has_members && list[0] == ';')) return spec;
  return absl::InvalidArgumentError(
      absl::StrCat(backend.name, ": \"", list, "\" follows a SPEC in parentheses"));
}

absl::StatusOr<DeviceSpec> Parse(absl::string_view text, int nesting);

// Takes what stands behind the device off the end of `rest`.
absl::Status TakeInner(const DeviceBackend& backend, int nesting, absl::string_view& rest,
                       DeviceSpec& spec) {
  absl::string_view list = rest;
  if (backend.argument == nullptr && backend.keys.empty()) {
    rest = "";
  } else {
    const size_t semicolon = rest.find(';');
    if (semicolon == absl::string_view::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat(backend.name, ": the device behind it is missing",
                       nesting > 1 ? " (as one of several it stands in parentheses)" : "",
                       ", as in ", backend.synopsis));
    }
    list = rest.substr(semicolon + 1);
    rest = rest.substr(0, semicolon);
  }
  for (;;) {
    GLEANER_ASSIGN_OR_RETURN(const absl::string_view inner, TakeSpec(backend, list));
    spec.inner.emplace_back(inner);
    absl::Status parsed = Parse(inner, nesting + 1).status();
    if (!parsed.ok() && !backend.has_members) return parsed;
    if (!parsed.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          backend.name, ": member ", spec.inner.size(), ": ", parsed.message()));
    }
    if (list.empty()) break;
    list.remove_prefix(1);
  }
  if (!backend.has_members || spec.inner.size() > 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      backend.name, ": two members or more, not one, as in ", backend.synopsis));
}

absl::StatusOr<DeviceSpec> Parse(absl::string_view text, int nesting) {
  if (nesting > kMaxNesting) {
    return absl::InvalidArgumentError(
        absl::StrCat("SPECs are nested more than ", kMaxNesting, " deep"));
  }
  const size_t colon = text.find(':');
  const absl::string_view name = text.substr(0, colon);
  if (colon == absl::string_view::npos && absl::StrContains(text, '/')) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" names no device; file:", text, " would"));
  }
  GLEANER_ASSIGN_OR_RETURN(const DeviceBackend* backend, FindBackend(name));
  absl::string_view rest = colon == absl::string_view::npos ? "" : text.substr(colon + 1);
  DeviceSpec spec;
  spec.backend = backend->name;
  if (backend->has_inner) {
    GLEANER_RETURN_IF_ERROR(TakeInner(*backend, nesting, rest, spec));
  }
  if (backend->argument != nullptr) {
    spec.argument = std::string(TakeArgument(rest));
    if (spec.argument.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(backend->name, ": ", backend->argument, " is missing, as in ",
                       backend->synopsis));
    }
  }
  if (rest.empty()) return spec;
  for (absl::string_view item : absl::StrSplit(rest, ',')) {
    GLEANER_RETURN_IF_ERROR(ParseValue(*backend, item, spec));
  }
  return spec;
}

}  // namespace

const std::string* DeviceSpec::Find(absl::string_view key) const {
  for (const auto& [name, value] : values) {
    if (name == key) return &value;
  }
  return nullptr;
}

absl::StatusOr<DeviceSpec> ParseSpec(absl::string_view text) { return Parse(text, 1); }

absl::StatusOr<uint64_t> ParseSize(absl::string_view text) {
  constexpr absl::string_view kSuffixes = "KMGT";
  absl::string_view digits = text;
  int shift = 0;
  if (!digits.empty() && !absl::ascii_isdigit(digits.back())) {
    const size_t suffix = kSuffixes.find(digits.back());
    shift = suffix == absl::string_view::npos ? 0 : 10 * (static_cast<int>(suffix) + 1);
    if (shift > 0) digits.remove_suffix(1);
  }
  uint64_t value = 0;
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(digits, &value)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", text, "\" is not a size: digits, then nothing or one of K, M, G, T"));
  }
  if (value == 0) return absl::InvalidArgumentError("a size of zero");
  if (value > kMaxBytes >> shift) {
    return absl::InvalidArgumentError(
        absl::StrCat(text, " is more than a device can have"));
  }
  return value << shift;
}

}  // namespace gleaner
