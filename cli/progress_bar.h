// A progress bar on standard error, for runs of more than two seconds, if that is a terminal.
//
//   SimulationProgress progress;
//   ProgressBar bar(&progress, /*runs=*/6);   // until it is destroyed
#pragma once

#include <thread>

#include "base/mutex.h"
#include "sim/simulation.h"

namespace gleaner {

class ProgressBar {
 public:
  // `progress` must outlive the bar. `runs` is how many simulations add to it.
  ProgressBar(const SimulationProgress* progress, size_t runs);
  // Erases the bar.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

 private:
  void Run();
  void Draw(double elapsed_seconds) const;

  const SimulationProgress* const progress_;
  const size_t runs_;
  Mutex mu_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  CondVar stopped_;
  std::thread thread_;
};

}  // namespace gleaner
