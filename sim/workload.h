// Synthetic workloads: endless rules for which block is written next, cut at a number of
// writes.
//
//   const WorkloadOptions options{.volume_blocks = 445'644, .writes = 8'912'880};
//   GLEANER_ASSIGN_OR_RETURN(auto source, MakeWorkload("zipf:0.99", options));
//   Request batch[256];
//   GLEANER_ASSIGN_OR_RETURN(size_t n, source->Next(absl::MakeSpan(batch)));
//
// Every request writes one block. The fill, which writes the volume once in order before,
// is the simulator's. A source is not thread-safe. The same spec, options and version
// give the same requests.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "sim/request.h"

namespace gleaner {

struct WorkloadOptions {
  // Size of the address space; lbas are below it. At least one.
  uint64_t volume_blocks = 0;
  // Requests until the end of the source.
  uint64_t writes = 0;
  uint64_t seed = 0;
};

// The workload that `spec` names, NAME or NAME:ARGUMENT:...
//
//   uniform       every block with equal probability
//   sequential    block 0, 1, 2 and so on, and from 0 again after the last
//   zipf:ALPHA    rank r of 1..N with probability proportional to r^-ALPHA, for ALPHA
//                 above 0, at most 20; a seeded permutation says which block has which
//                 rank, once for all
//   hotcold:WRITES:SPACE
//                 the share WRITES of the writes goes to the share SPACE of the blocks,
//                 the rest to the others, both with equal probability within; a seeded
//                 permutation says which blocks are hot, so they lie all over the volume
//   zipf-shift:ALPHA:SHARE:PERIOD
//                 zipf:ALPHA whose hottest SHARE x N ranks swap their blocks at random
//                 among themselves after every PERIOD x N writes; the ranks behind keep
//                 theirs. 1.0:0.2:0.01 is what SepBIT (FAST 2022) was evaluated with: 50
//                 GiB, its hottest fifth permuted every 512 MiB of writes
//
// Shares are between 0 and 1, both excluded. Numbers of blocks are rounded to the
// nearest. InvalidArgument for an unknown name (suggests the nearest), a wrong number of
// arguments, and arguments out of range or leaving no block on one side (names the
// value).
absl::StatusOr<std::unique_ptr<RequestSource>> MakeWorkload(
    absl::string_view spec, const WorkloadOptions& options);

// How the specs are written, for help texts: "uniform", "zipf:ALPHA" and so on.
absl::Span<const absl::string_view> WorkloadNames();

}  // namespace gleaner
