// Reads a file line by line, or as binary records of a fixed size, and knows where it is.
//
//   GLEANER_ASSIGN_OR_RETURN(auto reader, LineReader::Open("disk.csv.gz"));
//   absl::string_view line;
//   for (;;) {
//     GLEANER_ASSIGN_OR_RETURN(bool more, reader->NextLine(&line));
//     if (!more) break;
//     if (!Parse(line)) return reader->Annotate(absl::InvalidArgumentError("bad"));  //
//     disk.csv.gz:17: bad
//   }
//
// Input is decompressed as byte_stream.h says. Memory: a buffer of 128 KiB besides. No
// allocation per line. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sim/traces/byte_stream.h"

namespace gleaner {

class LineReader {
 public:
  // A longer line is refused; no trace format comes near.
  static constexpr size_t kMaxLineBytes = 64 << 10;

  // "-" is standard input. Errors name the path.
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& path);
  // Over memory that outlives the reader; `name` stands for the path.
  static std::unique_ptr<LineReader> FromMemory(absl::string_view contents,
                                                absl::string_view name);

  // The next line without its "\n" or "\r\n"; a last line needs none. False at the end.
  // `*line` is valid until the next call. Errors, annotated: those of ByteStream::Read;
  // InvalidArgument for a line longer than kMaxLineBytes or one with a NUL byte, which no
  // text has. Do not call again after an error.
  absl::StatusOr<bool> NextLine(absl::string_view* line);

  // The next `bytes` bytes (at most kMaxLineBytes) as one record; false at the end. A
  // last record cut short is DataLoss. A reader is used for lines or for records, not
  // both.
  absl::StatusOr<bool> NextRecord(size_t bytes, absl::string_view* record);

  // What comes next, without consuming it: kMaxLineBytes or more, or all there is. Valid
  // until the next call of anything. Damaged input is not an error here but when it is
  // reached.
  absl::string_view Peek();
  // OK, or the annotated error that will come behind the bytes that are buffered now.
  absl::Status PendingError() const { return error_.ok() ? error_ : Annotate(error_); }

  // Where the line or record last returned stands: "disk.csv:17", "disk.vscsi:record 17";
  // before the first, "disk.csv".
  std::string Position() const;
  // `status`, which is not OK, with the position before its message.
  absl::Status Annotate(const absl::Status& status) const;

 private:
  LineReader(std::unique_ptr<ByteStream> stream, absl::string_view name);
  void Fill();  // one read into the buffer's free part; makes room first
  absl::StatusOr<bool> TakeLine(size_t bytes, size_t terminator_bytes,
                                absl::string_view* line);

  const std::unique_ptr<ByteStream> stream_;
  const std::string name_;
  const std::unique_ptr<char[]> buffer_;
  size_t begin_ = 0;  // [begin_, end_) of buffer_ is not consumed yet
  size_t end_ = 0;
  bool ended_ = false;     // no more bytes will come, because of the end or of error_
  absl::Status error_;     // to be returned once the buffer is consumed
  uint64_t position_ = 0;  // lines or records returned
  bool records_ = false;
};

}  // namespace gleaner
