// One simulation: a workload or a trace drives a log-structured store, in a model or on a real
// device, and what the cleaner did is counted.
//
//   SimulationConfig config{.workload = "zipf:0.99", .volume_blocks = 445'644};
//   config.victim = "greedy";
//   GLEANER_ASSIGN_OR_RETURN(SimulationResult result, RunSimulation(config, {}));
//   printf("%.3f\n", result.write_amplification);
//
// The same configuration and seed give the same result, in the model and on a device (with native
// or emulated copies; automatic choice depends on measured times), but for times and memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/types.h"
#include "device/copy_engine.h"
#include "device/device.h"
#include "device/geometry.h"
#include "gc/copy_planner.h"
#include "store/volatile_store.h"

namespace gleaner {

struct SimulationConfig {
  // Exactly one of the two.
  std::string workload;  // see WorkloadNames()
  std::string trace;     // path
  std::string trace_format = "auto";
  std::optional<std::string> trace_volume;
  // Write the volume once before a trace; a synthetic workload always does.
  bool fill = false;

  std::optional<uint64_t> volume_blocks;  // from the trace where omitted
  uint32_t block_bytes = 4096;
  std::optional<uint32_t> segment_blocks;  // default 512; a zoned device decides itself
  std::optional<double> utilization;       // default 0.80
  std::optional<double> garbage_trigger;   // instead: no fixed size
  double writes = 10;                      // user writes after the fill, in volumes
  std::optional<double> warmup;  // of them, not counted; default 5, with a trace 0

  std::string victim = "cost-benefit";
  std::string foreground_victim = "greedy";
  std::string placement = "gc-log";
  SurvivorOrder order = SurvivorOrder::kVictim;
  uint32_t commit_segments = 1;
  // Segments that can be open at once; 0: no limit but a zoned device's, which then stands here.
  uint32_t max_open_zones = 0;
  uint32_t relocation_logs =
      1;  // for each class that survivors go to, where there is room

  CopyMode copy = CopyMode::kAuto;
  uint64_t max_copy_bytes_per_second = 0;  // on a device; 0: no limit
  // Lower the limits of a device, and set the model's.
  std::optional<uint64_t> max_copy_blocks;
  std::optional<uint32_t> max_copy_ranges;
  std::optional<uint64_t> max_range_blocks;
  std::string device;  // SPEC; empty: model
  bool force = false;  // overwrite a device that holds something else

  uint64_t seed = 1;
};

// Each figure as the documentation of `gleaner simulate --json` has it.
struct SimulationResult {
  // After fill and warm-up, metadata apart.
  uint64_t user_blocks = 0;
  uint64_t relocated_blocks = 0;
  double write_amplification = 1;
  uint64_t segments_cleaned = 0;
  double victim_live_fraction_mean = 0;
  RelocationCounters relocation;
  double extents_per_gib_before = 0;
  double extents_per_gib_after = 0;
  // Whole run.
  uint64_t metadata_blocks = 0;
  double device_write_amplification = 1;
  uint64_t host_bytes_read = 0;  // verification apart
  uint64_t host_bytes_written = 0;
  uint64_t verified_blocks = 0;
  double wall_seconds = 0;
  double blocks_per_second = 0;  // user blocks after the fill over their time
  uint64_t peak_rss_bytes = 0;   // of the process
  uint32_t reserved_segments = 0;
  uint32_t open_segments = 0;
  // What the run was, with defaults filled in.
  SimulationConfig config;
  uint64_t volume_blocks = 0;
  uint32_t segment_blocks = 0;  // capacity
  uint32_t segments = 0;        // at the end
  uint64_t memory_bytes = 0;    // of the store's structures
};

// How far a run has come, for another thread to look at.
struct SimulationProgress {
  std::atomic<uint64_t> done_blocks{0};
  std::atomic<uint64_t> total_blocks{0};  // of the runs that have begun; 0: not known
  std::atomic<uint64_t> runs_begun{0};
};

struct SimulationHooks {
  const Clock* clock = nullptr;  // null: the real one
  // Null: nobody looks.
  SimulationProgress* progress = nullptr;
  // Told of what the user should know though it is no error.
  std::function<void(absl::string_view)> message;
  // Asked every now and then, from any thread: whether to end, Cancelled. Null: never.
  std::function<bool()> interrupted;
  // For tests: each victim with its live blocks; the store before the final verification.
  std::function<void(SegmentId, uint32_t)> on_victim;
  std::function<void(VolatileStore&, Device*)> before_verification;
};

// Errors that IsUsageError() tells apart: flags out of range or in contradiction, names unknown, no
// room for the classes and the reserve. ResourceExhausted: out of space in the run.
// OutOfRange: the device is too small. DataLoss: a block did not read back as it was written.
// Errors of traces and devices as they come.
absl::StatusOr<SimulationResult> RunSimulation(const SimulationConfig& config,
                                               const SimulationHooks& hooks);

}  // namespace gleaner
