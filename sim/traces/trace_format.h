// The trace formats: one table, one parser each. A new format is one .cc with its
// Make…Parser(), one row in formats.cc, one line in BUILD, one test and one section of
// docs/TRACES.md.
//
//   GLEANER_ASSIGN_OR_RETURN(const TraceFormat* format, FindTraceFormat("msr"));
//   std::unique_ptr<TraceParser> parser = format->make();
//   TraceRecord record;
//   VolumeNames volumes;
//   GLEANER_ASSIGN_OR_RETURN(bool more, parser->Next(*lines, volumes, &record));
//
// A parser belongs to one input and is not thread-safe; the table is constant.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "sim/trace_record.h"
#include "sim/traces/line_reader.h"

namespace gleaner {

// Numbers volumes from 0 in order of appearance. Names stay where they are.
class VolumeNames {
 public:
  // More are an error: they come from a column that is no volume.
  static constexpr uint32_t kMaxVolumes = 1 << 17;
  // The name of the one volume of a format that names none.
  static constexpr absl::string_view kOnlyVolume = "0";

  // ResourceExhausted at kMaxVolumes.
  absl::StatusOr<uint32_t> Intern(absl::string_view name);
  absl::string_view name(uint32_t volume) const { return *names_[volume]; }
  uint32_t size() const { return static_cast<uint32_t>(names_.size()); }

 private:
  absl::flat_hash_map<std::string, uint32_t> numbers_;
  std::vector<std::unique_ptr<const std::string>> names_;
  uint32_t last_ = 0;  // most requests are of the same volume as the one before
};

class TraceParser {
 public:
  virtual ~TraceParser() = default;
  // Writes the next request to `record`; false at the end. Errors carry no position yet
  // unless they come from `input`: see TraceReader::Next for codes.
  virtual absl::StatusOr<bool> Next(LineReader& input, VolumeNames& volumes,
                                    TraceRecord* record) = 0;
};

// A parser that looks at one line at a time. Blank lines are passed over.
class LineParser : public TraceParser {
 public:
  absl::StatusOr<bool> Next(LineReader& input, VolumeNames& volumes,
                            TraceRecord* record) override;

 protected:
  // True: `record` is filled in. False: the line is one of those that the format's
  // section in docs/TRACES.md says are passed over. `line` is not blank.
  virtual absl::StatusOr<bool> ParseLine(absl::string_view line, VolumeNames& volumes,
                                         TraceRecord* record) = 0;
};

struct TraceFormat {
  absl::string_view name;
  std::unique_ptr<TraceParser> (*make)();
};

absl::Span<const TraceFormat> TraceFormats();

// InvalidArgument, with the nearest known name, if there is no such format.
absl::StatusOr<const TraceFormat*> FindTraceFormat(absl::string_view name);

// The one format whose parser takes `head`, the first bytes of a trace
// (LineReader::Peek), as far as its first request. InvalidArgument, with all known names,
// if there is none, or several.
absl::StatusOr<const TraceFormat*> DetectTraceFormat(absl::string_view head);

std::unique_ptr<TraceParser> MakeAlibabaParser();
std::unique_ptr<TraceParser> MakeTencentParser();
std::unique_ptr<TraceParser> MakeMsrParser();
std::unique_ptr<TraceParser> MakeSpcParser();
std::unique_ptr<TraceParser> MakeFioParser();
std::unique_ptr<TraceParser> MakeBlkparseParser();
std::unique_ptr<TraceParser> MakeFtraceParser();
std::unique_ptr<TraceParser> MakeVscsiParser();
std::unique_ptr<TraceParser> MakeMqsimParser();
std::unique_ptr<TraceParser> MakeCsvParser();

}  // namespace gleaner
