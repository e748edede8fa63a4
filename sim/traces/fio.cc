// fio's I/O logs (write_iolog, read_iolog), versions 2 and 3: a first line "fio version N
// iolog", then "filename action [offset length]", in version 3 after a time in
// microseconds. Bytes. The file is the volume. https://fio.readthedocs.io, "Trace file
// format v2" and "v3".
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "sim/traces/fields.h"
#include "sim/traces/trace_format.h"

namespace gleaner {
namespace {

class FioParser : public LineParser {
 protected:
  absl::StatusOr<bool> ParseLine(absl::string_view line, VolumeNames& volumes,
                                 TraceRecord* record) override {
    if (version_ == 0) return ParseHeader(line);
    FieldCursor cursor(line, ' ');
    absl::string_view time, file, action;
    if ((version_ == 3 && !cursor.Next(&time)) || !cursor.Next(&file) ||
        !cursor.Next(&action)) {
      return WrongShape(version_ == 3 ? "\"time filename action [offset length]\""
                                      : "\"filename action [offset length]\"",
                        line);
    }
    if (version_ == 3)
      GLEANER_RETURN_IF_ERROR(ParseTime(time, kNanosPerMicro, &time_ns_));
    if (action == "add" || action == "open" || action == "close") return false;
    return ParseAction(cursor, file, action, volumes, record);
  }

 private:
  absl::StatusOr<bool> ParseHeader(absl::string_view line) {
    if (line == "fio version 2 iolog") {
      version_ = 2;
    } else if (line == "fio version 3 iolog") {
      version_ = 3;
    } else {
      return WrongShape("\"fio version 2 iolog\" or \"fio version 3 iolog\"", line);
    }
    return false;
  }

  absl::StatusOr<bool> ParseAction(FieldCursor cursor, absl::string_view file,
                                   absl::string_view action, VolumeNames& volumes,
                                   TraceRecord* record) {
    if (action == "read") {
      record->op = RequestOp::kRead;
    } else if (action == "write") {
      record->op = RequestOp::kWrite;
    } else if (action == "trim") {
      record->op = RequestOp::kTrim;
    } else if (action == "sync" || action == "datasync") {
      return false;
    } else if (action == "wait" && version_ == 2) {
      return ParseWait(cursor);
    } else {
      return NotA("action", action, absl::StrCat("one of version ", version_));
    }
    absl::string_view offset_field, length_field, surplus;
    if (!cursor.Next(&offset_field) || !cursor.Next(&length_field) ||
        cursor.Next(&surplus)) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected offset and length after \"", action, "\""));
    }
    uint64_t offset, length;
    GLEANER_RETURN_IF_ERROR(ParseNumber("offset", offset_field, &offset));
    GLEANER_RETURN_IF_ERROR(ParseNumber("length", length_field, &length));
    record->time_ns = time_ns_;
    GLEANER_ASSIGN_OR_RETURN(record->volume, volumes.Intern(file));
    GLEANER_RETURN_IF_ERROR(SetExtent(offset, length, {1, 1}, record));
    return true;
  }

  // Version 2 has no times but waits of so many microseconds since the last one.
  absl::StatusOr<bool> ParseWait(FieldCursor cursor) {
    absl::string_view micros;
    uint64_t wait_ns;
    if (!cursor.Next(&micros)) return absl::InvalidArgumentError("wait without a time");
    GLEANER_RETURN_IF_ERROR(ParseTime(micros, kNanosPerMicro, &wait_ns));
    if (__builtin_add_overflow(time_ns_, wait_ns, &time_ns_)) {
      return absl::OutOfRangeError("the waits add up to more than 2^64 ns");
    }
    return false;
  }

  int version_ = 0;  // until the first line is read
  uint64_t time_ns_ = 0;
};

}  // namespace

std::unique_ptr<TraceParser> MakeFioParser() { return std::make_unique<FioParser>(); }

}  // namespace gleaner
