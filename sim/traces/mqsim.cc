// MQSim's ASCII traces: time device lba sectors type, blank-separated; nanoseconds,
// 512-byte sectors, type 0 write and 1 read. https://github.com/CMU-SAFARI/MQSim
#include "base/status_macros.h"
#include "sim/traces/fields.h"
#include "sim/traces/trace_format.h"

namespace gleaner {
namespace {

class MqsimParser : public LineParser {
 protected:
  absl::StatusOr<bool> ParseLine(absl::string_view line, VolumeNames& volumes,
                                 TraceRecord* record) override {
    absl::string_view fields[5];
    if (!SplitFields(line, ' ', absl::MakeSpan(fields))) {
      return WrongShape("\"time device lba sectors type\"", line);
    }
    const auto [time, device, lba_field, sectors, type] = fields;
    uint64_t device_number, lba, length;
    GLEANER_RETURN_IF_ERROR(ParseNumber("time", time, &record->time_ns));
    GLEANER_RETURN_IF_ERROR(ParseNumber("device", device, &device_number));
    GLEANER_RETURN_IF_ERROR(ParseNumber("lba", lba_field, &lba));
    GLEANER_RETURN_IF_ERROR(ParseNumber("sectors", sectors, &length));
    if (type != "0" && type != "1") return NotA("type", type, "0 (write) or 1 (read)");
    record->op = type == "0" ? RequestOp::kWrite : RequestOp::kRead;
    GLEANER_ASSIGN_OR_RETURN(record->volume, volumes.Intern(device));
    GLEANER_RETURN_IF_ERROR(SetExtent(lba, length, {kSectorBytes, kSectorBytes}, record));
    return true;
  }
};

}  // namespace

std::unique_ptr<TraceParser> MakeMqsimParser() { return std::make_unique<MqsimParser>(); }

}  // namespace gleaner
