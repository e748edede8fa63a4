#include "tests/device/cost_device.h"

#include <algorithm>
#include <deque>
#include <utility>

namespace gleaner::testing {
namespace {

Geometry GeometryOf(DeviceBlockCount capacity) {
  Geometry geometry;
  geometry.capacity = capacity;
  geometry.max_transfer = capacity;
  return geometry;
}

}  // namespace

class CostQueue : public IoQueue {
 public:
  CostQueue(CostDevice* device, int depth)
      : IoQueue(device, depth), cost_device_(*device) {}

 protected:
  void DoStart(uint32_t id, const Piece& piece) override {
    CostDevice& d = cost_device_;
    d.busy_until_ = std::max(d.busy_until_, d.clock_.Now()) + CostOf(piece);
    pending_.push_back({id, d.busy_until_});
    if (piece.type == OpType::kRead) d.read_beside_write_ |= d.writes_in_flight_ > 0;
    if (piece.type == OpType::kWrite) ++d.writes_in_flight_;
    if (piece.type == OpType::kCopy) {
      d.most_copies_in_flight_ =
          std::max(d.most_copies_in_flight_, ++d.copies_in_flight_);
    }
  }

  void DoReap(ReapMode mode) override {
    ManualClock& clock = cost_device_.clock_;
    if (mode == ReapMode::kWait && !pending_.empty() &&
        pending_.front().done_at > clock.Now()) {
      clock.Advance(pending_.front().done_at - clock.Now());
    }
    while (!pending_.empty() && pending_.front().done_at <= clock.Now()) {
      const uint32_t id = pending_.front().id;
      pending_.pop_front();
      Execute(id, piece(id));
    }
  }

 private:
  struct Pending {
    uint32_t id;
    absl::Duration done_at;
  };

  absl::Duration CostOf(const Piece& piece) const {
    const Costs& c = cost_device_.costs_;
    const int64_t blocks = static_cast<int64_t>(piece.range.count.value());
    switch (piece.type) {
      case OpType::kRead:
        return c.per_read + c.per_block_read * blocks;
      case OpType::kWrite:
        return c.per_write + c.per_block_written * blocks;
      case OpType::kCopy:
        return c.per_command + c.per_native_block * blocks +
               c.per_native_range * static_cast<int64_t>(piece.sources.size());
      default:
        return absl::ZeroDuration();
    }
  }

  void Execute(uint32_t id, const Piece& piece) {
    CostDevice& d = cost_device_;
    if (piece.type == OpType::kWrite) --d.writes_in_flight_;
    if (piece.type == OpType::kCopy) --d.copies_in_flight_;
    OpResult result;
    if (d.outcome_) result = d.outcome_({piece.type, piece.range, piece.sources.size()});
    Finish(id, result);
  }

  CostDevice& cost_device_;
  std::deque<Pending> pending_;  // in order of completion
};

CostDevice::CostDevice(ManualClock* clock, DeviceBlockCount capacity,
                       const CopyLimits& limits)
    : Device("costly", Access::kReadWrite, GeometryOf(capacity), limits),
      clock_(*clock) {}

absl::StatusOr<std::unique_ptr<IoQueue>> CostDevice::DoOpenQueue(int depth) {
  return std::make_unique<CostQueue>(this, depth);
}

}  // namespace gleaner::testing
