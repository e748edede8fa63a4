// Running: reads, transfers in the order of their zones, and what follows from their
// completion.
#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "device/copy_engine_impl.h"

namespace gleaner {
namespace {

// How long Wait sleeps: while something is in flight, and at most.
constexpr absl::Duration kNap = absl::Microseconds(100);
constexpr absl::Duration kLongestWait = absl::Milliseconds(100);

}  // namespace

int CopyEngine::Impl::Poll() {
  PollQueues();
  Pump();
  return RunFinishedJobs();
}

int CopyEngine::Impl::PollQueues() {
  int completions = queue_->Poll();
  for (Source& source : sources_) {
    if (source.queue != nullptr) completions += source.queue->Poll();
  }
  return completions;
}

absl::Status CopyEngine::Impl::Wait() {
  if (idle()) return absl::FailedPreconditionError("no copy is under way");
  if (finished_jobs_ == 0) GLEANER_RETURN_IF_ERROR(WaitForQueues());
  Pump();
  RunFinishedJobs();
  return absl::OkStatus();
}

absl::Status CopyEngine::Impl::WaitForQueues() {
  const absl::Duration next = next_start();
  const absl::Duration start = throttle_.on() ? clock_.Now() : absl::InfiniteDuration();
  // A trial is timed, and nothing more begins before it has drained.
  const bool drains = sitting_.has_value() && sitting_->drains;
  if (units_in_flight_ == 0 ||
      (!drains && next > start && next < absl::InfiniteDuration())) {
    // What is in flight may end before more may begin, and nothing tells a sleeper: look often.
    for (absl::Duration now = start; PollQueues() == 0 && now < next;
         now = clock_.Now()) {
      if (now - start >= kLongestWait) break;
      clock_.SleepUntil(
          std::min(next, now + (units_in_flight_ > 0 ? kNap : kLongestWait)));
    }
    return absl::OkStatus();
  }
  // With one queue, waiting is polling too.
  if (sources_.size() > 1 && PollQueues() > 0) return absl::OkStatus();
  // The target first: when a write is done, a buffer is free for more reads.
  IoQueue* queue = queue_.get();
  for (size_t i = 1; i < sources_.size() && queue->in_flight() == 0; ++i) {
    queue = sources_[i].queue.get();
  }
  return queue->Wait();
}

int CopyEngine::Impl::RunFinishedJobs() {
  if (finished_jobs_ == 0) return 0;
  finished_jobs_ = 0;
  std::vector<std::unique_ptr<Job>> finished;
  const auto is_finished = [](const std::unique_ptr<Job>& job) {
    return job->planned && job->units == 0;
  };
  const auto first =
      std::stable_partition(jobs_.begin(), jobs_.end(), std::not_fn(is_finished));
  finished.assign(std::make_move_iterator(first), std::make_move_iterator(jobs_.end()));
  jobs_.erase(first, jobs_.end());
  if (jobs_.empty()) held_back_since_.reset();
  for (const std::unique_ptr<Job>& job : finished) {
    CheckForLoss(*job);
    if (job->result.status.ok()) ++counters_.jobs;
    job->done(job->result);  // may start others
  }
  return static_cast<int>(finished.size());
}

// A command that had completed may be undone, though those after it succeeded.
void CopyEngine::Impl::CheckForLoss(Job& job) const {
  if (target_.losses() == job.losses) return;
  std::fill(job.result.runs.begin(), job.result.runs.end(), CopiedRun());
  if (!job.result.status.ok()) return;
  job.result.status = absl::UnavailableError(
      absl::StrCat(target_.name(), " may have lost what was copied before a flush"));
}

void CopyEngine::Impl::SendReads() {
  while (!reading_.empty()) {
    Unit* unit = reading_.front();
    if (!unit->job->result.status.ok()) unit->next_read = unit->chunk.reads().size();
    if (unit->next_read < unit->chunk.reads().size()) {
      if (!SendNextRead(unit)) return;
      continue;
    }
    reading_.pop_front();
    if (unit->reads_in_flight == 0) MakeReady(unit);  // the job has failed
  }
}

// False if the source has its depth of reads in flight.
bool CopyEngine::Impl::SendNextRead(Unit* unit) {
  const CopyChunk::Read& read = unit->chunk.reads()[unit->next_read];
  Source* source = SourceOf(read.source);
  if (source->reads_in_flight == options_.queue_depth) return false;
  unit->read_failures.resize(unit->next_read + 1);
  unit->read_failures.back() = 0;
  const absl::Status status = SendRead(unit, source, unit->next_read);
  if (!status.ok()) {
    Fail(*unit->job, status);
    return true;
  }
  ++unit->next_read;
  ++unit->reads_in_flight;
  ++source->reads_in_flight;
  return true;
}

absl::Status CopyEngine::Impl::SendRead(Unit* unit, Source* source, size_t index) {
  const CopyChunk::Read& read = unit->chunk.reads()[index];
  IoQueue& queue = source->queue != nullptr ? *source->queue : *queue_;
  return queue.Read(read.range, BufferOf(*unit) + read.buffer_offset,
                    [this, unit, source, index](const OpResult& result) {
                      EndRead(unit, source, index, result);
                    });
}

void CopyEngine::Impl::EndRead(Unit* unit, Source* source, size_t index,
                               const OpResult& result) {
  absl::Status status = result.status;
  const CopyChunk::Read& read = unit->chunk.reads()[index];
  if (status.ok()) {
    counters_.host_bytes_read +=
        read.range.count.value() * source->device->geometry().block_bytes;
  } else if (MayReadAgain(unit, index, result)) {
    status = SendRead(unit, source, index);
    if (status.ok()) return;
  } else {
    status = WithPlace(status, "reading", *source->device, read.range);
  }
  if (!status.ok()) Fail(*unit->job, status);
  --source->reads_in_flight;
  --unit->reads_in_flight;
  const bool all_sent = unit->next_read == unit->chunk.reads().size();
  if (all_sent && unit->reads_in_flight == 0) MakeReady(unit);
}

// Nothing of the job is started any more; what is in flight ends as it may.
void CopyEngine::Impl::Fail(Job& job, const absl::Status& status) {
  if (job.result.status.ok()) job.result.status = status;
  job.planned = true;
  LeaveLanes(job);
}

void CopyEngine::Impl::Cancel(JobId id) {
  const auto job = std::find_if(jobs_.begin(), jobs_.end(),
                                [id](const auto& j) { return j->id == id; });
  if (job == jobs_.end() || (*job)->planned) return;
  Fail(**job, absl::CancelledError("the copy was cancelled"));
  if ((*job)->units == 0) ++finished_jobs_;
  Pump();  // lets go of units that have not begun, and of jobs that waited for this one
}

void CopyEngine::Impl::MakeReady(Unit* unit) {
  unit->ready = true;
  if (!target_.geometry().zoned() ||
      lanes_[ZoneOf(unit->target.start)].units.front() == unit) {
    Transfer(unit);
  }
}

void CopyEngine::Impl::Transfer(Unit* unit) {
  if (unit->job->result.status.ok()) {
    // Limits may have shrunk since the command was planned.
    if (unit->path == CopyPath::kNative &&
        !KeepsLimits(unit->sources, LimitsFrom(unit->source))) {
      unit->rest.insert(unit->rest.begin(), unit->sources.begin(), unit->sources.end());
      return SendRest(unit);
    }
    absl::Status status;
    if (unit->path == CopyPath::kEmulated && options_.verified_share > 0) {
      const DeviceRange range = unit->chunk.target();
      status = CompareChecksums(*unit, DeviceBlockCount(0), BufferOf(*unit), range);
    }
    if (status.ok()) status = Submit(unit);
    if (status.ok()) return;
    Fail(*unit->job, status);
  }
  EndUnit(unit);
}

absl::Status CopyEngine::Impl::Submit(Unit* unit) {
  const CopyOptions& options = unit->job->job.options;
  const auto done = [this, unit](const OpResult& result) { EndTransfer(unit, result); };
  if (unit->path == CopyPath::kNative) {
    return queue_->CopyFrom(*unit->source, unit->sources, unit->target.start + unit->done,
                            options, done);
  }
  return queue_->Write(unit->chunk.target(), BufferOf(*unit), {.hint = options.hint},
                       done);
}

void CopyEngine::Impl::EndTransfer(Unit* unit, const OpResult& result) {
  if (unit->path == CopyPath::kNative) return EndCommand(unit, result);
  if (result.status.ok()) {
    const DeviceBlockCount copied = unit->chunk.target().count;
    counters_.host_bytes_written += copied.value() * target_.geometry().block_bytes;
    Credit(unit, copied);
    if (unit->buffer == kRecoveryBuffer) counters_.recovered_blocks += copied;
    if (!unit->rest.empty() && unit->job->result.status.ok()) return EmulateChunk(unit);
    return EndUnit(unit);
  }
  EndFailedWrite(unit, result);
}

void CopyEngine::Impl::EndCommand(Unit* unit, const OpResult& result) {
  if (!result.status.ok()) return Recover(unit, result);
  ++counters_.commands;
  counters_.ranges += unit->sources.size();
  const CopyLimitsLearner::Shape shape = ShapeOf(unit->sources);
  if (probing_ == unit && learner_.IsProbe(shape)) failed_probes_ = 0;
  const CopyLimits learned = learner_.Accepted(shape, std::exchange(unit->refused, {}));
  if (learned != CopyLimits()) target_.LearnCopyLimits(learned);
  if (probing_ == unit) probing_ = nullptr;
  unit->attempts = 0;
  if (!WantsVerification(*unit->job)) return GoOn(unit);
  unit->verifying = true;
  unit->verified = DeviceBlockCount(0);
  to_recover_.push_back(unit);
  EmulateNextInLine();
}

// The unit's command is done.
void CopyEngine::Impl::GoOn(Unit* unit) {
  Credit(unit, TotalBlocks(unit->sources));
  if (!unit->rest.empty() && unit->job->result.status.ok()) return SendRest(unit);
  EndUnit(unit);
}

// Books the next `blocks` of the unit on the runs that they belong to.
void CopyEngine::Impl::Credit(Unit* unit, DeviceBlockCount blocks) {
  const bool native = unit->path == CopyPath::kNative;
  (native ? counters_.native_blocks : counters_.emulated_blocks) += blocks;
  if (unit->trial) sitting_->blocks += blocks.value();
  unit->done += blocks;
  while (blocks.value() > 0) {
    const DeviceBlockCount left =
        unit->job->job.runs[unit->run].from.count - unit->offset;
    const DeviceBlockCount in_run = std::min(blocks, left);
    CopiedRun& copied = unit->job->result.runs[unit->run];
    (native ? copied.native : copied.emulated) += in_run;
    blocks -= in_run;
    unit->offset += in_run;
    if (in_run < left) return;
    ++unit->run;
    unit->offset = DeviceBlockCount(0);
  }
}

void CopyEngine::Impl::EndUnit(Unit* unit) {
  if (unit->path == CopyPath::kNative) {
    --commands_in_flight_;
  } else if (unit->buffer == kRecoveryBuffer) {
    recovering_ = nullptr;
  } else {
    free_buffers_.push_back(unit->buffer);
  }
  if (probing_ == unit) probing_ = nullptr;
  Job& job = *unit->job;
  --job.units;
  if (job.planned && job.units == 0) ++finished_jobs_;
  --units_in_flight_;
  ++units_ended_;
  if (throttle_.on())
    throttle_.End(unit->target.count.value() * target_.geometry().block_bytes);
  if (sitting_.has_value() && units_in_flight_ == 0) EndSitting();
  free_units_.push_back(unit);
  LeaveLane(unit);
  EmulateNextInLine();
}

// Whether a batch that belongs to the trial is in hand, and not all of it has begun.
bool CopyEngine::Impl::TrialGoesOn() const {
  return std::any_of(jobs_.begin(), jobs_.end(), [](const auto& job) {
    return job->admitted && job->choice.trial && !job->planned;
  });
}

// Nothing is in flight any more.
void CopyEngine::Impl::EndSitting() {
  sitting_->elapsed += clock_.Now() - sitting_->start;
  sitting_->start = clock_.Now();
  sitting_->drains = false;
  if (TrialGoesOn()) return;
  chooser_.EndSitting(sitting_->size_class, sitting_->path, sitting_->blocks,
                      sitting_->elapsed);
  sitting_.reset();
}

}  // namespace gleaner
