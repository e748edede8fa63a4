#include "device/native_reach.h"

#include <algorithm>

namespace gleaner {
namespace {

void MoveTo(const Device& device, DeviceBlock block, CopyWindow& window) {
  if (!window.range.contains(block)) window = device.copy_window(block);
}

}  // namespace

NativeReach::NativeReach(const Device& target)
    : target_(target),
      target_window_(target.copy_window(DeviceBlock(0))),
      source_(&target),
      source_window_(target_window_),
      limits_(target.copy_limits()) {}

NativeReach::Part NativeReach::PartAt(const CopyRun& run, DeviceBlockCount offset) {
  if (run.source != source_) {
    source_ = run.source;
    source_window_ = source_->copy_window(DeviceBlock(0));
    limits_ = target_.copy_limits_from(*source_);
  }
  const DeviceBlockCount left = run.from.count - offset;
  if (!limits_.can_copy()) return {left, false};
  const DeviceBlock from = run.from.start + offset;
  const DeviceBlock to = run.to + offset;
  MoveTo(*source_, from, source_window_);
  MoveTo(target_, to, target_window_);
  const DeviceBlockCount blocks = std::min(
      {left, source_window_.range.end() - from, target_window_.range.end() - to});
  // Another device is reached as a whole or not at all.
  const bool native =
      source_ != &target_ || source_window_.domain == target_window_.domain;
  return {blocks, native};
}

}  // namespace gleaner
