// Many simulations on all cores.
//
//   std::vector<SimulationConfig> configs = ...;
//   SweepResult sweep = RunSweep(configs, {.threads = 2}, {});
//
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "sim/simulation.h"

namespace gleaner {

struct SweepOptions {
  // Runs at a time; each is single-threaded and has memory of its own. Runs on a device go one
  // after another, whatever this says: they would overwrite each other.
  int threads = 1;
};

// The results in the order of `configs`, the same whatever the number of threads (times apart).
// Before the first begins, each is asked whether it could: what is wrong with a flag, or with the
// space that it leaves, is told before any work is done and lost.
// `hooks.progress` counts all runs together; the callbacks of `hooks` come from any thread, one at
// a time. After the first error no further runs begin; each run that did not begin is Cancelled.
std::vector<absl::StatusOr<SimulationResult>> RunSweep(
    absl::Span<const SimulationConfig> configs, const SweepOptions& options,
    const SimulationHooks& hooks);

}  // namespace gleaner
