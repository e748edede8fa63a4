// Copies runs of blocks to a device, by the device's own Copy command where that serves
// and by host reads and writes where it does not. Usable without the cleaner.
//
//   GLEANER_ASSIGN_OR_RETURN(auto engine, CopyEngine::Create(device, {}, Clock::Real()));
//   CopyJob job;
//   job.runs.push_back({device, {DeviceBlock(0), DeviceBlockCount(64)},
//   DeviceBlock(4096)}); GLEANER_RETURN_IF_ERROR(engine->Start(std::move(job), [](const
//   CopyResult& r) { ... })); while (!engine->idle())
//   GLEANER_RETURN_IF_ERROR(engine->Wait());
//
// Asynchronous: work goes on, and completions run, only inside Poll and Wait. Many jobs
// may be under way at once; they share the depth and the buffers fairly and finish in any
// order. The source must not change, and the target must not be read or written by
// others, until completion. What was copied is durable after the next flush of the target
// device, if Device::losses() of it is the same then as before the job. A job under way while that
// rises fails with Unavailable, and none of its runs counts as copied.
//
// Belongs to one thread. The devices must outlive the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/types.h"
#include "device/device.h"
#include "device/foreground_latency.h"

namespace gleaner {

// `from.start` is in blocks of the source device; `from.count` and `to` are in blocks of
// the target device. Where the block sizes differ, blocks are counted in bytes from
// there.
struct CopyRun {
  Device* source = nullptr;
  DeviceRange from;
  DeviceBlock to;
};

struct CopyJob {
  // Copied in this order within a zone, in any order elsewhere. Adjacent runs are merged.
  std::vector<CopyRun> runs;
  CopyOptions options;
  // CRC-32C of each block of the target, in the order of the runs; empty: unknown.
  std::vector<uint32_t> checksums;
};

enum class CopyMode : uint8_t {
  // Native within one device (of several members: within each of them), or from another
  // that the target's Copy can read, where limits allow and measurement says that it is not
  // slower; else emulated.
  kAuto,
  // Never emulated: what cannot be copied natively is the caller's error.
  kNative,
  // Always by host reads and writes.
  kEmulate,
};

struct CopyEngineOptions {
  CopyMode mode = CopyMode::kAuto;
  // All of emulation's buffers together; at least one chunk. More hides a longer latency.
  uint64_t buffer_bytes = 8 << 20;
  // The largest write of emulation. Larger chunks make fewer writes; the pool then holds
  // fewer of them, so that less overlaps.
  uint64_t chunk_bytes = 512 << 10;
  // Emulation's reads in flight, per source device. Raising it raises the latency of
  // others.
  int queue_depth = 128;
  // Copy commands in flight. Raising it raises the latency of others.
  int copy_depth = 8;
  // Of a job with checksums: the share of Copy commands, 0 to 1, whose target is read back and
  // compared. 1: all. What does not match is copied again by the host, where that is allowed.
  // Where it is above 0, what the host copies is compared before it is written.
  double verified_share = 0;
  // Of the target, begun by either path; 0: no limit. Exceeded by no more than 20 ms' worth at any
  // time. Commands and chunks become small where it is low.
  uint64_t max_bytes_per_second = 0;
  // While what it is told is above its target, less is in flight, in smaller pieces, then with
  // pauses; something always gets through. Must outlive the engine. Null: nobody is spared.
  const ForegroundLatency* foreground = nullptr;
};

// How much of a run is on the target, and by which path. A run is complete if the sum is
// its length; of an incomplete one, which of its blocks arrived is unknown.
struct CopiedRun {
  DeviceBlockCount native;
  DeviceBlockCount emulated;
};

struct CopyResult {
  // The first error that a device reported; the job stopped there. See OpResult for
  // codes.
  absl::Status status;
  // One for each run of the job, in its order.
  std::vector<CopiedRun> runs;
};

// Since the engine was created; successful work only.
struct CopyCounters {
  uint64_t jobs = 0;
  uint64_t commands = 0;  // native Copy commands
  uint64_t ranges = 0;    // source ranges in them
  DeviceBlockCount native_blocks;
  DeviceBlockCount emulated_blocks;
  uint64_t host_bytes_read = 0;  // by emulation
  uint64_t host_bytes_written = 0;
  uint64_t peak_buffer_bytes = 0;  // most that was in use at one time
  uint64_t failed_commands =
      0;  // native ones; each was tried again, split or emulated, or failed
  // Commands sent for what an earlier one had left; reads and writes of emulation sent again.
  uint64_t retries = 0;
  DeviceBlockCount verified_blocks;   // natively copied, read back and right
  uint64_t mismatches = 0;            // commands that had said success
  DeviceBlockCount recovered_blocks;  // emulated since their native copy failed
  uint64_t times_throttled = 0;       // that work which could begin had to wait
  absl::Duration throttled;           // so long together; also while other work went on
};

class CopyEngine final {
 public:
  using JobDone = absl::AnyInvocable<void(const CopyResult&)>;

  // InvalidArgument: options that make no sense together (a chunk larger than the pool or
  // smaller than a device block, a depth below one). PermissionDenied: the target is
  // read-only.
  static absl::StatusOr<std::unique_ptr<CopyEngine>> Create(
      Device* target, const CopyEngineOptions& options, const Clock& clock);
  // Waits until the devices have let go of the buffers; completions that have not run
  // never run.
  ~CopyEngine();

  // Takes a job; `done` runs once, in Poll or Wait, and may start others. If refused,
  // nothing has been submitted and `done` never runs:
  //   InvalidArgument  checksums for more or fewer blocks than the runs have; no runs; a run of length zero; overlapping targets; a target that
  //   overlaps
  //                    a source on the same device, anywhere in the job
  //   OutOfRange       past the end of a device or, in the target, of a zone's capacity
  //   Unimplemented    kNative, and the device cannot copy, or cannot reach some source:
  //   on another
  //                    device, or on another member than its target
  // `id`, if not null, becomes the job's number, for Cancel.
  using JobId = uint64_t;
  absl::Status Start(CopyJob job, JobDone done, JobId* id = nullptr);

  // Nothing more of the job is begun; what is in flight ends. Its `done` runs as ever, with
  // Cancelled unless it failed before, and says what arrived. A job that has completed, or has no
  // more to begin, is left alone.
  void Cancel(JobId id);

  // Moves all work on as far as it goes without blocking; returns how many jobs
  // completed.
  int Poll();
  // Blocks until something has moved on; while all is held back by the throttle, by sleeping on
  // the engine's clock, for at most 100 ms. FailedPrecondition if idle.
  absl::Status Wait();
  // The time, on the engine's clock, from which Poll can begin what the throttle holds back now.
  // Infinite if it holds back nothing, or only until something ends.
  absl::Duration next_start() const;
  // Whether no job is under way.
  bool idle() const;

  const CopyCounters& counters() const;

 private:
  class Impl;
  explicit CopyEngine(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner
