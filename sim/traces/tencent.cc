// Tencent cloud block storage traces of 2018 (SNIA IOTTA 27917):
// Timestamp,Offset,Size,IOType, VolumeID; seconds, 512-byte sectors, type 0 read and 1
// write.
#include "base/status_macros.h"
#include "sim/traces/fields.h"
#include "sim/traces/trace_format.h"

namespace gleaner {
namespace {

class TencentParser : public LineParser {
 protected:
  absl::StatusOr<bool> ParseLine(absl::string_view line, VolumeNames& volumes,
                                 TraceRecord* record) override {
    absl::string_view fields[5];
    if (!SplitFields(line, ',', absl::MakeSpan(fields))) {
      return WrongShape("timestamp,offset,size,iotype,volumeid", line);
    }
    const auto [time, offset_field, size, type, volume] = fields;
    uint64_t offset, length, volume_id;
    GLEANER_RETURN_IF_ERROR(ParseTime(time, kNanosPerSecond, &record->time_ns));
    GLEANER_RETURN_IF_ERROR(ParseNumber("offset", offset_field, &offset));
    GLEANER_RETURN_IF_ERROR(ParseNumber("size", size, &length));
    if (type != "0" && type != "1") return NotA("iotype", type, "0 (read) or 1 (write)");
    GLEANER_RETURN_IF_ERROR(ParseNumber("volumeid", volume, &volume_id));
    record->op = type == "0" ? RequestOp::kRead : RequestOp::kWrite;
    GLEANER_ASSIGN_OR_RETURN(record->volume, volumes.Intern(volume));
    GLEANER_RETURN_IF_ERROR(
        SetExtent(offset, length, {kSectorBytes, kSectorBytes}, record));
    return true;
  }
};

}  // namespace

std::unique_ptr<TraceParser> MakeTencentParser() {
  return std::make_unique<TencentParser>();
}

}  // namespace gleaner
