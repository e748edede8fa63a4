// The engine behind copy_engine.h: what is planned, what is in flight, in which order it
// goes on.
//
// A job is cut into units: one Copy command, or one chunk (the reads that fill a buffer
// and the write that empties it). Planning takes a unit from each job in turn while there
// is a free buffer or room for a command; a unit then lives until its last transfer is
// done. On a zoned target every unit also stands in the lane of its zone, and transfers
// to the zone in that order, one at a time.
//
//   Start -> Job -> PlanUnit -> [reads] -> Transfer -> EndUnit -> job finished -> done
//
// Internal to the copy engine. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/random.h"
#include "device/aligned_buffer.h"
#include "device/copy_batches.h"
#include "device/copy_chunk.h"
#include "device/copy_engine.h"
#include "device/copy_limits_learner.h"
#include "device/copy_recovery.h"
#include "device/copy_throttle.h"
#include "device/device.h"
#include "device/path_chooser.h"

namespace gleaner {

class CopyEngine::Impl {
 public:
  Impl(Device* target, const CopyEngineOptions& options, const Clock& clock,
       std::unique_ptr<IoQueue> queue, int buffers);

  absl::Status Start(CopyJob job, JobDone done, JobId* id);
  void Cancel(JobId id);
  int Poll();
  absl::Status Wait();
  bool idle() const { return jobs_.empty(); }
  absl::Duration next_start() const;
  const CopyCounters& counters() const { return counters_; }

 private:
  struct Job {
    JobId id = 0;
    CopyJob job;
    JobDone done;
    CopyResult result;
    uint64_t losses = 0;  // of the target, before the job
    // The batch in hand, and what becomes of it.
    std::optional<CopyBatches> batches;
    CopyBatch batch;        // shrinks as units take from it
    size_t next_range = 0;  // of the batch
    int size_class = 0;
    PathChooser::Choice choice;
    bool admitted = false;
    // The first block that no unit has taken: its run, and its offset there.
    size_t run = 0;
    DeviceBlockCount offset;
    std::vector<uint64_t> first_checksum;  // of each run, where there are any
    // Blocks that no unit has taken yet, by zone of the target.
    absl::flat_hash_map<uint64_t, DeviceBlockCount> zone_blocks;
    bool planned = false;  // no more units will come
    int units = 0;         // in flight
  };

  struct Unit {
    Job* job = nullptr;
    CopyPath path = CopyPath::kNative;
    bool trial = false;
    DeviceRange target;
    DeviceBlockCount done;  // of the target, from its start
    size_t run = 0;         // the block after these, as in Job
    DeviceBlockCount offset;
    Device* source = nullptr;          // native: what its sources lie on
    std::vector<DeviceRange> sources;  // of the command in flight
    // After a failure: sources of what comes after that command, and what is known of why.
    std::deque<DeviceRange> rest;
    int attempts = 0;         // of the command or write in hand
    uint32_t max_ranges = 0;  // of a command; 0: the device's limit
    CopyLimitsLearner::Shape refused;
    bool verifying = false;  // the command said success; its target is read back
    DeviceBlockCount verified;
    int buffer = 0;  // emulated, from here on
    CopyChunk chunk;
    size_t next_read = 0;
    int reads_in_flight = 0;
    std::vector<uint8_t> read_failures;  // of each read that was sent
    bool ready = false;  // nothing but its lane keeps it from its transfer
  };

  // Who writes to a zone, in order. Only the front ones may.
  struct Lane {
    std::deque<Job*> jobs;
    std::deque<Unit*> units;
  };

  struct Source {
    Device* device;
    std::unique_ptr<IoQueue> queue;  // null: the target's
    int reads_in_flight = 0;
    bool out_of_reach =
        false;  // it turned out that the target's Copy cannot read from it
  };

  // A spell of a trial, of which only the time with copies in flight counts.
  struct Sitting {
    int size_class;
    CopyPath path;
    uint64_t blocks = 0;     // copied so far
    absl::Duration start;    // since something is in flight
    absl::Duration elapsed;  // before that
    // The throttle held back what would have come next: nothing follows before what is in flight
    // has ended, so that its time is that of the path alone.
    bool drains = false;
  };

  // Planning.
  void Pump();
  bool PlanUnit(Job& job);
  void LoadBatch(Job& job);
  PathChooser::Choice ChoiceFor(const Job& job);
  bool MayRunNow(const Job& job, PathChooser::Choice choice);
  void Admit(Job& job, PathChooser::Choice choice);
  void PlanCommand(Job& job);
  void PlanChunk(Job& job);
  bool FillChunk(Job& job, Unit* unit);
  uint64_t UnitBytes(const Job& job) const;
  bool HoldsBack();
  bool LearnsFrom(const Job& job);
  static absl::Span<const DeviceRange> RangesLeft(const Job& job);
  Unit* NewUnit(Job& job);
  void Launch(Unit* unit);

