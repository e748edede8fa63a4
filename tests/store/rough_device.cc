#include "tests/store/rough_device.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "device/aligned_buffer.h"

namespace gleaner::testing {

class RoughQueue : public IoQueue {
 public:
  RoughQueue(RoughDevice* device, int depth) : IoQueue(device, depth), rough_(*device) {}

 protected:
  void DoStart(uint32_t id, const Piece&) override { pending_.push_back(id); }

  void DoReap(ReapMode mode) override {
    bool must = mode == ReapMode::kWait;
    while (!pending_.empty() && (must || rough_.random_.Below(2) == 0)) {
      must = false;
      std::swap(pending_[rough_.random_.Below(pending_.size())], pending_.back());
      const uint32_t id = pending_.back();
      pending_.pop_back();
      OpResult result;
      if (rough_.outcome_)
        result.status = rough_.outcome_(piece(id).type, piece(id).range);
      if (result.status.ok()) {
        result = Execute(piece(id));
      } else {
        Spoil(piece(id));
      }
      Finish(id, result);
    }
  }

 private:
  // On mem, and waits for it.
  OpResult Execute(const Piece& piece) {
    OpResult result;
    const auto done = [&result](const OpResult& r) { result = r; };
    const absl::Status submitted = Forward(piece, *rough_.mem_queue_, done);
    if (!submitted.ok()) result.status = submitted;
    while (rough_.mem_queue_->in_flight() > 0)
      GLEANER_CHECK(rough_.mem_queue_->Wait().ok());
    return result;
  }

  void Spoil(const Piece& piece) {
    if (piece.type != OpType::kWrite && piece.type != OpType::kCopy) return;
    Piece left = piece;
    left.type = OpType::kWrite;
    const bool zoned = device().geometry().zoned();
    if (zoned) left.range.count = DeviceBlockCount(piece.range.count.value() / 2);
    if (left.range.empty()) return;
    AlignedBuffer garbage(left.range.count.value() * device().geometry().block_bytes);
    std::fill_n(garbage.data(), garbage.size(), '\xee');
    if (!zoned || piece.type == OpType::kCopy) left.data = garbage.data();
    (void)Execute(left);  // out of order in a zone: then there is none
  }

  RoughDevice& rough_;
  std::vector<uint32_t> pending_;
};

RoughDevice::RoughDevice(uint64_t seed, std::unique_ptr<MemDevice> mem)
    : Device("rough", Access::kReadWrite, mem->geometry(), mem->hardware_copy_limits()),
      mem_(std::move(mem)),
      mem_queue_(*mem_->OpenQueue(1)),
      random_(seed) {}

absl::StatusOr<std::unique_ptr<IoQueue>> RoughDevice::DoOpenQueue(int depth) {
  return std::make_unique<RoughQueue>(this, depth);
}

}  // namespace gleaner::testing
