// How Gleaner tells its own data from somebody else's, so that it never overwrites a file
// system or a database by mistake.
//
//   char* block = ...;                                  // whoever writes a device for
//   Gleaner: memcpy(block, kGleanerMarker, kGleanerMarkerBytes);  // superblocks, stamped
//   blocks GLEANER_RETURN_IF_ERROR(CheckOverwritable(*device)); // before writing to one
//
// Thread-safe.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "device/device.h"

namespace gleaner {

// The first bytes of every block that Gleaner writes for itself.
inline constexpr size_t kGleanerMarkerBytes = 8;
inline constexpr char kGleanerMarker[kGleanerMarkerBytes + 1] = "Gleaner\x1a";

// OK if the device's first and last MiB are all zeroes, or if some device block in them
// begins with the marker. FailedPrecondition: it holds something else. Reads only;
// blocks.
absl::Status CheckOverwritable(Device& device);

}  // namespace gleaner
