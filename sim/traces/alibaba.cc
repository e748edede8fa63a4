// Alibaba Cloud block traces of 2020, io_traces.csv:
// device_id,opcode,offset,length,timestamp; bytes and microseconds.
// https://github.com/alibaba/block-traces
#include "base/status_macros.h"
#include "sim/traces/fields.h"
#include "sim/traces/trace_format.h"

namespace gleaner {
namespace {

class AlibabaParser : public LineParser {
 protected:
  absl::StatusOr<bool> ParseLine(absl::string_view line, VolumeNames& volumes,
                                 TraceRecord* record) override {
    absl::string_view fields[5];
    if (!SplitFields(line, ',', absl::MakeSpan(fields))) {
      return WrongShape("device_id,opcode,offset,length,timestamp", line);
    }
    const auto [device, opcode, offset_field, length_field, time] = fields;
    uint64_t device_id, offset, length;
    GLEANER_RETURN_IF_ERROR(ParseNumber("device_id", device, &device_id));
    if (opcode != "R" && opcode != "W") return NotA("opcode", opcode, "R or W");
    GLEANER_RETURN_IF_ERROR(ParseNumber("offset", offset_field, &offset));
    GLEANER_RETURN_IF_ERROR(ParseNumber("length", length_field, &length));
    GLEANER_RETURN_IF_ERROR(ParseTime(time, kNanosPerMicro, &record->time_ns));
    record->op = opcode == "R" ? RequestOp::kRead : RequestOp::kWrite;
    GLEANER_ASSIGN_OR_RETURN(record->volume, volumes.Intern(device));
    GLEANER_RETURN_IF_ERROR(SetExtent(offset, length, {1, 1}, record));
    return true;
  }
};

}  // namespace

std::unique_ptr<TraceParser> MakeAlibabaParser() {
  return std::make_unique<AlibabaParser>();
}

}  // namespace gleaner
