// Whether a copy job can be done at all: everything that can be known before anything is
// submitted.
//
//   GLEANER_RETURN_IF_ERROR(CheckCopyJob(job, *target, CopyMode::kAuto));
//
// Thread-safe.
#pragma once

#include "absl/status/status.h"
#include "device/copy_engine.h"
#include "device/device.h"

namespace gleaner {

// The errors of CopyEngine::Start.
absl::Status CheckCopyJob(const CopyJob& job, const Device& target, CopyMode mode);

}  // namespace gleaner
