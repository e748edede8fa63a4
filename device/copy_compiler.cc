#include "device/copy_compiler.h"

namespace gleaner {

CopyWindows CopyWindows::Every(DeviceBlockCount blocks) {
  CopyWindows windows;
  windows.every_ = blocks.value();
  return windows;
}

CopyWindows CopyWindows::At(std::vector<DeviceBlock> starts) {
  GLEANER_CHECK(std::is_sorted(starts.begin(), starts.end()));
  CopyWindows windows;
  windows.starts_ = std::move(starts);
  return windows;
}

CopyWindows CopyWindows::Of(std::function<DeviceRange(DeviceBlock)> window) {
  CopyWindows windows;
  windows.of_ = std::move(window);
  return windows;
}

DeviceRange CopyWindows::Around(DeviceBlock block) const {
  if (of_) return of_(block);
  if (every_ > 0) {
    return {DeviceBlock(block.value() - block.value() % every_),
            DeviceBlockCount(every_)};
  }
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), block);
  const DeviceBlock start = next == starts_.begin() ? DeviceBlock(0) : *(next - 1);
  const DeviceBlock end =
      next == starts_.end() ? DeviceBlock(DeviceBlock::kInvalid) : *next;
  return {start, end - start};
}

CopyCompiler::CopyCompiler(const CopyLimits& limits, CopyWindows source_windows,
                           CopyWindows target_windows)
    : max_copy_blocks_(limits.max_copy_blocks),
      max_copy_ranges_(limits.max_copy_ranges),
      max_range_blocks_(limits.max_range_blocks),
      source_windows_(std::move(source_windows)),
      target_windows_(std::move(target_windows)) {
  GLEANER_CHECK(limits.can_copy());
  sources_.reserve(std::min<size_t>(max_copy_ranges_, 256));
}

void CopyCompiler::BeginCommand(uint64_t target) {
  if (!target_window_.contains(target)) Load(target_windows_, target, target_window_);
  target_ = target;
  room_ = std::min(max_copy_blocks_, target_window_.end - target);
}

void CopyCompiler::Load(const CopyWindows& windows, uint64_t block, Window& window) {
  const DeviceRange range = windows.Around(DeviceBlock(block));
  window = {range.start.value(), range.end().value()};
}

}  // namespace gleaner
