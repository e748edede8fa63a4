// The process's peak resident memory, as the kernel counts it. Thread-safe.
#pragma once

#include <cstdint>

namespace gleaner {

// In bytes, since the process began.
uint64_t PeakResidentBytes();

}  // namespace gleaner
