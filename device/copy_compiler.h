// Turns a list of moves (source range -> target) into the fewest Copy commands that a
// device's limits allow, keeping the given order. Pure, and streaming: the moves come one
// by one, each command is handed over as soon as it is complete, and nothing is allocated
// per move.
//
//   CopyCompiler compiler(device->copy_limits(), CopyWindows::Every(geometry.zone_size));
//   auto emit = [&](const CopyCommand& c) { commands++; ranges += c.sources.size(); };
//   for (const Move& m : moves) compiler.Add(m.source, m.target, emit);
//   compiler.Finish(emit);
//
// A command has one target: moves whose targets do not follow each other go to different
// commands. Adjacent sources are merged; a range longer than max_range_blocks is split;
// no source range and no command's target leaves its window. Greedy (each command takes
// all that fits) is optimal: what is left of a command without its first blocks still
// keeps every limit, so a longer command now never costs one more later.
//
// Not thread-safe; use one per thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "base/check.h"
#include "base/types.h"
#include "device/geometry.h"

namespace gleaner {

// One Copy command: the sources, in order, to consecutive blocks from `target` on.
struct CopyCommand {
  absl::Span<const DeviceRange> sources;
  DeviceBlock target;
  DeviceBlockCount blocks;  // in all sources together
};

// The division of a device into windows that no range of a command may leave: zones, the
// chunks of a stripe, the members of a concatenation.
class CopyWindows {
 public:
  // The whole device is one window.
  CopyWindows() = default;
  // Windows of `blocks` each; zero: one window.
  static CopyWindows Every(DeviceBlockCount blocks);
  // Windows that begin at 0 and at each of `starts`, which is strictly increasing.
  static CopyWindows At(std::vector<DeviceBlock> starts);
  // As a device says, which must outlive this (see Device::copy_window).
  static CopyWindows Of(std::function<DeviceRange(DeviceBlock)> window);

  // The window that holds `block`. The last one is open-ended: its end may be past the
  // device's.
  DeviceRange Around(DeviceBlock block) const;

 private:
  uint64_t every_ = 0;
  std::vector<DeviceBlock> starts_;
  std::function<DeviceRange(DeviceBlock)> of_;
};

class CopyCompiler {
 public:
  // `limits` must allow copying.
  explicit CopyCompiler(const CopyLimits& limits, const CopyWindows& windows = {})
      : CopyCompiler(limits, windows, windows) {}
  // Where the sources lie on another device than the target.
  CopyCompiler(const CopyLimits& limits, CopyWindows source_windows,
               CopyWindows target_windows);

  // Appends a move of source.count blocks (none: nothing happens). Calls emit(const
  // CopyCommand&) for each command that is now complete; its sources are valid only
  // during that call.
  template <typename Emit>
  void Add(DeviceRange source, DeviceBlock target, Emit&& emit);

  // Emits the command in progress, if there is one. The compiler can be used again.
  template <typename Emit>
  void Finish(Emit&& emit) {
    if (blocks_ > 0) EmitCommand(emit);
  }

 private:
  struct Window {
    uint64_t start = 0;
    uint64_t end = 0;
    bool contains(uint64_t block) const { return block - start < end - start; }
  };

  template <typename Emit>
  void EmitCommand(Emit&& emit) {
    emit(CopyCommand{sources_, DeviceBlock(target_), DeviceBlockCount(blocks_)});
    sources_.clear();
    blocks_ = 0;
    source_end_ = DeviceBlock::kInvalid;
  }
  void BeginCommand(uint64_t target);
  static void Load(const CopyWindows& windows, uint64_t block, Window& window);

  const uint64_t max_copy_blocks_;
  const size_t max_copy_ranges_;
  const uint64_t max_range_blocks_;
  const CopyWindows source_windows_;
  const CopyWindows target_windows_;

  // The command in progress.
  std::vector<DeviceRange> sources_;
  uint64_t target_ = 0;
  uint64_t blocks_ = 0;
  uint64_t room_ = 0;                            // blocks that it may still take
  uint64_t source_end_ = DeviceBlock::kInvalid;  // where its last source ends

  Window source_window_;  // of its last source
  Window target_window_;
};

template <typename Emit>
void CopyCompiler::Add(DeviceRange source, DeviceBlock target, Emit&& emit) {
  uint64_t from = source.start.value();
  uint64_t to = target.value();
  uint64_t left = source.count.value();
  if (blocks_ > 0 && to != target_ + blocks_) EmitCommand(emit);
  while (left > 0) {
    if (blocks_ == 0) BeginCommand(to);
    // A source that ends where a window ends is not continued: the next window holds
    // `from`.
    const bool adjacent = from == source_end_ && from < source_window_.end;
    if (!source_window_.contains(from)) Load(source_windows_, from, source_window_);
    uint64_t n = std::min({left, room_, source_window_.end - from, max_range_blocks_});
    if (adjacent && sources_.back().count.value() < max_range_blocks_) {
      n = std::min(n, max_range_blocks_ - sources_.back().count.value());
      sources_.back().count += DeviceBlockCount(n);
    } else if (sources_.size() < max_copy_ranges_) {
      sources_.push_back({DeviceBlock(from), DeviceBlockCount(n)});
    } else {
      EmitCommand(emit);
      continue;
    }
    from += n;
    to += n;
    left -= n;
    room_ -= n;
    blocks_ += n;
    source_end_ = from;
    if (room_ == 0) EmitCommand(emit);
  }
}

}  // namespace gleaner