  // Lanes; nothing happens if the target is not zoned.
  void EnterLanes(Job& job);
  bool IsItsTurn(const Job& job) const;
  void TakeFromZone(Unit* unit);
  void LeaveLane(Unit* unit);
  void LeaveLanes(Job& job);

  // Running.
  absl::Status OpenSources(const CopyJob& job);
  Source* SourceOf(const Device* device);  // null: not opened yet
  CopyLimits LimitsFrom(const Device* source);
  void SendReads();
  bool SendNextRead(Unit* unit);
  absl::Status SendRead(Unit* unit, Source* source, size_t index);
  void EndRead(Unit* unit, Source* source, size_t index, const OpResult& result);
  void MakeReady(Unit* unit);
  void Transfer(Unit* unit);
  absl::Status Submit(Unit* unit);
  void EndTransfer(Unit* unit, const OpResult& result);
  void EndCommand(Unit* unit, const OpResult& result);
  void Credit(Unit* unit, DeviceBlockCount blocks);
  void EndUnit(Unit* unit);
  bool TrialGoesOn() const;
  void EndSitting();
  void Fail(Job& job, const absl::Status& status);
  void CheckForLoss(Job& job) const;
  int RunFinishedJobs();
  int PollQueues();
  absl::Status WaitForQueues();

  // Recovery from a failed command, whose unit keeps its lane meanwhile.
  void Recover(Unit* unit, const OpResult& result);
  RecoveryAction AfterFailedProbe(RecoveryAction action, const NvmeStatus& nvme);
  void GoOn(Unit* unit);
  std::string WrongWritePointer(const Unit& unit, DeviceBlockCount* copied);
  bool LearnFromRefusal(CopyLimitsLearner::Shape shape, const OpResult& refusal,
                        Unit* unit);
  void SendRest(Unit* unit);
  void Emulate(Unit* unit);
  void EmulateNextInLine();
  void EmulateChunk(Unit* unit);
  void ChargeAgain(DeviceBlockCount blocks);
  bool MayReadAgain(Unit* unit, size_t index, const OpResult& result);
  void EndFailedWrite(Unit* unit, const OpResult& result);
  static absl::Status WithPlace(const absl::Status& status, absl::string_view doing,
                                const Device& device, DeviceRange range);

  // Verification.
  bool WantsVerification(const Job& job);
  void VerifyNext(Unit* unit);
  void EndVerify(Unit* unit, DeviceBlockCount blocks, const OpResult& result);
  void Mismatch(Unit* unit, const absl::Status& status);
  absl::Status CompareChecksums(const Unit& unit, DeviceBlockCount skip, const char* data,
                                DeviceRange range) const;

  char* BufferOf(const Unit& unit) {
    if (unit.buffer == kRecoveryBuffer) return recovery_buffer_.data();
    return pool_.data() + static_cast<uint64_t>(unit.buffer) * options_.chunk_bytes;
  }
  static CopyLimitsLearner::Shape ShapeOf(absl::Span<const DeviceRange> ranges);
  uint64_t ZoneOf(DeviceBlock block) const {
    return block.value() / target_.geometry().zone_size.value();
  }

  Device& target_;
  const CopyEngineOptions options_;
  const Clock& clock_;
  CopyCounters counters_;

  AlignedBuffer pool_;
  std::vector<int> free_buffers_;
  const int buffers_;
  // One chunk beside the pool, whose buffers may all be with units that wait in a lane for the one
  // that recovers. There is none until it is needed.
  static constexpr int kRecoveryBuffer = -1;
  AlignedBuffer recovery_buffer_;
  Unit* recovering_ = nullptr;    // who has it
  std::deque<Unit*> to_recover_;  // who wants it
  CopyLimitsLearner learner_;
  Unit* probing_ = nullptr;  // the one that asks for more than was accepted before
  int failed_probes_ = 0;    // in a row, with statuses that do not speak of size
  Random sample_{1};
  int commands_in_flight_ = 0;

  std::deque<Unit> units_;  // never moved
  std::vector<Unit*> free_units_;
  int units_in_flight_ = 0;
  uint64_t units_ended_ = 0;
  std::deque<Unit*> reading_;                  // units with reads still to be sent
  absl::flat_hash_map<uint64_t, Lane> lanes_;  // by zone, where the target has zones

  std::vector<std::unique_ptr<Job>> jobs_;
  JobId next_id_ = 1;
  size_t next_job_ = 0;  // whose turn it is to be planned
  int finished_jobs_ = 0;

  CopyThrottle throttle_;
  std::optional<absl::Duration> held_back_since_;  // work that could begin otherwise
  PathChooser chooser_;
  std::optional<Sitting> sitting_;
  bool wants_quiet_ = false;  // a trial waits until nothing is in flight

  // Last, so that they go first: destroying a queue waits until it has let go of the
  // buffers.
  std::deque<Source> sources_;  // never moved
  std::unique_ptr<IoQueue> queue_;
};

}  // namespace gleaner
