#include "base/clock.h"

#include <chrono>
#include <thread>

namespace gleaner {
namespace {

class RealClock : public Clock {
 public:
  absl::Duration Now() const override {
    return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
  }
  void SleepUntil(absl::Duration time) const override {
    for (absl::Duration now = Now(); now < time; now = Now())
      std::this_thread::sleep_for(absl::ToChronoNanoseconds(time - now));
  }
};

}  // namespace

const Clock& Clock::Real() {
  static const RealClock* const clock = new RealClock;
  return *clock;
}

}  // namespace gleaner
