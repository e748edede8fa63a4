// A device in RAM whose copies, reads and writes end as a test says.
//
//   ScriptedDevice device(*MemDevice::Create(options));
//   device.set_copy_outcome([&](absl::Span<const DeviceRange> sources) { ... });
//
// For one thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"
#include "device/device.h"
#include "device/mem_device.h"

namespace gleaner::testing {

class ScriptedDevice : public Device {
 public:
  explicit ScriptedDevice(std::unique_ptr<MemDevice> mem)
      : Device("scripted", Access::kReadWrite, mem->geometry(),
               mem->hardware_copy_limits()),
        mem_(std::move(mem)),
        queue_(*mem_->OpenQueue(1)) {}

  // What becomes of a copy. Of one that fails as many ranges are copied as the result says.
  void set_copy_outcome(
      std::function<OpResult(absl::Span<const DeviceRange> sources)> outcome) {
    outcome_ = std::move(outcome);
  }

  // What becomes of a read or write. Of a write that fails a part is done all the same: as many
  // blocks as `ranges_copied` says.
  void set_io_outcome(std::function<OpResult(OpType type, DeviceRange range)> outcome) {
    io_outcome_ = std::move(outcome);
  }

 protected:
  absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int depth) override {
    return std::make_unique<Queue>(this, depth);
  }
  absl::StatusOr<std::vector<ZoneInfo>> DoReportZones(DeviceRange range) override {
    return mem_->ReportZones(range);
  }

 private:
  class Queue : public IoQueue {
   public:
    Queue(ScriptedDevice* device, int depth) : IoQueue(device, depth), device_(*device) {}

   protected:
    void DoStart(uint32_t id, const Piece&) override { pending_.push_back(id); }
    void DoReap(ReapMode) override {
      while (!pending_.empty()) {
        const uint32_t id = pending_.front();
        pending_.pop_front();
        Finish(id, Execute(piece(id)));
      }
    }

   private:
    OpResult Execute(const Piece& piece) {
      OpResult result;
      absl::Span<const DeviceRange> sources = piece.sources;
      if (piece.type == OpType::kCopy && device_.outcome_) {
        result = device_.outcome_(sources);
        if (!result.status.ok()) sources = sources.first(result.ranges_copied);
        if (!result.status.ok() && sources.empty()) return result;
      }
      OpResult done;
      Piece copied = piece;
      copied.sources = sources;
      const bool io = piece.type == OpType::kRead || piece.type == OpType::kWrite;
      if (io && device_.io_outcome_) {
        result = device_.io_outcome_(piece.type, piece.range);
        if (!result.status.ok())
          copied.range.count = DeviceBlockCount(result.ranges_copied);
        if (!result.status.ok() && copied.range.empty()) return result;
      }
      IoQueue& queue = *device_.queue_;
      GLEANER_CHECK(
          Forward(copied, queue, [&done](const OpResult& r) { done = r; }).ok());
      while (queue.in_flight() > 0) GLEANER_CHECK(queue.Wait().ok());
      return result.status.ok() ? done : result;
    }

    ScriptedDevice& device_;
    std::deque<uint32_t> pending_;
  };

  const std::unique_ptr<MemDevice> mem_;
  const std::unique_ptr<IoQueue> queue_;
  std::function<OpResult(absl::Span<const DeviceRange> sources)> outcome_;
  std::function<OpResult(OpType type, DeviceRange range)> io_outcome_;
};

}  // namespace gleaner::testing
