// Cuts a copy job into batches, in order: a Copy command where the job may be copied
// natively, a run where it may not.
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
  bool CanBeNative(const CopyRun& run) const;
  void FeedCompiler();

  const CopyJob& job_;
  Device* const target_;
  std::optional<CopyCompiler> compiler_;  // where native copying is possible at all
  uint64_t feed_blocks_ = 0;              // the most that is compiled at once
  size_t run_ = 0;                        // the next run to look at,
  uint64_t offset_ = 0;                   // and how much of it the compiler has
  std::deque<CopyBatch> compiled_;
};

}  // namespace gleaner
