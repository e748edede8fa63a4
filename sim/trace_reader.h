// Reads block traces of the public formats, one record after another, in bounded memory.
// docs/TRACES.md lists the formats with their units, and what each passes over.
//
//   GLEANER_ASSIGN_OR_RETURN(auto reader, OpenTrace("rocksdb.ftrace.zst", "auto"));
//   TraceRecord record;
//   for (;;) {
//     GLEANER_ASSIGN_OR_RETURN(bool more, reader->Next(&record));
//     if (!more) break;
//     Use(reader->volume_name(record.volume), record);
//   }
//
// Not thread-safe; different readers may be used by different threads.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sim/trace_record.h"

namespace gleaner {

class TraceReader {
 public:
  virtual ~TraceReader() = default;

  // Writes the next record to `record`; false at the end of the trace. A bad record is an
  // error whose message begins with file and line ("disk.csv:17: "; for binary formats
  // "disk.bin:record 17: "): InvalidArgument where the content does not fit the format,
  // OutOfRange for a number beyond the bounds of TraceRecord, DataLoss for damaged or
  // truncated data. The end before any record is InvalidArgument: a trace is not empty.
  // The same error is returned ever after.
  virtual absl::StatusOr<bool> Next(TraceRecord* record) = 0;

  // The format that is read: one of TraceFormatNames().
  virtual absl::string_view format() const = 0;
  // Volumes seen so far; TraceRecord::volume counts them from 0 in order of appearance.
  virtual uint32_t volumes() const = 0;
  // The name that --trace_volume takes, valid as long as the reader. A format that names
  // no volumes has one, "0".
  virtual absl::string_view volume_name(uint32_t volume) const = 0;
  // File and line of the record last returned, as errors begin: "disk.csv:17".
  virtual std::string position() const = 0;
};

// Opens `path`, plain or compressed with gzip or zstd ("-" is standard input), in
// `format`, one of TraceFormatNames() or "auto", which detects it from the content, never
// from the name. Errors: NotFound, PermissionDenied and the like from the system;
// InvalidArgument for a format that is unknown or cannot be told; DataLoss for a damaged
// file.
absl::StatusOr<std::unique_ptr<TraceReader>> OpenTrace(const std::string& path,
                                                       absl::string_view format);

// The same over bytes in memory, compressed or not, which must outlive the reader. `name`
// stands for the file in messages.
absl::StatusOr<std::unique_ptr<TraceReader>> OpenTraceFromMemory(
    absl::string_view contents, absl::string_view name, absl::string_view format);

// Whether opening `path` again gives the same bytes: not so for standard input ("-"), pipes and
// the like. True for what does not exist: opening it says more.
bool CanBeReadTwice(const std::string& path);

// Known formats, without "auto", in the order of the table.
std::vector<absl::string_view> TraceFormatNames();

}  // namespace gleaner
