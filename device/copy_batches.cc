#include "device/copy_batches.h"

#include <algorithm>
#include <utility>

namespace gleaner {

CopyBatches::CopyBatches(const CopyJob* job, Device* target, CopyMode mode)
    : job_(*job), target_(target) {
  if (mode != CopyMode::kEmulate && target->copy_limits().can_copy())
    reach_.emplace(*target);
}

bool CopyBatches::Next(CopyBatch* batch) {
  if (compiled_.empty() && reach_.has_value()) FeedCompiler();
  if (!compiled_.empty()) {
    *batch = std::move(compiled_.front());
    compiled_.pop_front();
    return true;
  }
  if (run_ == job_.runs.size()) return false;
  const CopyRun& run = job_.runs[run_];
  DeviceBlockCount blocks;
  while (offset_ + blocks < run.from.count) {
    if (!reach_.has_value()) {
      blocks = run.from.count;
      break;
    }
    const NativeReach::Part part = reach_->PartAt(run, offset_ + blocks);
    if (part.native) break;
    blocks += part.blocks;
  }
  batch->source = run.source;
  batch->ranges.assign(1, {run.from.start + offset_, blocks});
  batch->target = run.to + offset_;
  batch->blocks = blocks;
  batch->is_command = false;
  Advance(blocks);
  return true;
}

void CopyBatches::Advance(DeviceBlockCount blocks) {
  offset_ += blocks;
  if (offset_ < job_.runs[run_].from.count) return;
  offset_ = DeviceBlockCount(0);
  ++run_;
}

// Until at least one command is complete, or a part comes that is not for the compiler.
void CopyBatches::FeedCompiler() {
  while (compiled_.empty() && run_ < job_.runs.size()) {
    const CopyRun& run = job_.runs[run_];
    const NativeReach::Part part = reach_->PartAt(run, offset_);
    if (!part.native) break;
    if (run.source != source_) {
      FinishCommand();
      CompileFrom(run.source);
    }
    const DeviceBlockCount n(
        std::min(reach_->limits().max_copy_blocks, part.blocks.value()));
    compiler_->Add({run.from.start + offset_, n}, run.to + offset_,
                   [this](const CopyCommand& c) { Emit(c); });
    Advance(n);
  }
  if (compiled_.empty()) FinishCommand();
}

void CopyBatches::Emit(const CopyCommand& c) {
  compiled_.push_back(
      {source_, {c.sources.begin(), c.sources.end()}, c.target, c.blocks, true});
}

void CopyBatches::FinishCommand() {
  if (compiler_.has_value()) compiler_->Finish([this](const CopyCommand& c) { Emit(c); });
}

void CopyBatches::CompileFrom(Device* source) {
  const auto windows_of = [](const Device* device) {
    return CopyWindows::Of(
        [device](DeviceBlock block) { return device->copy_window(block).range; });
  };
  source_ = source;
  compiler_.emplace(reach_->limits(), windows_of(source), windows_of(target_));
}

}  // namespace gleaner
