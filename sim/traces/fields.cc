#include "sim/traces/fields.h"

#include <charconv>
#include <string>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace gleaner {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

absl::string_view SkipBlanks(absl::string_view text) {
  size_t i = 0;
  while (i < text.size() && IsBlank(text[i])) ++i;
  return text.substr(i);
}

absl::Status NumberError(absl::string_view name, absl::string_view field,
                         std::errc error) {
  if (error == std::errc::result_out_of_range) {
    return absl::OutOfRangeError(absl::StrCat(name, " ", Quoted(field), " is too large"));
  }
  uint64_t magnitude;
  if (field.size() > 1 && field[0] == '-' &&
      ParseNumber(name, field.substr(1), &magnitude).ok()) {
    return absl::OutOfRangeError(absl::StrCat(name, " ", Quoted(field), " is negative"));
  }
  return NotA(name, field, "a whole number");
}

}  // namespace

FieldCursor::FieldCursor(absl::string_view line, char separator)
    : rest_(separator == ' ' ? TrimBlanks(line) : line),
      separator_(separator),
      more_(separator != ' ' || !rest_.empty()) {}

bool FieldCursor::Next(absl::string_view* field) {
  if (!more_) return false;
  size_t end = 0;
  if (separator_ == ' ') {
    while (end < rest_.size() && !IsBlank(rest_[end])) ++end;
  } else {
    while (end < rest_.size() && rest_[end] != separator_) ++end;
  }
  *field = rest_.substr(0, end);
  more_ = end < rest_.size();
  rest_.remove_prefix(more_ ? end + 1 : end);
  if (separator_ == ' ') rest_ = SkipBlanks(rest_);
  return true;
}

absl::string_view FieldCursor::rest() const { return SkipBlanks(rest_); }

bool SplitFields(absl::string_view line, char separator,
                 absl::Span<absl::string_view> fields) {
  FieldCursor cursor(line, separator);
  for (absl::string_view& field : fields) {
    if (!cursor.Next(&field)) return false;
  }
  absl::string_view surplus;
  return !cursor.Next(&surplus);
}

absl::string_view TrimBlanks(absl::string_view text) {
  text = SkipBlanks(text);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

absl::Status ParseNumber(absl::string_view name, absl::string_view field,
                         uint64_t* value) {
  const char* end = field.data() + field.size();
  const auto [stop, error] = std::from_chars(field.data(), end, *value);
  if (error != std::errc() || stop != end) return NumberError(name, field, error);
  return absl::OkStatus();
}

absl::Status ParseTime(absl::string_view field, uint64_t unit_ns, uint64_t* time_ns) {
  const size_t point = field.find('.');
  uint64_t units = 0;
  absl::Status status = ParseNumber("time", field.substr(0, point), &units);
  if (absl::IsInvalidArgument(status)) return NotA("time", field, "a number");
  if (!status.ok()) return status;
  uint64_t fraction_ns = 0;
  if (point != absl::string_view::npos) {
    uint64_t digit_ns = unit_ns;
    for (const char c : field.substr(point + 1)) {
      if (!IsDigit(c)) return NotA("time", field, "a number");
      digit_ns /= 10;
      fraction_ns += digit_ns * (c - '0');
    }
  }
  if (__builtin_mul_overflow(units, unit_ns, time_ns) ||
      __builtin_add_overflow(*time_ns, fraction_ns, time_ns)) {
    return NumberError("time", field, std::errc::result_out_of_range);
  }
  return absl::OkStatus();
}

absl::Status SetExtent(uint64_t offset, uint64_t length, ExtentUnits unit,
                       TraceRecord* record) {
  if (length == 0) return absl::InvalidArgumentError("a request of length zero");
  uint64_t end;
  if (__builtin_mul_overflow(length, unit.length_bytes, &record->length_bytes) ||
      record->length_bytes > kMaxTraceLengthBytes) {
    return absl::OutOfRangeError(absl::StrCat("a request of ", length, " times ",
                                              unit.length_bytes, " bytes: the most is ",
                                              kMaxTraceLengthBytes, " bytes"));
  }
  if (__builtin_mul_overflow(offset, unit.offset_bytes, &record->offset_bytes) ||
      __builtin_add_overflow(record->offset_bytes, record->length_bytes, &end) ||
      end > kMaxTraceEndBytes) {
    return absl::OutOfRangeError(
        absl::StrCat("a request at ", offset, " times ", unit.offset_bytes, " bytes, ",
                     record->length_bytes, " bytes long, ends beyond 2^63 bytes"));
  }
  return absl::OkStatus();
}

absl::Status WrongShape(absl::string_view shape, absl::string_view line) {
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", shape, ", found ", Quoted(line)));
}

absl::Status NotA(absl::string_view name, absl::string_view field,
                  absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(name, " ", Quoted(field), " is not ", what));
}

std::string Quoted(absl::string_view text) {
  constexpr size_t kMaxQuotedBytes = 60;
  const bool cut = text.size() > kMaxQuotedBytes;
  return absl::StrCat("\"", absl::CEscape(text.substr(0, kMaxQuotedBytes)),
                      cut ? "…\"" : "\"");
}

}  // namespace gleaner
