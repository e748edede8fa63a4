#include <utility>

#include "device/copy_compiler.h"
#include "gc/relocator.h"

namespace gleaner {
namespace {

// Nothing is copied: what a device with these limits would be asked is counted.
class ModelRelocator : public Relocator {
 public:
  ModelRelocator(const ModelRelocatorOptions& options, bool native)
      : block_bytes_(options.block_bytes),
        native_(native),
        compiler_(native ? options.limits : CopyLimits{1, 1, 1}) {}

  void Copy(absl::Span<const Move> moves, Done done) override {
    native_ ? CountNative(moves) : CountEmulated(moves);
    done(absl::OkStatus());
  }

  int Poll() override { return 0; }
  absl::Status Wait() override {
    return absl::FailedPreconditionError("no copy is under way");
  }
  RelocationCounters counters() const override { return counters_; }

 private:
  void CountNative(absl::Span<const Move> moves) {
    const auto emit = [this](const CopyCommand& command) {
      ++counters_.copy_commands;
      counters_.copy_ranges += command.sources.size();
      counters_.native_blocks += command.blocks.value();
    };
    // Neighbours both here and there are one source for the compiler anyway; most moves are.
    const Move* const end = moves.data() + moves.size();
    for (const Move* move = moves.data(); move != end;) {
      const Move& first = *move;
      PhysicalBlock from_end = first.from + first.count;
      PhysicalBlock to_end = first.to + first.count;
      while (++move != end && move->from == from_end && move->to == to_end) {
        from_end += move->count;
        to_end += move->count;
      }
      compiler_.Add({DeviceBlock(first.from.value()),
                     DeviceBlockCount((from_end - first.from).value())},
                    DeviceBlock(first.to.value()), emit);
    }
    compiler_.Finish(emit);
  }

  void CountEmulated(absl::Span<const Move> moves) {
    for (const Move& move : moves) {
      counters_.emulated_blocks += move.count.value();
      counters_.host_bytes_read += move.count.value() * block_bytes_;
      counters_.host_bytes_written += move.count.value() * block_bytes_;
    }
  }

  const uint32_t block_bytes_;
  const bool native_;
  CopyCompiler compiler_;
  RelocationCounters counters_;
};

}  // namespace

RelocationCounters RelocationCounters::operator-(const RelocationCounters& before) const {
  return {.copy_commands = copy_commands - before.copy_commands,
          .copy_ranges = copy_ranges - before.copy_ranges,
          .native_blocks = native_blocks - before.native_blocks,
          .emulated_blocks = emulated_blocks - before.emulated_blocks,
          .host_bytes_read = host_bytes_read - before.host_bytes_read,
          .host_bytes_written = host_bytes_written - before.host_bytes_written};
}

absl::StatusOr<std::unique_ptr<Relocator>> MakeModelRelocator(
    const ModelRelocatorOptions& options) {
  const bool possible = options.limits.can_copy();
  if (options.mode == CopyMode::kNative && !possible)
    return absl::InvalidArgumentError("the model's copy limits allow no native copy");
  const bool native = possible && options.mode != CopyMode::kEmulate;
  return std::make_unique<ModelRelocator>(options, native);
}

}  // namespace gleaner
