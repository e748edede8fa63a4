// MSR Cambridge traces of 2007 (SNIA IOTTA 388):
// Timestamp,Hostname,DiskNumber,Type,Offset,Size, ResponseTime; 100 ns (Windows file
// time) and bytes, type "Read" or "Write". A volume is called like its file there:
// host_disk.
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "sim/traces/fields.h"
#include "sim/traces/trace_format.h"

namespace gleaner {
namespace {

constexpr uint64_t kFileTimeNanos = 100;

class MsrParser : public LineParser {
 protected:
  absl::StatusOr<bool> ParseLine(absl::string_view line, VolumeNames& volumes,
                                 TraceRecord* record) override {
    absl::string_view fields[7];
    if (!SplitFields(line, ',', absl::MakeSpan(fields))) {
      return WrongShape("timestamp,hostname,disknumber,type,offset,size,responsetime",
                        line);
    }
    const auto [time, host, disk, type, offset_field, size, response] = fields;
    uint64_t disk_number, offset, length, response_time;
    GLEANER_RETURN_IF_ERROR(ParseTime(time, kFileTimeNanos, &record->time_ns));
    GLEANER_RETURN_IF_ERROR(ParseNumber("disknumber", disk, &disk_number));
    if (type != "Read" && type != "Write") return NotA("type", type, "Read or Write");
    GLEANER_RETURN_IF_ERROR(ParseNumber("offset", offset_field, &offset));
    GLEANER_RETURN_IF_ERROR(ParseNumber("size", size, &length));
    GLEANER_RETURN_IF_ERROR(ParseNumber("responsetime", response, &response_time));
    record->op = type == "Read" ? RequestOp::kRead : RequestOp::kWrite;
    volume_name_.clear();
    absl::StrAppend(&volume_name_, host, "_", disk);
    GLEANER_ASSIGN_OR_RETURN(record->volume, volumes.Intern(volume_name_));
    GLEANER_RETURN_IF_ERROR(SetExtent(offset, length, {1, 1}, record));
    return true;
  }

 private:
  std::string volume_name_;  // reused, so that a line allocates nothing
};

}  // namespace

std::unique_ptr<TraceParser> MakeMsrParser() { return std::make_unique<MsrParser>(); }

}  // namespace gleaner
