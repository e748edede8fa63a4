// Checks a simulation's configuration, opens what it names and works out its sizes.
//
//   SimulationSetup setup{.config = config};
//   GLEANER_RETURN_IF_ERROR(PrepareSimulation({}, &setup));
//   auto store = VolatileStore::Create(std::move(setup.store));
//
// Thread-compatible.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "device/device.h"
#include "sim/request.h"
#include "sim/simulation.h"
#include "store/volatile_store.h"

namespace gleaner {

struct SimulationSetup {
  SimulationConfig config;  // in: as asked; out: with defaults filled in
  // Out:
  std::unique_ptr<Device> device;  // null: model
  std::unique_ptr<RequestSource> source;
  VolatileStoreOptions store;
  uint64_t volume_blocks = 0;
  uint64_t warmup_blocks = 0;
  bool fills = false;
  uint64_t expected_blocks = 0;  // user writes in all, for a progress bar
};

// Errors as RunSimulation's. `message` may be null.
absl::Status PrepareSimulation(const std::function<void(absl::string_view)>& message,
                               SimulationSetup* setup);

// The error that PrepareSimulation would return, as far as it shows without opening the device or
// reading a whole trace.
absl::Status CheckSimulation(const SimulationConfig& config);

}  // namespace gleaner
