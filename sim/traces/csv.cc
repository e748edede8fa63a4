// Comma-separated values whose first line names the columns, in any order. docs/TRACES.md
// lists the names; each implies its unit, and columns of other names are not read.
//
//   version,time,op,size,lbn
//   1,5633898,2a,512,42932745
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "sim/traces/fields.h"
#include "sim/traces/scsi_opcode.h"
#include "sim/traces/trace_format.h"

namespace gleaner {
namespace {

enum Role : uint8_t { kOp, kOffset, kLength, kTime, kVolume, kRoles };
constexpr absl::string_view kRoleNames[kRoles] = {"op", "offset", "length", "time",
                                                  "volume"};

struct Column {
  absl::string_view name;
  Role role;
  uint64_t unit;  // bytes of an offset or length, nanoseconds of a time
};
constexpr uint64_t kNanosPerMilli = 1'000'000;
constexpr Column kColumns[] = {
    {"op", kOp, 0},
    {"opcode", kOp, 0},
    {"type", kOp, 0},
    {"rw", kOp, 0},
    {"offset", kOffset, 1},
    {"offset_bytes", kOffset, 1},
    {"lba", kOffset, kSectorBytes},
    {"lbn", kOffset, kSectorBytes},
    {"sector", kOffset, kSectorBytes},
    {"offset_sectors", kOffset, kSectorBytes},
    {"size", kLength, 1},
    {"length", kLength, 1},
    {"size_bytes", kLength, 1},
    {"length_bytes", kLength, 1},
    {"sectors", kLength, kSectorBytes},
    {"size_sectors", kLength, kSectorBytes},
    {"length_sectors", kLength, kSectorBytes},
    {"time", kTime, kNanosPerSecond},
    {"timestamp", kTime, kNanosPerSecond},
    {"time_s", kTime, kNanosPerSecond},
    {"time_ms", kTime, kNanosPerMilli},
    {"time_us", kTime, kNanosPerMicro},
    {"time_ns", kTime, 1},
    {"volume", kVolume, 0},
    {"volume_id", kVolume, 0},
    {"device", kVolume, 0},
    {"device_id", kVolume, 0},
    {"disk", kVolume, 0},
};

const Column* FindColumn(absl::string_view name) {
  for (const Column& column : kColumns) {
    if (absl::EqualsIgnoreCase(column.name, name)) return &column;
  }
  return nullptr;
}

// nullopt: a SCSI command that moves no data.
absl::StatusOr<std::optional<RequestOp>> ParseOp(absl::string_view field) {
  struct Word {
    absl::string_view word;
    RequestOp op;
  };
  static constexpr Word kWords[] = {
      {"r", RequestOp::kRead},      {"w", RequestOp::kWrite},
      {"t", RequestOp::kTrim},      {"read", RequestOp::kRead},
      {"write", RequestOp::kWrite}, {"trim", RequestOp::kTrim},
      {"d", RequestOp::kTrim},      {"discard", RequestOp::kTrim},
      {"unmap", RequestOp::kTrim},
  };
  for (const Word& word : kWords) {
    if (absl::EqualsIgnoreCase(word.word, field)) return word.op;
  }
  absl::string_view digits = field;
  if (absl::StartsWithIgnoreCase(digits, "0x")) digits.remove_prefix(2);
  uint32_t opcode;
  if (digits.size() != 2 || !absl::SimpleHexAtoi(digits, &opcode)) {
    return NotA("op", field,
                "r, w, t, d, read, write, trim, discard, unmap or a SCSI opcode of two "
                "hex digits");
  }
  GLEANER_ASSIGN_OR_RETURN(const ScsiMeaning meaning, ScsiOpcodeMeaning(opcode));
  switch (meaning) {
    case ScsiMeaning::kRead:
      return RequestOp::kRead;
    case ScsiMeaning::kWrite:
      return RequestOp::kWrite;
    case ScsiMeaning::kUnmap:
      return RequestOp::kTrim;
    case ScsiMeaning::kNone:
      break;
  }
  return std::nullopt;
}

class CsvParser : public LineParser {
 protected:
  absl::StatusOr<bool> ParseLine(absl::string_view line, VolumeNames& volumes,
                                 TraceRecord* record) override {
    if (columns_.empty()) return ParseHeader(line);
    FieldCursor cursor(line, ',');
    std::array<absl::string_view, kRoles> values;
    absl::string_view field;
    for (const Column* column : columns_) {
      if (!cursor.Next(&field)) return WrongNumberOfFields(line);
      if (column != nullptr) values[column->role] = TrimBlanks(field);
    }
    if (cursor.Next(&field)) return WrongNumberOfFields(line);
    return ParseValues(values, volumes, record);
  }

 private:
  absl::Status WrongNumberOfFields(absl::string_view line) const {
    return WrongShape(absl::StrCat(columns_.size(), " fields as in the header"), line);
  }

  absl::StatusOr<bool> ParseHeader(absl::string_view line) {
    FieldCursor cursor(line, ',');
    absl::string_view name;
    while (cursor.Next(&name)) {
      const Column* column = FindColumn(TrimBlanks(name));
      columns_.push_back(column);
      if (column == nullptr) continue;
      if (units_[column->role].has_value()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "two columns for the ", kRoleNames[column->role], " in the header"));
      }
      units_[column->role] = column->unit;
    }
    for (const Role role : {kOp, kOffset, kLength}) {
      if (units_[role].has_value()) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "the header ", Quoted(line), " names no column for the ", kRoleNames[role]));
    }
    return false;
  }

  absl::StatusOr<bool> ParseValues(const std::array<absl::string_view, kRoles>& values,
                                   VolumeNames& volumes, TraceRecord* record) {
    GLEANER_ASSIGN_OR_RETURN(const auto op, ParseOp(values[kOp]));
    uint64_t offset, length;
    GLEANER_RETURN_IF_ERROR(ParseNumber("offset", values[kOffset], &offset));
    GLEANER_RETURN_IF_ERROR(ParseNumber("length", values[kLength], &length));
    record->time_ns = 0;
    if (units_[kTime].has_value()) {
      GLEANER_RETURN_IF_ERROR(ParseTime(values[kTime], *units_[kTime], &record->time_ns));
    }
    if (!op.has_value()) return false;
    record->op = *op;
    const bool has_volume = units_[kVolume].has_value();
    GLEANER_ASSIGN_OR_RETURN(
        record->volume,
        volumes.Intern(has_volume ? values[kVolume] : VolumeNames::kOnlyVolume));
    GLEANER_RETURN_IF_ERROR(
        SetExtent(offset, length, {*units_[kOffset], *units_[kLength]}, record));
    return true;
  }

  std::vector<const Column*> columns_;  // of the file; null for those that are not read
  std::array<std::optional<uint64_t>, kRoles> units_;  // of the roles that have a column
};

}  // namespace

std::unique_ptr<TraceParser> MakeCsvParser() { return std::make_unique<CsvParser>(); }

}  // namespace gleaner
