// A relocator for zoned devices: one copy for each zone that the moves go to, so that several
// zones are written at the same time, and
//
// - a copy begins only when all that its class appended before is written: a zone takes writes in
//   order;
// - the copies of one class follow each other: a zone is full before the next one of its class is
//   begun, and no more zones are open than there are classes.
//
//   auto relocator = MakeZoneOrderedRelocator(std::move(inner), &buffers, geometry, &table);
//
// Thread-compatible.
#pragma once

#include <memory>

#include "extent_map/segment_geometry.h"
#include "gc/relocator.h"
#include "gc/segment_table.h"
#include "store/append_buffers.h"

namespace gleaner {

// Owns `relocator`, which takes several copies at a time; `buffers`, what is written to the zones
// beside the copies and knows the runs that are copied to (Hold), and `table`, which knows the
// classes, must outlive it.
std::unique_ptr<Relocator> MakeZoneOrderedRelocator(std::unique_ptr<Relocator> relocator,
                                                    AppendBuffers* buffers,
                                                    const SegmentGeometry& geometry,
                                                    const SegmentTable* table);

}  // namespace gleaner
