// CRC-32C (Castagnoli, reflected, initial value and final xor of all ones: iSCSI's, NVMe's and
// ext4's). Crc32c of "123456789" is 0xe3069283.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace gleaner {

uint32_t Crc32c(absl::string_view data);

// The CRC of what `crc` covers followed by `data`.
uint32_t ExtendCrc32c(uint32_t crc, absl::string_view data);

}  // namespace gleaner
