// The kernel's tracefs, file `trace` or `trace_pipe`, with the event
// block:block_rq_issue:
//
//   kworker/0:1H-94   [000] .....   12.345678: block_rq_issue: 7,0 WS 4096 () 2056 + 8
//   none,0,0 [fio] process-pid       [cpu] flags   seconds:   event:  device rwbs bytes
//   (cdb) sector + sectors
//                                                       priority (Linux 6.9 and later)
//                                                       [process]
//
// Sectors are 512 bytes; device major,minor is the volume. See TP_printk of class
// block_rq in include/trace/events/block.h. Other events and the comments that begin with
// # are passed over.
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "sim/traces/fields.h"
#include "sim/traces/rwbs.h"
#include "sim/traces/trace_format.h"

namespace gleaner {
namespace {

constexpr absl::string_view kEvent = ": block_rq_issue:";
constexpr absl::string_view kPayload =
    "\"device rwbs bytes (cdb) sector + sectors [process]\"";

// The last blank-separated word of `text`.
absl::string_view LastWord(absl::string_view text) {
  return text.substr(text.find_last_of(' ') + 1);  // npos + 1 == 0
}

// "12.345678", or "12345" as some trace clocks print.
bool IsTime(absl::string_view word) {
  return !word.empty() &&
         word.find_first_not_of("0123456789.") == absl::string_view::npos;
}

// "…  12.345678: name: …": any event.
bool IsEvent(absl::string_view line) {
  for (size_t at = line.find(": "); at != absl::string_view::npos;
       at = line.find(": ", at + 1)) {
    if (!IsTime(LastWord(line.substr(0, at)))) continue;
    const absl::string_view event = TrimBlanks(line.substr(at + 2));
    const size_t end = event.find_first_of(": ");
    return end != 0 && end != absl::string_view::npos && event[end] == ':';
  }
  return false;
}

// "# entries-in-buffer/entries-written: 140080/250280   #P:4"
absl::Status CheckNothingOverwritten(absl::string_view line) {
  constexpr absl::string_view kEntries = "# entries-in-buffer/entries-written: ";
  if (!absl::StartsWith(line, kEntries)) return absl::OkStatus();
  const absl::string_view counts = line.substr(kEntries.size());
  const size_t slash = counts.find('/');
  if (slash == absl::string_view::npos) return WrongShape("two counts", line);
  uint64_t kept, written;
  GLEANER_RETURN_IF_ERROR(ParseNumber("count", counts.substr(0, slash), &kept));
  GLEANER_RETURN_IF_ERROR(ParseNumber(
      "count", counts.substr(slash + 1, counts.find(' ', slash) - slash - 1), &written));
  if (kept == written) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("only ", kept, " of ", written,
                   " events were kept: the kernel's buffer was too small"));
}

class FtraceParser : public LineParser {
 protected:
  absl::StatusOr<bool> ParseLine(absl::string_view line, VolumeNames& volumes,
                                 TraceRecord* record) override {
    const size_t at = line.find(kEvent);
    if (at == absl::string_view::npos || !IsTime(LastWord(line.substr(0, at)))) {
      return PassOver(line);
    }
    const absl::string_view time = LastWord(line.substr(0, at));
    const uint64_t unit_ns = absl::StrContains(time, '.') ? kNanosPerSecond : 1;
    GLEANER_RETURN_IF_ERROR(ParseTime(time, unit_ns, &record->time_ns));
    return ParsePayload(line.substr(at + kEvent.size()), volumes, record);
  }

 private:
  static absl::StatusOr<bool> PassOver(absl::string_view line) {
    if (line[0] == '#') {
      GLEANER_RETURN_IF_ERROR(CheckNothingOverwritten(line));
      return false;
    }
    if (absl::StartsWith(line, "CPU:") && absl::StrContains(line, "[LOST ")) {
      return absl::DataLossError(
          absl::StrCat("the kernel lost events here: ", Quoted(line)));
    }
    if (IsEvent(line)) return false;
    return WrongShape("an event of tracefs, \"process-pid [cpu] flags time: event: ...\"",
                      line);
  }

  static absl::StatusOr<bool> ParsePayload(absl::string_view payload,
                                           VolumeNames& volumes, TraceRecord* record) {
    FieldCursor cursor(payload, ' ');
    absl::string_view device, rwbs, bytes;
    if (!cursor.Next(&device) || !cursor.Next(&rwbs) || !cursor.Next(&bytes)) {
      return WrongShape(kPayload, payload);
    }
    GLEANER_ASSIGN_OR_RETURN(const auto op, ParseRwbs(rwbs));
    const absl::string_view command = cursor.rest();
    const size_t command_end = command.find(')');
    if (!absl::StartsWith(command, "(") || command_end == absl::string_view::npos ||
        !absl::EndsWith(TrimBlanks(command), "]")) {
      return WrongShape(kPayload, payload);
    }
    FieldCursor extent(command.substr(command_end + 1), ' ');
    absl::string_view sector_field, plus, sectors_field;
    if (!extent.Next(&sector_field) || !extent.Next(&plus) || plus != "+" ||
        !extent.Next(&sectors_field)) {
      return WrongShape(kPayload, payload);
    }
    uint64_t sector, sectors;
    GLEANER_RETURN_IF_ERROR(ParseNumber("sector", sector_field, &sector));
    GLEANER_RETURN_IF_ERROR(ParseNumber("sectors", sectors_field, &sectors));
    if (!op.has_value() || sectors == 0)
      return false;  // a flush, or a passthrough command
    record->op = *op;
    GLEANER_ASSIGN_OR_RETURN(record->volume, volumes.Intern(device));
    GLEANER_RETURN_IF_ERROR(
        SetExtent(sector, sectors, {kSectorBytes, kSectorBytes}, record));
    return true;
  }
};

}  // namespace

std::unique_ptr<TraceParser> MakeFtraceParser() {
  return std::make_unique<FtraceParser>();
}

}  // namespace gleaner
