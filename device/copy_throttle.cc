#include "device/copy_throttle.h"

namespace gleaner {
namespace {

// How much unused time the rate makes up for, and the longest unit.
constexpr absl::Duration kBurst = absl::Milliseconds(10);
// How often the foreground is judged; with fewer operations than make a percentile, later.
constexpr absl::Duration kPeriod = absl::Milliseconds(10);
constexpr uint64_t kEnoughOperations = 100;
constexpr absl::Duration kLongPeriod = absl::Milliseconds(100);
constexpr absl::Duration kShortestPause = absl::Milliseconds(1);
constexpr uint64_t kSteps = 16;

}  // namespace

CopyThrottle::CopyThrottle(const Options& options) : options_(options) {
  if (options.foreground != nullptr) judged_ = options.foreground->counts();
}

void CopyThrottle::Observe(absl::Duration now) {
  if (options_.foreground == nullptr || now - judged_at_ < kPeriod) return;
  const ForegroundLatency::Counts counts = options_.foreground->counts();
  const uint64_t operations = counts.operations - judged_.operations;
  if (operations > 0 && operations < kEnoughOperations && now - judged_at_ < kLongPeriod)
    return;
  options_.foreground->IsAbove(judged_, counts) ? BackOff() : Recover();
  judged_ = counts;
  judged_at_ = now;
  peak_bytes_ = in_flight_bytes_;
}

void CopyThrottle::BackOff() {
  if (window_bytes_ == kNoLimit) {
    whole_window_bytes_ = std::max(peak_bytes_, options_.chunk_bytes);
    window_bytes_ = whole_window_bytes_;
  }
  const uint64_t least = std::min(kLeastUnitBytes, options_.chunk_bytes);
  if (window_bytes_ > least) {
    window_bytes_ = std::max(window_bytes_ / 2, least);
  } else {
    pause_ = std::clamp(2 * pause_, kShortestPause, kLongestPause);
  }
}

void CopyThrottle::Recover() {
  if (window_bytes_ == kNoLimit) return;
  if (pause_ > absl::ZeroDuration()) {
    pause_ = pause_ > kShortestPause ? pause_ / 2 : absl::ZeroDuration();
    return;
  }
  window_bytes_ += std::max<uint64_t>(whole_window_bytes_ / kSteps, 1);
  if (window_bytes_ >= whole_window_bytes_) window_bytes_ = kNoLimit;
}

uint64_t CopyThrottle::MaxUnitBytes() const {
  uint64_t most = kNoLimit;
  if (backed_off()) most = std::min(window_bytes_, options_.chunk_bytes);
  if (options_.max_bytes_per_second > 0) {
    const double bytes = static_cast<double>(options_.max_bytes_per_second) *
                         absl::ToDoubleSeconds(kBurst);
    most = std::min(most, static_cast<uint64_t>(std::max(bytes, 1.0)));
  }
  return most;
}

bool CopyThrottle::MayStart(absl::Duration now) const {
  if (now < next_start()) return false;
  if (in_flight_bytes_ == 0 || !backed_off()) return true;
  return in_flight_bytes_ + MaxUnitBytes() <= window_bytes_;
}

void CopyThrottle::Start(absl::Duration now, uint64_t bytes) {
  in_flight_bytes_ += bytes;
  peak_bytes_ = std::max(peak_bytes_, in_flight_bytes_);
  if (pause_ > absl::ZeroDuration()) paused_until_ = now + pause_;
  Charge(now, bytes);
}

void CopyThrottle::Charge(absl::Duration now, uint64_t bytes) {
  if (options_.max_bytes_per_second == 0) return;
  next_by_rate_ = std::max(next_by_rate_, now - kBurst) +
                  absl::Seconds(static_cast<double>(bytes) /
                                static_cast<double>(options_.max_bytes_per_second));
}

}  // namespace gleaner
