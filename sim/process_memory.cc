#include "sim/process_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

namespace gleaner {

uint64_t PeakResidentBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;  // Linux counts in KiB
}

uint64_t PhysicalMemoryBytes() {
  const int64_t pages = sysconf(_SC_PHYS_PAGES);
  const int64_t page_bytes = sysconf(_SC_PAGESIZE);
  return static_cast<uint64_t>(std::max<int64_t>(0, pages)) *
         static_cast<uint64_t>(std::max<int64_t>(0, page_bytes));
}

}  // namespace gleaner
