#include "device/copy_batches.h"

#include <algorithm>
#include <utility>

namespace gleaner {

CopyBatches::CopyBatches(const CopyJob* job, Device* target, CopyMode mode)
    : job_(*job), target_(target) {
  const CopyLimits limits = target->copy_limits();
  if (mode == CopyMode::kEmulate || !limits.can_copy()) return;
  compiler_.emplace(limits, CopyWindows::Every(target->geometry().zone_size));
  feed_blocks_ = limits.max_copy_blocks;
}

bool CopyBatches::CanBeNative(const CopyRun& run) const {
  return compiler_.has_value() && run.source == target_;
}

bool CopyBatches::Next(CopyBatch* batch) {
  if (compiled_.empty()) FeedCompiler();
  if (!compiled_.empty()) {
    *batch = std::move(compiled_.front());
    compiled_.pop_front();
    return true;
  }
  if (run_ == job_.runs.size()) return false;
  const CopyRun& run = job_.runs[run_++];
  batch->source = run.source;
  batch->ranges.assign(1, run.from);
  batch->target = run.to;
  batch->blocks = run.from.count;
  batch->is_command = false;
  return true;
}

// Until at least one command is complete, or a run comes that is not for the compiler.
void CopyBatches::FeedCompiler() {
  if (!compiler_.has_value()) return;
  const auto emit = [this](const CopyCommand& c) {
    compiled_.push_back(
        {target_, {c.sources.begin(), c.sources.end()}, c.target, c.blocks, true});
  };
  while (compiled_.empty() && run_ < job_.runs.size() && CanBeNative(job_.runs[run_])) {
    const CopyRun& run = job_.runs[run_];
    const DeviceBlockCount n(std::min(feed_blocks_, run.from.count.value() - offset_));
    const DeviceBlockCount offset(offset_);
    compiler_->Add({run.from.start + offset, n}, run.to + offset, emit);
    offset_ += n.value();
    if (offset_ < run.from.count.value()) continue;
    offset_ = 0;
    ++run_;
  }
  if (compiled_.empty()) compiler_->Finish(emit);
}

}  // namespace gleaner
