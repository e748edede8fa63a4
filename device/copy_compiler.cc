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

DeviceRange CopyWindows::Around(DeviceBlock block) const {
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

CopyCompiler::CopyCompiler(const CopyLimits& limits, CopyWindows windows)
    : max_copy_blocks_(limits.max_copy_blocks),
      max_copy_ranges_(limits.max_copy_ranges),
      max_range_blocks_(limits.max_range_blocks),
      windows_(std::move(windows)) {
  GLEANER_CHECK(limits.can_copy());
  sources_.reserve(std::min<size_t>(max_copy_ranges_, 256));
}

void CopyCompiler::BeginCommand(uint64_t target) {
  if (!target_window_.contains(target)) Load(target_window_, target);
  target_ = target;
  room_ = std::min(max_copy_blocks_, target_window_.end - target);
}

void CopyCompiler::Load(Window& window, uint64_t block) const {
  const DeviceRange range = windows_.Around(DeviceBlock(block));
  window = {range.start.value(), range.end().value()};
}

}  // namespace gleaner
