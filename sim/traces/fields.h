// Takes a line of a trace apart, without allocation, and checks each value; the errors
// quote what they found.
//
//   FieldCursor fields(line, ',');
//   absl::string_view field;
//   if (!fields.Next(&field)) return
//   WrongShape("device_id,opcode,offset,length,timestamp");
//   GLEANER_RETURN_IF_ERROR(ParseNumber("offset", field, &offset));
//
// Thread-safe: values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "sim/trace_record.h"

namespace gleaner {

// Units of the formats.
inline constexpr uint64_t kSectorBytes = 512;
inline constexpr uint64_t kNanosPerMicro = 1000;
inline constexpr uint64_t kNanosPerSecond = 1'000'000'000;

// Fields separated by one character. With ' ' any run of blanks and tabs separates, and
// blanks at the ends of the line do not count; with another, fields may be empty and keep
// their blanks.
class FieldCursor {
 public:
  FieldCursor(absl::string_view line, char separator);

  // False when there is no further field.
  bool Next(absl::string_view* field);
  // What Next has not consumed, without leading blanks.
  absl::string_view rest() const;

 private:
  absl::string_view rest_;
  const char separator_;
  bool more_;
};

// Splits `line` at `separator` into exactly fields.size() fields; false if it has another
// number.
bool SplitFields(absl::string_view line, char separator,
                 absl::Span<absl::string_view> fields);

// Without the blanks and tabs around it.
absl::string_view TrimBlanks(absl::string_view text);

// A whole decimal number. `name` is for the message. InvalidArgument: not a number;
// OutOfRange: negative, or 2^64 or more. Inline, and the error apart, for the sake of
// speed.
absl::Status ParseNumber(absl::string_view name, absl::string_view field,
                         uint64_t* value);

// A time of `unit_ns` (1 to 10^9) per unit, with or without a decimal fraction, as
// nanoseconds; finer digits are cut off. Errors as for ParseNumber.
absl::Status ParseTime(absl::string_view field, uint64_t unit_ns, uint64_t* time_ns);

// Fills in offset and length, given in units of `unit` bytes. InvalidArgument for a
// length of zero; OutOfRange beyond kMaxTraceLengthBytes or kMaxTraceEndBytes.
struct ExtentUnits {
  uint64_t offset_bytes;
  uint64_t length_bytes;
};
absl::Status SetExtent(uint64_t offset, uint64_t length, ExtentUnits unit,
                       TraceRecord* record);

// InvalidArgument: "expected <shape>, found "<line>"".
absl::Status WrongShape(absl::string_view shape, absl::string_view line);
// InvalidArgument: "<name> "<field>" is not <what>".
absl::Status NotA(absl::string_view name, absl::string_view field,
                  absl::string_view what);

// `text` in quotes, cut to a readable length, control characters escaped.
std::string Quoted(absl::string_view text);

}  // namespace gleaner
