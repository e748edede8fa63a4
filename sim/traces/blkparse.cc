// The default text output of blkparse(1):
//
//   259,0    1       17     0.000123456  4711  D  WS 2048 + 8 [fio]
//   device  cpu  sequence  seconds       pid  action rwbs  sector + sectors [process]
//
// Sectors are 512 bytes; device major,minor is the volume. A request appears once per
// stage of its life. It is counted where it is issued to the driver (D) or, if there is
// no D in the first 64 KiB of the trace (devices without a request queue: dm, md, zram),
// where it is queued (Q).
#include <cctype>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "sim/traces/fields.h"
#include "sim/traces/rwbs.h"
#include "sim/traces/trace_format.h"

namespace gleaner {
namespace {

constexpr absl::string_view kShape =
    "an event of blkparse, \"device cpu sequence time pid action rwbs ...\"";

struct Event {
  absl::string_view device;
  absl::string_view time;
  absl::string_view action;
  absl::string_view rwbs;
  absl::string_view rest;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// "259,0"
bool IsDevice(absl::string_view field) {
  const size_t comma = field.find(',');
  if (comma == 0 || comma == absl::string_view::npos || comma + 1 == field.size())
    return false;
  for (size_t i = 0; i < field.size(); ++i) {
    if (i != comma && !IsDigit(field[i])) return false;
  }
  return true;
}

// blktrace's actions: see "Trace actions" in blkparse(1).
bool IsAction(absl::string_view action) {
  constexpr absl::string_view kActions = "ABCDFGIMPQRSTUWXam";
  return action == "UT" || (action.size() == 1 && absl::StrContains(kActions, action));
}

// False if the line has another shape.
bool ParseEvent(absl::string_view line, Event* event) {
  FieldCursor cursor(line, ' ');
  absl::string_view cpu, sequence, pid;
  if (!cursor.Next(&event->device) || !IsDevice(event->device)) return false;
  if (!cursor.Next(&cpu) || !cursor.Next(&sequence) || !cursor.Next(&event->time) ||
      !cursor.Next(&pid) || !cursor.Next(&event->action) || !cursor.Next(&event->rwbs)) {
    return false;
  }
  event->rest = cursor.rest();
  return IsDigit(cpu[0]) && IsDigit(sequence[0]) && IsDigit(pid[0]) &&
         IsAction(event->action);
}

// Does any line of `head` issue a request?
bool HasIssue(absl::string_view head) {
  Event event;
  while (!head.empty()) {
    const size_t end = head.find('\n');
    if (ParseEvent(head.substr(0, end), &event) && event.action == "D") return true;
    if (end == absl::string_view::npos) return false;
    head.remove_prefix(end + 1);
  }
  return false;
}

// The headings of the statistics that blkparse prints last.
bool IsSummaryHeading(absl::string_view line) {
  for (absl::string_view heading :
       {"CPU", "Total (", "Throughput (", "Events (", "Skips: "}) {
    if (absl::StartsWith(line, heading)) return true;
  }
  return false;
}

class BlkparseParser : public LineParser {
 public:
  absl::StatusOr<bool> Next(LineReader& input, VolumeNames& volumes,
                            TraceRecord* record) override {
    if (action_.empty()) action_ = HasIssue(input.Peek()) ? "D" : "Q";
    return LineParser::Next(input, volumes, record);
  }

 protected:
  absl::StatusOr<bool> ParseLine(absl::string_view line, VolumeNames& volumes,
                                 TraceRecord* record) override {
    Event event;
    if (!ParseEvent(line, &event)) return PassOver(line);
    if (in_summary_) return absl::InvalidArgumentError("an event behind the summary");
    if (event.action == "D" && action_ == "Q") {
      return absl::InvalidArgumentError(
          "the first issue (D) after more than 64 KiB of queue (Q) events: they would be "
          "counted twice; have blkparse print one action, -a issue or -a queue");
    }
    if (event.action != action_) return false;
    return ParseRequest(event, volumes, record);
  }

 private:
  absl::StatusOr<bool> PassOver(absl::string_view line) {
    in_summary_ = in_summary_ || IsSummaryHeading(line);
    const char first = TrimBlanks(line)[0];
    if (in_summary_ && !IsDigit(first)) return false;
    if (absl::StartsWith(line, "Input file ") && absl::EndsWith(line, " added"))
      return false;
    return WrongShape(kShape, line);
  }

  absl::StatusOr<bool> ParseRequest(const Event& event, VolumeNames& volumes,
                                    TraceRecord* record) {
    GLEANER_RETURN_IF_ERROR(ParseTime(event.time, kNanosPerSecond, &record->time_ns));
    GLEANER_ASSIGN_OR_RETURN(const auto op, ParseRwbs(event.rwbs));
    if (absl::StartsWith(event.rest, "[")) return false;  // no sectors: a flush
    FieldCursor cursor(event.rest, ' ');
    absl::string_view sector_field, plus, sectors_field;
    uint64_t sector, sectors;
    if (!cursor.Next(&sector_field) || !cursor.Next(&plus))
      return WrongShape(kExtent, event.rest);
    GLEANER_RETURN_IF_ERROR(ParseNumber("sector", sector_field, &sector));
    if (plus[0] == '(') return false;  // a passthrough command: bytes (command)
    if (plus != "+" || !cursor.Next(&sectors_field))
      return WrongShape(kExtent, event.rest);
    GLEANER_RETURN_IF_ERROR(ParseNumber("sectors", sectors_field, &sectors));
    if (!op.has_value()) return false;
    record->op = *op;
    GLEANER_ASSIGN_OR_RETURN(record->volume, volumes.Intern(event.device));
    GLEANER_RETURN_IF_ERROR(
        SetExtent(sector, sectors, {kSectorBytes, kSectorBytes}, record));
    return true;
  }

  static constexpr absl::string_view kExtent = "\"sector + sectors\"";

  absl::string_view action_;  // the one that counts, once known
  bool in_summary_ = false;
};

}  // namespace

std::unique_ptr<TraceParser> MakeBlkparseParser() {
  return std::make_unique<BlkparseParser>();
}

}  // namespace gleaner
