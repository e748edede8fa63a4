#include "sim/simulation_setup.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/nearest_name.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "device/device_factory.h"
#include "gc/fitted_logs.h"
#include "gc/placement.h"
#include "gc/victim_policy.h"
#include "sim/process_memory.h"
#include "sim/trace_reader.h"
#include "sim/trace_source.h"
#include "sim/usage_error.h"
#include "sim/workload.h"

namespace gleaner {
namespace {

constexpr double kDefaultUtilization = 0.80;
constexpr double kDefaultWarmup = 5;
constexpr uint32_t kDefaultSegmentBlocks = 512;
// The map and the reverse map hold 32-bit lbas at their best; more is a mistake in a flag.
constexpr uint64_t kMaxVolumeBlocks = uint64_t{1} << 40;
constexpr uint32_t kMaxSegmentBlocks = 1 << 24;
constexpr uint32_t kMaxSegments = UINT32_MAX / 2;
// No simulation needs less for a block: its entry of the reverse map.
constexpr uint64_t kLeastBytesPerBlock = 4;

absl::Status CheckFlags(const SimulationConfig& c) {
  if (c.workload.empty() == c.trace.empty())
    return UsageError("--workload", "give exactly one of --workload and --trace");
  if (c.block_bytes < 512 || c.block_bytes > (1 << 20) ||
      !std::has_single_bit(c.block_bytes)) {
    return UsageError(
        "--block_bytes",
        absl::StrCat(c.block_bytes, " is not a power of two from 512 to 1048576"));
  }
  if (c.volume_blocks.has_value() &&
      (*c.volume_blocks == 0 || *c.volume_blocks > kMaxVolumeBlocks)) {
    return UsageError(
        "--volume_blocks",
        absl::StrCat(*c.volume_blocks, " is not from 1 to ", kMaxVolumeBlocks));
  }
  if (c.segment_blocks.has_value() &&
      (*c.segment_blocks < 2 || *c.segment_blocks > kMaxSegmentBlocks)) {
    return UsageError(
        "--segment_blocks",
        absl::StrCat(*c.segment_blocks, " is not from 2 to ", kMaxSegmentBlocks));
  }
  if (c.utilization.has_value() && c.garbage_trigger.has_value())
    return UsageError("--gc_trigger", "fixes no space; leave --utilization out");
  if (const double u = c.utilization.value_or(kDefaultUtilization); !(u > 0 && u < 1)) {
    return UsageError(
        "--utilization",
        absl::StrCat(u,
                     " is not between 0 and 1 (both excluded): cleaning needs "
                     "spare space"));
  }
  if (const double g = c.garbage_trigger.value_or(0.5); !(g > 0 && g < 1))
    return UsageError("--gc_trigger",
                      absl::StrCat("garbage:", g, " is not between 0 and 1"));
  return absl::OkStatus();
}

// Before anything is read or opened: a typing error is not to be told after minutes.
absl::Status CheckNames(const SimulationConfig& c) {
  GLEANER_RETURN_IF_ERROR(
      UsageError("--victim", MakeVictimPolicy(c.victim, {}).status()));
  GLEANER_RETURN_IF_ERROR(UsageError("--foreground_victim",
                                     MakeVictimPolicy(c.foreground_victim, {}).status()));
  GLEANER_RETURN_IF_ERROR(
      UsageError("--placement", MakePlacement(c.placement, {}).status()));
  if (c.trace.empty() && c.trace_volume.has_value())
    return UsageError("--trace_volume", "there is no --trace");
  if (c.trace_format == "auto") return absl::OkStatus();
  if (c.trace.empty()) return UsageError("--trace_format", "there is no --trace");
  const std::vector<absl::string_view> formats = TraceFormatNames();
  if (std::find(formats.begin(), formats.end(), c.trace_format) != formats.end())
    return absl::OkStatus();
  return UsageError("--trace_format",
                    UnknownNameError("trace format", c.trace_format, formats));
}

absl::Status CheckAmounts(const SimulationConfig& c) {
  if (c.trace.empty()) {
    if (!c.volume_blocks.has_value())
      return UsageError("--volume_blocks", "a synthetic workload needs it");
    if (!(c.writes >= 0 && c.writes * static_cast<double>(*c.volume_blocks) < 1e18))
      return UsageError("--writes", absl::StrCat(c.writes, " volumes cannot be written"));
    const double warmup = c.warmup.value_or(kDefaultWarmup);
    if (!(warmup >= 0 && warmup <= c.writes)) {
      return UsageError("--warmup",
                        absl::StrCat(warmup, " volumes are not from 0 to the ", c.writes,
                                     " that are written"));
    }
    return absl::OkStatus();
  }
  if (const double warmup = c.warmup.value_or(0); !(warmup >= 0 && warmup < 1e9))
    return UsageError("--warmup", absl::StrCat(warmup, " volumes cannot be skipped"));
  return absl::OkStatus();
}

absl::Status CheckConfig(const SimulationConfig& c) {
  GLEANER_RETURN_IF_ERROR(CheckFlags(c));
  GLEANER_RETURN_IF_ERROR(CheckAmounts(c));
  return CheckNames(c);
}

absl::Status OpenTraceSource(SimulationSetup* setup) {
  SimulationConfig& c = setup->config;
  TraceSourceOptions options{.block_bytes = c.block_bytes,
                             .volume_blocks = c.volume_blocks,
                             .volume = c.trace_volume};
  if (c.volume_blocks.has_value()) {
    setup->volume_blocks = *c.volume_blocks;
  } else {
    if (!CanBeReadTwice(c.trace)) {
      return UsageError("--volume_blocks",
                        absl::StrCat(c.trace,
                                     " cannot be read twice to find it out; "
                                     "give it, or save the trace to a file"));
    }
    GLEANER_ASSIGN_OR_RETURN(const TraceCounts counts,
                             CountTrace(c.trace, c.trace_format, options));
    if (counts.footprint_blocks == 0)
      return absl::InvalidArgumentError(absl::StrCat(c.trace, ": writes nothing"));
    setup->volume_blocks = counts.footprint_blocks;
    setup->expected_blocks = counts.written_blocks;
  }
  GLEANER_ASSIGN_OR_RETURN(auto reader, OpenTrace(c.trace, c.trace_format));
  GLEANER_ASSIGN_OR_RETURN(setup->source, TraceSource::Make(std::move(reader), options));
  setup->fills = c.fill;
  return absl::OkStatus();
}

absl::Status OpenSource(SimulationSetup* setup) {
  SimulationConfig& c = setup->config;
  c.warmup = c.warmup.value_or(c.trace.empty() ? kDefaultWarmup : 0);
  if (!c.trace.empty()) {
    GLEANER_RETURN_IF_ERROR(OpenTraceSource(setup));
  } else {
    setup->volume_blocks = *c.volume_blocks;
    setup->fills = true;
    setup->expected_blocks = static_cast<uint64_t>(
        std::llround(c.writes * static_cast<double>(setup->volume_blocks)));
    absl::StatusOr<std::unique_ptr<RequestSource>> source =
        MakeWorkload(c.workload, {.volume_blocks = setup->volume_blocks,
                                  .writes = setup->expected_blocks,
                                  .seed = c.seed});
    GLEANER_RETURN_IF_ERROR(UsageError("--workload", source.status()));
    setup->source = *std::move(source);
  }
  if (setup->fills) setup->expected_blocks += setup->volume_blocks;
  setup->warmup_blocks = static_cast<uint64_t>(
      std::llround(*c.warmup * static_cast<double>(setup->volume_blocks)));
  return absl::OkStatus();
}

absl::Status OpenSimulatedDevice(const std::function<void(absl::string_view)>& message,
                                 SimulationSetup* setup) {
  const SimulationConfig& c = setup->config;
  if (c.device.empty()) return absl::OkStatus();
  GLEANER_RETURN_IF_ERROR(UsageError("--device", ParseSpec(c.device).status()));
  OpenOptions options;
  options.force = c.force;
  options.message = message;
  absl::StatusOr<std::unique_ptr<Device>> device = gleaner::OpenDevice(c.device, options);
  if (absl::IsInvalidArgument(device.status()))
    return UsageError("--device", device.status());
  GLEANER_RETURN_IF_ERROR(device.status());
  setup->device = *std::move(device);
  setup->device->LowerCopyLimits({.max_copy_blocks = c.max_copy_blocks.value_or(0),
                                  .max_copy_ranges = c.max_copy_ranges.value_or(0),
                                  .max_range_blocks = c.max_range_blocks.value_or(0)});
  if (c.copy == CopyMode::kNative && !setup->device->copy_limits().can_copy())
    return UsageError("--copy",
                      absl::StrCat(setup->device->name(), " cannot copy natively"));
  return absl::OkStatus();
}

// Segments: the user's wish, or the device's zones.
absl::Status SizeSegments(SimulationSetup* setup) {
  SimulationConfig& c = setup->config;
  VolatileStoreOptions& store = setup->store;
  if (setup->device != nullptr) {
    const uint32_t device_block = setup->device->geometry().block_bytes;
    if (c.block_bytes < device_block) {  // powers of two both
      return UsageError("--block_bytes",
                        absl::StrCat(c.block_bytes, " is less than a block of ",
                                     setup->device->name(), ", ", device_block));
    }
  }
  if (setup->device == nullptr || !setup->device->geometry().zoned()) {
    store.segment_blocks = c.segment_blocks.value_or(kDefaultSegmentBlocks);
    store.segment_capacity_blocks = store.segment_blocks;
    c.segment_blocks = store.segment_blocks;
    return absl::OkStatus();
  }
  const Geometry& g = setup->device->geometry();
  if (c.segment_blocks.has_value()) {
    return UsageError("--segment_blocks", absl::StrCat(setup->device->name(),
                                                       " is zoned: a segment is a zone"));
  }
  const uint64_t per_block = c.block_bytes / g.block_bytes;
  if (g.zone_size.value() % per_block != 0) {
    return UsageError("--block_bytes",
                      absl::StrCat("zones of ", g.zone_size.value(),
                                   " device blocks are no multiple of it"));
  }
  store.segment_blocks = static_cast<uint32_t>(g.zone_size.value() / per_block);
  store.segment_capacity_blocks =
      static_cast<uint32_t>(g.zone_capacity.value() / per_block);
  return absl::OkStatus();
}

// As many logs as there can be open zones. A zone of a log is written to its end before the next
// one is begun, so none is ever closed, and the limit of active zones counts as the other does.
absl::Status FitToOpenZones(SimulationSetup* setup) {
  SimulationConfig& c = setup->config;
  std::string of = "--max_open_zones";
  if (setup->device != nullptr && setup->device->geometry().zoned()) {
    const Geometry& g = setup->device->geometry();
    for (const uint32_t limit : {g.max_open_zones, g.max_active_zones}) {
      if (limit == 0 || (c.max_open_zones != 0 && c.max_open_zones <= limit)) continue;
      c.max_open_zones = limit;
      of = setup->device->name();
    }
  }
  std::unique_ptr<Placement>& placement = setup->store.placement;
  absl::StatusOr<std::unique_ptr<Placement>> fitted = FitPlacement(
      std::move(placement),
      {.most = c.max_open_zones, .logs_per_relocation_class = c.relocation_logs});
  if (!fitted.ok()) {
    return UsageError("--placement", absl::StrCat(c.placement, ": ", of, ": ",
                                                  fitted.status().message()));
  }
  placement = *std::move(fitted);
  return absl::OkStatus();
}

double SegmentsFor(uint64_t volume_blocks, double utilization, uint32_t capacity_blocks) {
  return std::ceil(static_cast<double>(volume_blocks) /
                   (utilization * static_cast<double>(capacity_blocks)));
}

// The utilization at which a volume takes `least` segments, or a few more: in digits, which may
// have been rounded to the wrong side.
std::string MostUtilization(uint64_t volume_blocks, uint64_t least,
                            uint32_t capacity_blocks) {
  const double exact =
      static_cast<double>(volume_blocks) /
      (static_cast<double>(least) * static_cast<double>(capacity_blocks));
  for (double factor : {1.0, 1 + 1e-5, 1 - 1e-5}) {  // StrCat gives six digits
    std::string digits = absl::StrCat(exact * factor);
    double value;
    if (!absl::SimpleAtod(digits, &value)) continue;
    const double excess =
        SegmentsFor(volume_blocks, value, capacity_blocks) - static_cast<double>(least);
    if (excess == 0 || (factor < 1 && excess > 0)) return digits;
  }
  return absl::StrCat(exact / 2);
}

absl::Status CheckMemory(const SimulationSetup& setup) {
  const uint64_t least = setup.volume_blocks * kLeastBytesPerBlock;
  const uint64_t there = PhysicalMemoryBytes();
  if (there == 0 || least <= there) return absl::OkStatus();
  return UsageError(
      "--volume_blocks",
      absl::StrCat("the maps of ", setup.volume_blocks, " blocks take ", least >> 30,
                   " GiB of memory or more; there are ", there >> 30, " GiB"));
}

absl::Status SizeSpace(SimulationSetup* setup) {
  SimulationConfig& c = setup->config;
  VolatileStoreOptions& store = setup->store;
  store.garbage_trigger = c.garbage_trigger;
  if (c.garbage_trigger.has_value()) return absl::OkStatus();
  c.utilization = c.utilization.value_or(kDefaultUtilization);
  const double segments =
      SegmentsFor(setup->volume_blocks, *c.utilization, store.segment_capacity_blocks);
  if (segments > static_cast<double>(kMaxSegments)) {
    return UsageError(
        "--segment_blocks",
        absl::StrCat(store.segment_capacity_blocks, " is too few: a volume of ",
                     setup->volume_blocks, " blocks at a utilization of ", *c.utilization,
                     " would take ", segments, " segments, more than ", kMaxSegments));
  }
  store.segments = static_cast<uint32_t>(segments);
  if (const uint64_t least = VolatileStore::LeastSegments(store);
      store.segments < least) {
    return UsageError(
        "--utilization",
        absl::StrCat(
            "no room for one segment per class and the reserve: ", store.segments,
            " segments of ", store.segment_capacity_blocks, " blocks for a volume of ",
            setup->volume_blocks, " blocks; the least space is ", least, " segments (",
            least * store.segment_capacity_blocks, " blocks): --utilization=",
            MostUtilization(setup->volume_blocks, least, store.segment_capacity_blocks)));
  }
  return absl::OkStatus();
}

absl::Status MakePolicies(SimulationSetup* setup) {
  const SimulationConfig& c = setup->config;
  VolatileStoreOptions& store = setup->store;
  const VictimPolicyOptions victim{.volume_blocks = setup->volume_blocks};
  auto policy = MakeVictimPolicy(c.victim, victim);
  GLEANER_RETURN_IF_ERROR(UsageError("--victim", policy.status()));
  auto foreground = MakeVictimPolicy(c.foreground_victim, victim);
  GLEANER_RETURN_IF_ERROR(UsageError("--foreground_victim", foreground.status()));
  auto placement =
      MakePlacement(c.placement, {.volume_blocks = setup->volume_blocks,
                                  .segment_blocks = store.segment_capacity_blocks});
  GLEANER_RETURN_IF_ERROR(UsageError("--placement", placement.status()));
  store.policy = *std::move(policy);
  store.foreground_policy = *std::move(foreground);
  store.placement = *std::move(placement);
  return absl::OkStatus();
}

}  // namespace

absl::Status PrepareSimulation(const std::function<void(absl::string_view)>& message,
                               SimulationSetup* setup) {
  const SimulationConfig& c = setup->config;
  VolatileStoreOptions& store = setup->store;
  GLEANER_RETURN_IF_ERROR(CheckConfig(c));
  GLEANER_RETURN_IF_ERROR(OpenSimulatedDevice(message, setup));
  GLEANER_RETURN_IF_ERROR(SizeSegments(setup));
  GLEANER_RETURN_IF_ERROR(OpenSource(setup));
  store.volume_blocks = setup->volume_blocks;
  store.block_bytes = c.block_bytes;
  store.cleaner.commit_segments = c.commit_segments;
  GLEANER_RETURN_IF_ERROR(MakePolicies(setup));
  GLEANER_RETURN_IF_ERROR(FitToOpenZones(setup));
  GLEANER_RETURN_IF_ERROR(SizeSpace(setup));
  GLEANER_RETURN_IF_ERROR(CheckMemory(*setup));
  store.cleaner.order = c.order;
  store.cleaner.seed = Mix64(c.seed);
  store.device = setup->device.get();
  store.flush_moves = false;  // a run ends at the first error
  store.copy.mode = c.copy;
  store.copy.max_bytes_per_second = c.max_copy_bytes_per_second;
  store.model_limits = {.max_copy_blocks = c.max_copy_blocks.value_or(1024),
                        .max_copy_ranges = c.max_copy_ranges.value_or(128),
                        .max_range_blocks = c.max_range_blocks.value_or(128)};
  return absl::OkStatus();
}

absl::Status CheckSimulation(const SimulationConfig& config) {
  const bool sized = config.trace.empty() || config.volume_blocks.has_value();
  if (!config.device.empty() || !sized) return CheckConfig(config);
  SimulationSetup setup;
  setup.config = config;
  return PrepareSimulation({}, &setup);
}

}  // namespace gleaner
