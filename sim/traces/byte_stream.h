// The bytes of a file, a pipe or a piece of memory, decompressed on the way where they
// are gzip (RFC 1952) or Zstandard (RFC 8878). What they are is told from the content,
// never the name.
//
//   GLEANER_ASSIGN_OR_RETURN(auto stream, OpenByteStream("disk.csv.zst"));
//   char buffer[4096];
//   GLEANER_ASSIGN_OR_RETURN(size_t n, stream->Read(absl::MakeSpan(buffer)));  // 0: the
//   end
//
// Memory is bounded: one input buffer of 128 KiB, and the decoder's window (32 KiB for
// gzip; for Zstandard at most 128 MiB, files made with a longer one are refused). Not
// thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace gleaner {

class ByteStream {
 public:
  virtual ~ByteStream() = default;

  // Writes at most out.size() bytes, which must not be 0, and returns how many; 0 only at
  // the end. DataLoss: compressed data that is damaged or stops early. InvalidArgument:
  // an archive or a compression that is not read. Others from the system. After an error,
  // do not call again.
  virtual absl::StatusOr<size_t> Read(absl::Span<char> out) = 0;
};

// `path` "-" is standard input. Errors of open(2), by their code; the messages do not
// repeat it.
absl::StatusOr<std::unique_ptr<ByteStream>> OpenByteStream(const std::string& path);

// `contents` must outlive the stream.
std::unique_ptr<ByteStream> MakeMemoryByteStream(absl::string_view contents);

}  // namespace gleaner
