// A log-structured block store: a block address space over a device that is only ever appended
// to, cleaned by the engine. What the simulator drives and an embedder can use as it is.
//
//   GLEANER_ASSIGN_OR_RETURN(auto store, VolatileStore::Create(options));
//   GLEANER_RETURN_IF_ERROR(store->Write({Lba(7), BlockCount(1)}, data));
//   store->Read({Lba(7), BlockCount(1)}, buffer, [](absl::Status status) { ... });
//   GLEANER_RETURN_IF_ERROR(store->Drain());   // completions have run
//
// Completions run inside calls of the store, never elsewhere. Thread rules are the
// implementation's.
#pragma once

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/types.h"
#include "gc/cleaner.h"
#include "gc/relocator.h"
#include "gc/segment_table.h"

namespace gleaner {

struct StoreStats {
  uint64_t user_blocks = 0;  // written by the user
  CleanerCounters cleaner;
  RelocationCounters relocation;
  uint64_t metadata_blocks = 0;  // written by the store for itself
  uint64_t mapped_blocks = 0;
  uint32_t segments = 0;
  uint32_t reserved_segments = 0;  // never holding data in steady state
  uint32_t open_segments = 0;      // one per class
  uint64_t memory_bytes = 0;       // map, reverse map, liveness, segment table, placement
};

class Store {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;

  virtual ~Store() = default;

  // Writes `range`; block i of the data is at data + i * block_bytes (copied before the call
  // returns; null in a model). Returns once the write is ordered and visible to reads; cleans in
  // the foreground if space is short. It is durable after the next Flush. ResourceExhausted: no
  // garbage left to collect. An I/O error of an earlier write is told once, by the next Write, Flush,
  // Poll or Drain; what was written is kept and tried again.
  virtual absl::Status Write(LbaRange range, const char* data) = 0;

  // Reads `range` into `data`, aligned as the device asks and valid until `done`. Unmapped blocks
  // read as zeroes.
  virtual void Read(LbaRange range, char* data, Done done) = 0;

  // Unmaps `range`.
  virtual absl::Status Trim(LbaRange range) = 0;

  // Everything written and trimmed before the call is as durable as the store can make it when
  // `done` runs. DataLoss: the drive may have lost power; then whatever was written before `done`
  // ran and no earlier flush covers may read as anything until it is written again. What an earlier
  // one covers is there.
  virtual void Flush(Done done) = 0;

  // Runs completions that are there.
  virtual absl::Status Poll() = 0;
  // Waits until nothing is under way.
  virtual absl::Status Drain() = 0;

  virtual StoreStats stats() const = 0;
  // Runs of blocks contiguous both in lba and on the device, over the mapped blocks.
  virtual uint64_t CountExtents() const = 0;
};

}  // namespace gleaner
