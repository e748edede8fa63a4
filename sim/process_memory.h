// The process's memory and the machine's, as the kernel counts them. Thread-safe.
#pragma once

#include <cstdint>

namespace gleaner {

// In bytes, since the process began.
uint64_t PeakResidentBytes();

// In bytes, of the machine; zero: not known.
uint64_t PhysicalMemoryBytes();

}  // namespace gleaner
