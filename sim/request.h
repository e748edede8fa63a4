// One request of a workload or a trace, in blocks, and the stream of them that a simulation
// consumes. Synthetic workloads and traces both come as a RequestSource.
//
//   Request batch[256];
//   GLEANER_ASSIGN_OR_RETURN(size_t n, source->Next(absl::MakeSpan(batch)));
//   // n == 0: the end; otherwise batch[0..n) are to be executed in order.
//
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/types.h"

namespace gleaner {

enum class RequestOp : uint8_t { kRead, kWrite, kTrim };

struct Request {
  uint64_t lba = 0;     // first block
  uint32_t blocks = 0;  // at least one
  RequestOp op = RequestOp::kWrite;

  LbaRange range() const { return {Lba(lba), BlockCount(blocks)}; }
  friend bool operator==(const Request&, const Request&) = default;
};

class RequestSource {
 public:
  virtual ~RequestSource() = default;

  // Writes the next requests to `out`, at most out.size(), and returns how many; zero only at
  // the end. Returns the same error again after an error (a bad trace record: DataLoss or
  // InvalidArgument, whose message names file and line).
  virtual absl::StatusOr<size_t> Next(absl::Span<Request> out) = 0;
};

}  // namespace gleaner
