// One request of a block trace, as its file states it: in bytes, before any rounding to
// blocks.
//
//   TraceRecord record;
//   while (*reader->Next(&record)) {
//     if (record.op == RequestOp::kWrite) written += record.length_bytes;
//   }
//
// A value; thread-compatible.
#pragma once

#include <cstdint>

#include "sim/request.h"

namespace gleaner {

// Bounds that every reader checks; a record beyond them is an error. The end of a request
// stays within what off_t can address, and no driver takes more than 4 GiB in one
// request.
inline constexpr uint64_t kMaxTraceEndBytes = (uint64_t{1} << 63) - 1;
inline constexpr uint64_t kMaxTraceLengthBytes = uint64_t{1} << 32;

struct TraceRecord {
  uint64_t offset_bytes = 0;
  uint64_t length_bytes = 0;  // at least one, at most kMaxTraceLengthBytes
  uint64_t time_ns = 0;  // since whatever the format counts from; not checked for order
  uint32_t volume = 0;   // TraceReader::volume_name() has its name
  RequestOp op = RequestOp::kWrite;

  friend bool operator==(const TraceRecord&, const TraceRecord&) = default;
};

}  // namespace gleaner
