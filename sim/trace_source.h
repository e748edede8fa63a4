// Turns a trace into the requests of a simulation: bytes to blocks, volumes and addresses
// to one address space.
//
//   GLEANER_ASSIGN_OR_RETURN(auto reader, OpenTrace(path, "auto"));
//   GLEANER_ASSIGN_OR_RETURN(auto source, TraceSource::Make(std::move(reader), {}));
//   Request batch[256];
//   GLEANER_ASSIGN_OR_RETURN(size_t n, source->Next(absl::MakeSpan(batch)));
//
// A request covers the blocks from floor(start) to ceil(end). Addresses come in one of
// two ways:
//
// - renumbered (volume_blocks not set): (volume, block) pairs are numbered 0, 1, 2, … in
// order of
//   first touch by a write, so that the address space is what the trace writes and
//   nothing else. A request whose blocks are no longer neighbours becomes several. Reads
//   and trims of blocks that no write has touched are dropped: there is nothing to read
//   or to discard. A trimmed block keeps its number.
// - as they are (volume_blocks set): block b of the trace is lba b. One volume only; a
// second one
//   is an error that advises to choose, and so is a block at or beyond volume_blocks.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "sim/request.h"
#include "sim/trace_reader.h"

namespace gleaner {

struct TraceSourceOptions {
  // A power of two from 512 bytes to 1 GiB. Larger: fewer blocks, and more of each is
  // rewritten by a small request.
  uint32_t block_bytes = 4096;
  // Size of the address space, at least one; switches renumbering off.
  std::optional<uint64_t> volume_blocks = std::nullopt;
  // Only requests of this volume. It must occur: the end of a trace without it is
  // NotFound.
  std::optional<std::string> volume = std::nullopt;
};

// What a source has read so far, of the chosen volume or of all.
struct TraceCounts {
  uint64_t reads = 0;  // requests as the trace has them, before any splitting
  uint64_t writes = 0;
  uint64_t trims = 0;
  uint64_t written_blocks = 0;    // user blocks: every overwrite counts again
  uint64_t footprint_blocks = 0;  // distinct blocks written; 0 where volume_blocks is set
};

class TraceSource : public RequestSource {
 public:
  // Takes the reader. InvalidArgument if an option is out of its range.
  static absl::StatusOr<std::unique_ptr<TraceSource>> Make(
      std::unique_ptr<TraceReader> reader, const TraceSourceOptions& options);

  // RequestSource::Next. Errors beyond the reader's: NotFound (the chosen volume does not
  // occur), InvalidArgument (a second volume), OutOfRange (a block beyond volume_blocks),
  // ResourceExhausted (more than 2^32 - 1 distinct blocks). All but the first name file
  // and line.
  absl::StatusOr<size_t> Next(absl::Span<Request> out) override = 0;

  virtual const TraceCounts& counts() const = 0;
};

// Reads a whole trace and counts it: the first pass that --utilization needs where
// --volume_blocks is not given (footprint_blocks is then the volume).
// `options.volume_blocks` is ignored. What cannot be read a second time (CanBeReadTwice) is
// refused with InvalidArgument.
absl::StatusOr<TraceCounts> CountTrace(const std::string& path, absl::string_view format,
                                       TraceSourceOptions options);

}  // namespace gleaner
