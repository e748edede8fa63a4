// A relocator for zoned devices: a copy into a zone starts only when everything that was appended
// to the zone before its target is written, since a zone takes writes in order.
//
// Thread-compatible.
#pragma once

#include <memory>

#include "extent_map/segment_geometry.h"
#include "gc/relocator.h"
#include "store/append_buffers.h"

namespace gleaner {

// Owns `relocator`; `buffers`, what is written to the zones beside the copies, must outlive it.
std::unique_ptr<Relocator> MakeZoneOrderedRelocator(std::unique_ptr<Relocator> relocator,
                                                    AppendBuffers* buffers,
                                                    const SegmentGeometry& geometry);

}  // namespace gleaner
