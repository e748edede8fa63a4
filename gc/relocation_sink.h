// What a log-structured store implements to have its segments cleaned. The store keeps its own
// index; the cleaner only asks what is live, where survivors may go, and says what moved.
//
//   class MyStore : public RelocationSink { ... };
//   Cleaner cleaner(&table, &logs, &my_store, relocator, ...);
//
// Calls come from inside Cleaner::Step, in the thread that calls it. `done` may run before the
// call returns or later, but only in that thread, and exactly once.
#pragma once

#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/types.h"
#include "extent_map/extent.h"

namespace gleaner {

// `count` blocks at `from`, which hold lba, lba + 1, …, copied to `to`.
struct Move {
  Lba lba;
  PhysicalBlock from;
  PhysicalBlock to;
  BlockCount count;

  friend bool operator==(const Move&, const Move&) = default;
};

// A request for room.
struct Reservation {
  ClassId log_class;
  BlockCount at_most;
  // Mean time of the survivors' last changes, in user blocks; zero unless the table tracks it.
  double modified_at_blocks = 0;
};

class RelocationSink {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;

  virtual ~RelocationSink() = default;

  // Appends the live extents of a sealed segment to `extents`, which stays valid until `done`, in
  // the order of physical blocks. Every block in them must be readable on the device by then:
  // writes still under way are waited for. The lba is the store's name for the block; it comes
  // back in Commit and need not be an address as long as block i of an extent is named lba + i.
  virtual void LiveExtents(SegmentId victim, std::vector<Extent>* extents, Done done) = 0;

  // A run of at most `at_most` blocks inside one segment for survivors; it may be shorter, not
  // empty. Never across a summary or the end of a zone. The segment must not be sealed before
  // Settle has returned all that was reserved in it. ResourceExhausted: no room.
  virtual absl::StatusOr<PhysicalRange> Reserve(const Reservation& reservation) = 0;

  // How many blocks Reserve can give for a class without taking a free segment.
  virtual BlockCount RoomInOpenSegment(ClassId log_class) const = 0;

  // The data of `moves` is at its new place (completed, not necessarily flushed). Make the moves
  // findable and apply each by compare-and-move: a block that the user has overwritten or trimmed
  // since LiveExtents stays where the user put it. `moves` stays valid until `done`. After an
  // error none of them may have been applied.
  virtual void Commit(absl::Span<const Move> moves, Done done) = 0;

  // All of a reserved run is accounted for: committed or given up.
  virtual void Settle(PhysicalRange reserved) = 0;

  // The same for what a failed round reserved and will not use, the latest reservation first;
  // nothing writes to it any more. A store that can append there again should: what it does not
  // take back is lost room until the segment is cleaned, and a store that is nearly full may not
  // have enough for another attempt.
  virtual void GiveUp(PhysicalRange reserved) { Settle(reserved); }

  // Makes every mapping that has changed so far durable: whatever left a released segment would
  // be found elsewhere, or nowhere, after a crash. Then released segments can be reused.
  virtual void MakeDurable(Done done) = 0;
};

}  // namespace gleaner
