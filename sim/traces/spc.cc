// Storage Performance Council trace files (SPC Trace File Format Specification 1.0.1), as
// in the UMass repository (Financial1, WebSearch1, …): ASU,LBA,size,opcode,timestamp and
// optional fields; LBA in 512-byte blocks, size in bytes, time in seconds, opcode r or w
// in either case. Fields may have blanks around them. The ASU (application storage unit)
// is the volume.
#include "absl/strings/match.h"
#include "base/status_macros.h"
#include "sim/traces/fields.h"
#include "sim/traces/trace_format.h"

namespace gleaner {
namespace {

class SpcParser : public LineParser {
 protected:
  absl::StatusOr<bool> ParseLine(absl::string_view line, VolumeNames& volumes,
                                 TraceRecord* record) override {
    FieldCursor cursor(line, ',');
    absl::string_view fields[5];
    for (absl::string_view& field : fields) {
      if (!cursor.Next(&field)) return WrongShape("asu,lba,size,opcode,timestamp", line);
      field = TrimBlanks(field);
    }
    const auto [asu, lba_field, size, opcode, time] = fields;
    uint64_t unit, lba, length;
    GLEANER_RETURN_IF_ERROR(ParseNumber("asu", asu, &unit));
    GLEANER_RETURN_IF_ERROR(ParseNumber("lba", lba_field, &lba));
    GLEANER_RETURN_IF_ERROR(ParseNumber("size", size, &length));
    const bool is_read = absl::EqualsIgnoreCase(opcode, "r");
    if (!is_read && !absl::EqualsIgnoreCase(opcode, "w")) {
      return NotA("opcode", opcode, "r or w");
    }
    GLEANER_RETURN_IF_ERROR(ParseTime(time, kNanosPerSecond, &record->time_ns));
    record->op = is_read ? RequestOp::kRead : RequestOp::kWrite;
    GLEANER_ASSIGN_OR_RETURN(record->volume, volumes.Intern(asu));
    GLEANER_RETURN_IF_ERROR(SetExtent(lba, length, {kSectorBytes, 1}, record));
    return true;
  }
};

}  // namespace

std::unique_ptr<TraceParser> MakeSpcParser() { return std::make_unique<SpcParser>(); }

}  // namespace gleaner
