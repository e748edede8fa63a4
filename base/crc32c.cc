#include "base/crc32c.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace gleaner {

uint32_t ExtendCrc32c(uint32_t crc, absl::string_view data) {
  // ISA-L takes an int length and leaves initial value and final xor to the caller.
  crc = ~crc;
  while (!data.empty()) {
    const size_t n = std::min<size_t>(data.size(), 1 << 30);
    auto* bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(data.data()));
    crc = crc32_iscsi(bytes, static_cast<int>(n), crc);
    data.remove_prefix(n);
  }
  return ~crc;
}

uint32_t Crc32c(absl::string_view data) { return ExtendCrc32c(0, data); }

}  // namespace gleaner
