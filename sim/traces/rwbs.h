// The letters by which the kernel's block layer describes a request in blktrace and
// tracefs (blk_fill_rwbs() in kernel/trace/blktrace.c, fill_rwbs() in blkparse): "WS",
// "FWFSM", "RA", …
//
//   GLEANER_ASSIGN_OR_RETURN(auto op, ParseRwbs("FWS"));  // RequestOp::kWrite
//
// Thread-safe: a pure function.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sim/request.h"

namespace gleaner {

// The request's meaning if it names sectors; nullopt for what never moves data: a flush,
// a zone opened, closed or finished. N, which Linux prints for Write Zeroes and for
// passthrough (the latter without sectors), is a trim: the blocks' data is gone and
// nothing takes its place. InvalidArgument: other letters; a zone append (ZA), whose
// address is not known when it is issued; a zone reset (ZR), whose length is not in the
// trace.
absl::StatusOr<std::optional<RequestOp>> ParseRwbs(absl::string_view rwbs);

}  // namespace gleaner
