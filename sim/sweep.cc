#include "sim/sweep.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "sim/simulation_setup.h"

namespace gleaner {

std::vector<absl::StatusOr<SimulationResult>> RunSweep(
    absl::Span<const SimulationConfig> configs, const SweepOptions& options,
    const SimulationHooks& hooks) {
  std::vector<absl::StatusOr<SimulationResult>> results(
      configs.size(), absl::CancelledError("not begun after another run's error"));
  for (size_t i = 0; configs.size() > 1 && i < configs.size(); ++i) {
    if (absl::Status status = CheckSimulation(configs[i]); !status.ok()) {
      results[i] = std::move(status);
      return results;
    }
  }
  const bool on_device =
      std::any_of(configs.begin(), configs.end(),
                  [](const SimulationConfig& c) { return !c.device.empty(); });
  Mutex mu;
  SimulationHooks shared = hooks;
  if (hooks.message) {
    shared.message = [&](absl::string_view text) {
      MutexLock lock(&mu);
      hooks.message(text);
    };
  }
  if (hooks.on_victim) {
    shared.on_victim = [&](SegmentId id, uint32_t live) {
      MutexLock lock(&mu);
      hooks.on_victim(id, live);
    };
  }
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  const auto work = [&] {
    for (size_t i = next++; i < configs.size() && !failed; i = next++) {
      results[i] = RunSimulation(configs[i], shared);
      if (!results[i].ok()) failed = true;
    }
  };
  const int threads =
      on_device ? 1 : std::min<int>(options.threads, static_cast<int>(configs.size()));
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
  return results;
}

}  // namespace gleaner
