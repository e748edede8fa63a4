#include <utility>

#include "base/status_macros.h"
#include "gc/relocator.h"

namespace gleaner {
namespace {

class DeviceRelocator : public Relocator {
 public:
  DeviceRelocator(Device* device, const BlockLayout& layout,
                  std::unique_ptr<CopyEngine> engine)
      : device_(device), layout_(layout), engine_(std::move(engine)) {}

  void Copy(absl::Span<const Move> moves, Done done) override {
    CopyJob job;
    job.runs.reserve(moves.size());
    for (const Move& move : moves) {
      const DeviceRange from = layout_.ToDevice({move.from, move.count});
      const DeviceBlock to = layout_.ToDevice(move.to);
      if (!job.runs.empty() && job.runs.back().from.end() == from.start &&
          job.runs.back().to + job.runs.back().from.count == to) {
        job.runs.back().from.count += from.count;
        continue;
      }
      job.runs.push_back({device_, from, to});
    }
    // The engine drops the callback of a job that it refuses, so keep ours.
    auto shared = std::make_shared<Done>(std::move(done));
    const absl::Status status = engine_->Start(
        std::move(job), [shared](const CopyResult& result) { (*shared)(result.status); });
    if (!status.ok()) (*shared)(status);
  }

  int Poll() override { return engine_->Poll(); }
  absl::Status Wait() override { return engine_->Wait(); }

  RelocationCounters counters() const override {
    const CopyCounters& c = engine_->counters();
    const uint64_t per_block = layout_.ToDevice(BlockCount(1)).value();
    return {.copy_commands = c.commands,
            .copy_ranges = c.ranges,
            .native_blocks = c.native_blocks.value() / per_block,
            .emulated_blocks = c.emulated_blocks.value() / per_block,
            .host_bytes_read = c.host_bytes_read,
            .host_bytes_written = c.host_bytes_written};
  }

 private:
  Device* const device_;
  const BlockLayout layout_;
  const std::unique_ptr<CopyEngine> engine_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Relocator>> MakeDeviceRelocator(
    Device* device, const BlockLayout& layout, const CopyEngineOptions& options,
    const Clock& clock) {
  GLEANER_ASSIGN_OR_RETURN(auto engine, CopyEngine::Create(device, options, clock));
  return std::make_unique<DeviceRelocator>(device, layout, std::move(engine));
}

}  // namespace gleaner
