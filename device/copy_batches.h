// Cuts a copy job into batches, in order: a Copy command where the job may be copied
// natively, a run or a part of one where it may not.
//
//   CopyBatches batches(&job, target, CopyMode::kAuto);
//   CopyBatch batch;
//   while (batches.Next(&batch)) ...;
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "device/copy_compiler.h"
#include "device/copy_engine.h"
#include "device/device.h"
#include "device/native_reach.h"

namespace gleaner {

// The next blocks of a job, in its order.
struct CopyBatch {
  Device* source = nullptr;
  // From where, in order: starts in the source's blocks, counts in the target's.
  std::vector<DeviceRange> ranges;
  DeviceBlock target;  // consecutive from here
  DeviceBlockCount blocks;
  bool is_command = false;  // may go to the target as one Copy command
};

class CopyBatches {
 public:
  // `job` must outlive this. The target's limits are those of now.
  CopyBatches(const CopyJob* job, Device* target, CopyMode mode);

  // False at the end of the job.
  bool Next(CopyBatch* batch);

 private:
  void FeedCompiler();
  void Emit(const CopyCommand& command);
  void FinishCommand();
  void CompileFrom(Device* source);
  void Advance(DeviceBlockCount blocks);

  const CopyJob& job_;
  Device* const target_;
  std::optional<NativeReach> reach_;  // none: all is emulated
  std::optional<CopyCompiler> compiler_;
  Device* source_ = nullptr;  // of what the compiler has
  size_t run_ = 0;            // the next run to look at,
  DeviceBlockCount offset_;   // and how much of it is in batches
  std::deque<CopyBatch> compiled_;
};

}  // namespace gleaner
