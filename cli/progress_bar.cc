#include "cli/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "absl/strings/str_format.h"
#include "base/clock.h"

namespace gleaner {
namespace {

constexpr double kShowAfterSeconds = 2;
constexpr absl::Duration kInterval = absl::Milliseconds(200);
constexpr size_t kWidth = 40;

}  // namespace

ProgressBar::ProgressBar(const SimulationProgress* progress, size_t runs)
    : progress_(progress), runs_(runs) {
  if (isatty(STDERR_FILENO) == 1) thread_ = std::thread([this] { Run(); });
}

ProgressBar::~ProgressBar() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  stopped_.Signal();
  if (thread_.joinable()) thread_.join();
}

void ProgressBar::Run() {
  const absl::Duration start = Clock::Real().Now();
  bool shown = false;
  MutexLock lock(&mu_);
  while (!stop_) {
    stopped_.WaitFor(&mu_, kInterval);
    const double elapsed = absl::ToDoubleSeconds(Clock::Real().Now() - start);
    if (stop_ || elapsed < kShowAfterSeconds) continue;
    Draw(elapsed);
    shown = true;
  }
  if (shown) std::fputs("\r\x1b[K", stderr);
}

void ProgressBar::Draw(double elapsed_seconds) const {
  const auto done = static_cast<double>(progress_->done_blocks.load());
  // Runs that have not begun are taken to be as long as those that have.
  const uint64_t begun = progress_->runs_begun.load();
  const double total = begun == 0
                           ? 0
                           : static_cast<double>(progress_->total_blocks.load()) *
                                 static_cast<double>(runs_) / static_cast<double>(begun);
  std::string line;
  if (total <= 0) {
    line = absl::StrFormat("\r%.1f million blocks", done / 1e6);
  } else {
    const double share = std::min(1.0, done / total);
    const auto filled = static_cast<size_t>(share * kWidth);
    const double left = share > 0 ? elapsed_seconds * (1 - share) / share : 0;
    line = absl::StrFormat("\r[%s%s] %3.0f %%  %.0f s left", std::string(filled, '#'),
                           std::string(kWidth - filled, '.'), 100 * share, left);
  }
  std::fprintf(stderr, "%s\x1b[K", line.c_str());
  std::fflush(stderr);
}

}  // namespace gleaner
