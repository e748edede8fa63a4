// What tests of simulations share.
#pragma once

#include "nlohmann/json.hpp"
#include "sim/report.h"
#include "sim/simulation.h"

namespace gleaner::testing {

// Seconds long on a device in memory; some hundred victims.
inline SimulationConfig SmallConfig() {
  SimulationConfig config;
  config.workload = "zipf:0.9";
  config.volume_blocks = 12'000;
  config.segment_blocks = 64;
  config.writes = 3;
  config.warmup = 1;
  config.copy = CopyMode::kNative;
  return config;
}

// Everything but times, memory, the device's name, and what only a device run does.
inline nlohmann::ordered_json Comparable(const SimulationResult& result) {
  nlohmann::ordered_json j = RunJson(result);
  for (const char* key :
       {"wall_seconds", "blocks_per_second", "peak_rss_bytes", "verified_blocks"})
    j.erase(key);
  j["config"].erase("device");
  return j;
}

}  // namespace gleaner::testing
