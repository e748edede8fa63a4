#include "sim/report.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "sim/pages/simulation_section.h"

namespace gleaner {
namespace {

std::string CopyModeName(CopyMode mode) {
  switch (mode) {
    case CopyMode::kAuto:
      return "auto";
    case CopyMode::kNative:
      return "native";
    case CopyMode::kEmulate:
      return "emulate";
  }
  return "unknown";
}

std::string Count(uint64_t n) {
  // Groups of three digits, as people read them.
  std::string digits = absl::StrCat(n);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

std::string Size(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, " B")
                   : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string Source(const SimulationConfig& c) {
  return c.trace.empty() ? c.workload : c.trace;
}

std::string Space(const SimulationConfig& c) {
  if (c.garbage_trigger.has_value()) return absl::StrCat("garbage:", *c.garbage_trigger);
  return absl::StrCat(c.utilization.value_or(0));
}

// Rows of cells -> lines; the first column to the left, the others to the right.
std::string Align(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      absl::StrAppend(&text, i == 0 ? "" : "  ",
                      i < 2 ? row[i] + padding : padding + row[i]);
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    text += '\n';
  }
  return text;
}

}  // namespace

nlohmann::ordered_json ConfigJson(const SimulationConfig& c) {
  nlohmann::ordered_json j;
  if (!c.workload.empty()) j["workload"] = c.workload;
  if (!c.trace.empty()) {
    j["trace"] = c.trace;
    j["trace_format"] = c.trace_format;
  }
  if (c.trace_volume.has_value()) j["trace_volume"] = *c.trace_volume;
  if (c.fill) j["fill"] = true;
  if (c.volume_blocks.has_value()) j["volume_blocks"] = *c.volume_blocks;
  j["block_bytes"] = c.block_bytes;
  if (c.segment_blocks.has_value()) j["segment_blocks"] = *c.segment_blocks;
  if (c.garbage_trigger.has_value()) {
    j["gc_trigger"] = absl::StrCat("garbage:", *c.garbage_trigger);
  } else if (c.utilization.has_value()) {
    j["utilization"] = *c.utilization;
  }
  if (c.trace.empty()) j["writes"] = c.writes;
  if (c.warmup.has_value()) j["warmup"] = *c.warmup;
  j["victim"] = c.victim;
  j["foreground_victim"] = c.foreground_victim;
  j["placement"] = c.placement;
  j["order"] = c.order == SurvivorOrder::kLba ? "lba" : "victim";
  j["commit_segments"] = c.commit_segments;
  if (c.max_open_zones > 0) j["max_open_zones"] = c.max_open_zones;
  if (c.relocation_logs > 1) j["relocation_logs"] = c.relocation_logs;
  j["copy"] = CopyModeName(c.copy);
  if (c.max_copy_blocks.has_value()) j["max_copy_blocks"] = *c.max_copy_blocks;
  if (c.max_copy_ranges.has_value()) j["max_copy_ranges"] = *c.max_copy_ranges;
  if (c.max_range_blocks.has_value()) j["max_range_blocks"] = *c.max_range_blocks;
  if (!c.device.empty()) j["device"] = c.device;
  j["seed"] = c.seed;
  return j;
}

std::string CommandLine(const SimulationConfig& config) {
  return SimulateCommand(ConfigJson(config));
}

nlohmann::ordered_json RunJson(const SimulationResult& r) {
  nlohmann::ordered_json j;
  j["user_blocks"] = r.user_blocks;
  j["relocated_blocks"] = r.relocated_blocks;
  j["write_amplification"] = r.write_amplification;
  j["segments_cleaned"] = r.segments_cleaned;
  j["victim_live_fraction_mean"] = r.victim_live_fraction_mean;
  j["copy_commands"] = r.relocation.copy_commands;
  j["copy_ranges"] = r.relocation.copy_ranges;
  j["native_blocks"] = r.relocation.native_blocks;
  j["emulated_blocks"] = r.relocation.emulated_blocks;
  j["relocation_host_bytes_read"] = r.relocation.host_bytes_read;
  j["relocation_host_bytes_written"] = r.relocation.host_bytes_written;
  j["extents_per_gib_before"] = r.extents_per_gib_before;
  j["extents_per_gib_after"] = r.extents_per_gib_after;
  j["metadata_blocks"] = r.metadata_blocks;
  j["device_write_amplification"] = r.device_write_amplification;
  j["host_bytes_read"] = r.host_bytes_read;
  j["host_bytes_written"] = r.host_bytes_written;
  j["verified_blocks"] = r.verified_blocks;
  j["wall_seconds"] = r.wall_seconds;
  j["blocks_per_second"] = r.blocks_per_second;
  j["peak_rss_bytes"] = r.peak_rss_bytes;
  j["reserved_segments"] = r.reserved_segments;
  j["open_segments"] = r.open_segments;
  j["segments"] = r.segments;
  j["segment_blocks"] = r.segment_blocks;
  j["volume_blocks"] = r.volume_blocks;
  j["seed"] = r.config.seed;
  j["config"] = ConfigJson(r.config);
  return j;
}

nlohmann::ordered_json SweepJson(absl::Span<const SimulationResult> results) {
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
  for (const SimulationResult& result : results) runs.push_back(RunJson(result));
  nlohmann::ordered_json sweep;
  sweep["runs"] = std::move(runs);
  return sweep;
}

std::string RunText(const SimulationResult& r) {
  const SimulationConfig& c = r.config;
  const uint64_t block_bytes = c.block_bytes;
  std::vector<std::vector<std::string>> rows;
  const auto row = [&rows](std::string name, std::string value) {
    rows.push_back({std::move(name), std::move(value)});
  };
  row("work", absl::StrCat(Source(c), ", volume of ", Count(r.volume_blocks), " blocks (",
                           Size(r.volume_blocks * block_bytes), ")"));
  row("space", absl::StrCat(Space(c), ", ", Count(r.segments), " segments of ",
                            Count(r.segment_blocks), " blocks, ", r.reserved_segments,
                            " reserved, ", r.open_segments, " open"));
  row("policy", absl::StrCat(c.victim, " with ", c.placement));
  row("write amplification",
      absl::StrFormat("%.4f  (%s user blocks, %s relocated)", r.write_amplification,
                      Count(r.user_blocks), Count(r.relocated_blocks)));
  row("victims", absl::StrFormat("%s, %.1f %% live on average", Count(r.segments_cleaned),
                                 100 * r.victim_live_fraction_mean));
  row("native copies", absl::StrFormat("%s blocks by %s commands with %s ranges",
                                       Count(r.relocation.native_blocks),
                                       Count(r.relocation.copy_commands),
                                       Count(r.relocation.copy_ranges)));
  row("emulated copies", absl::StrFormat("%s blocks, %s read and %s written by the host",
                                         Count(r.relocation.emulated_blocks),
                                         Size(r.relocation.host_bytes_read),
                                         Size(r.relocation.host_bytes_written)));
  row("extents per GiB",
      absl::StrFormat("%.0f before, %.0f after", r.extents_per_gib_before,
                      r.extents_per_gib_after));
  if (!c.device.empty())
    row("verified", absl::StrCat(Count(r.verified_blocks), " blocks"));
  row("speed",
      absl::StrFormat("%.2f million user blocks/s, %.1f s in all, %s at most",
                      r.blocks_per_second / 1e6, r.wall_seconds, Size(r.peak_rss_bytes)));
  return Align(rows);
}

std::string RunsTable(absl::Span<const SimulationResult> results) {
  std::vector<std::vector<std::string>> rows = {{"victim", "placement", "space", "WA",
                                                 "victims live", "cleaned", "relocated",
                                                 "ranges/command", "Mblocks/s"}};
  for (const SimulationResult& r : results) {
    const double ranges = r.relocation.copy_commands == 0
                              ? 0
                              : static_cast<double>(r.relocation.copy_ranges) /
                                    static_cast<double>(r.relocation.copy_commands);
    rows.push_back({r.config.victim, r.config.placement, Space(r.config),
                    absl::StrFormat("%.3f", r.write_amplification),
                    absl::StrFormat("%.1f %%", 100 * r.victim_live_fraction_mean),
                    Count(r.segments_cleaned), Count(r.relocated_blocks),
                    absl::StrFormat("%.1f", ranges),
                    absl::StrFormat("%.2f", r.blocks_per_second / 1e6)});
  }
  return Align(rows);
}

}  // namespace gleaner
