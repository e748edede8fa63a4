// VMware's virtual SCSI traces (vscsiStats, CloudPhysics) in the two binary layouts that
// caching research passes around. Little-endian, no header, one record after another:
//
//   version 1, 32 bytes: u32 serial, u32 bytes, u32 scatter-gather entries, u16 command,
//                        u16 version, u64 lba, u64 time
//   version 2, 40 bytes: u16 command, u16 version, u32 serial, u32 bytes, u32
//   scatter-gather
//                        entries, u64 lba, u64 time, u64 response time
//
// The upper byte of `version` is 1 or 2; `command` is a SCSI operation code; lba counts
// 512-byte blocks, time microseconds. Layouts as read by
// https://github.com/1a1a11a/libCacheSim.
#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "sim/traces/fields.h"
#include "sim/traces/scsi_opcode.h"
#include "sim/traces/trace_format.h"

namespace gleaner {
namespace {

struct Layout {
  uint16_t version;
  size_t record_bytes;
  size_t command_at;
  size_t version_at;
  size_t bytes_at;
  size_t lba_at;
  size_t time_at;
};
constexpr Layout kVersion1 = {1, 32, 12, 14, 4, 16, 24};
constexpr Layout kVersion2 = {2, 40, 0, 2, 8, 16, 24};

uint64_t LittleEndian(absl::string_view record, size_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;)
    value = value << 8 | static_cast<uint8_t>(record[at + i]);
  return value;
}

bool HasVersion(absl::string_view record, const Layout& layout) {
  return record.size() >= layout.record_bytes &&
         LittleEndian(record, layout.version_at, 2) >> 8 == layout.version;
}

class VscsiParser : public TraceParser {
 public:
  absl::StatusOr<bool> Next(LineReader& input, VolumeNames& volumes,
                            TraceRecord* record) override {
    if (layout_ == nullptr) layout_ = ChooseLayout(input.Peek());
    absl::string_view bytes;
    for (;;) {
      GLEANER_ASSIGN_OR_RETURN(const bool more,
                               input.NextRecord(layout_->record_bytes, &bytes));
      if (!more) return false;
      const auto is_request = ParseRecord(bytes, volumes, record);
      if (!is_request.ok()) return input.Annotate(is_request.status());
      if (*is_request) return true;
    }
  }

 private:
  // The byte that says 2 in a version 2 record is the top of the serial number in a
  // version 1 record: a second record, where there is one, must agree. If none fits,
  // ParseRecord says so.
  static const Layout* ChooseLayout(absl::string_view head) {
    if (!HasVersion(head, kVersion2)) return &kVersion1;
    head.remove_prefix(kVersion2.record_bytes);
    const bool agrees =
        head.size() < kVersion2.record_bytes || HasVersion(head, kVersion2);
    return agrees ? &kVersion2 : &kVersion1;
  }

  absl::StatusOr<bool> ParseRecord(absl::string_view bytes, VolumeNames& volumes,
                                   TraceRecord* record) {
    if (!HasVersion(bytes, *layout_)) {
      return absl::InvalidArgumentError(
          absl::StrCat("not a vscsi record of version ", layout_->version,
                       layout_ == &kVersion1 ? " or 2" : ""));
    }
    const uint64_t command = LittleEndian(bytes, layout_->command_at, 2);
    GLEANER_ASSIGN_OR_RETURN(const ScsiMeaning meaning, ScsiOpcodeMeaning(command));
    if (meaning == ScsiMeaning::kNone) return false;
    if (meaning == ScsiMeaning::kUnmap) {
      return absl::InvalidArgumentError(
          "UNMAP (42h): the record does not say which blocks");
    }
    record->op = meaning == ScsiMeaning::kRead ? RequestOp::kRead : RequestOp::kWrite;
    const uint64_t micros = LittleEndian(bytes, layout_->time_at, 8);
    if (__builtin_mul_overflow(micros, kNanosPerMicro, &record->time_ns)) {
      return absl::OutOfRangeError(absl::StrCat("time ", micros, " is too large"));
    }
    GLEANER_ASSIGN_OR_RETURN(record->volume, volumes.Intern(VolumeNames::kOnlyVolume));
    GLEANER_RETURN_IF_ERROR(SetExtent(LittleEndian(bytes, layout_->lba_at, 8),
                                      LittleEndian(bytes, layout_->bytes_at, 4),
                                      {kSectorBytes, 1}, record));
    return true;
  }

  const Layout* layout_ = nullptr;
};

}  // namespace

std::unique_ptr<TraceParser> MakeVscsiParser() { return std::make_unique<VscsiParser>(); }

}  // namespace gleaner
