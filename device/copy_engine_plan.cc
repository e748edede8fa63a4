// Planning: which unit comes next, and by which path.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "device/copy_engine_impl.h"
#include "device/copy_job_check.h"

namespace gleaner {
namespace {

// A trial's length, in buffer pools: long enough for filling and draining the pipeline to
// matter little.
constexpr uint64_t kPoolsPerTrial = 4;

}  // namespace

CopyEngine::Impl::Impl(Device* target, const CopyEngineOptions& options,
                       const Clock& clock, std::unique_ptr<IoQueue> queue, int buffers)
    : target_(*target),
      options_(options),
      clock_(clock),
      pool_(options.chunk_bytes * static_cast<uint64_t>(buffers)),
      buffers_(buffers),
      throttle_({.max_bytes_per_second = options.max_bytes_per_second,
                 .foreground = options.foreground,
                 .chunk_bytes = options.chunk_bytes}),
      chooser_(kPoolsPerTrial * options.buffer_bytes / target->geometry().block_bytes),
      queue_(std::move(queue)) {
  for (int i = buffers - 1; i >= 0; --i) free_buffers_.push_back(i);
  sources_.push_back({.device = target, .queue = nullptr});
}

absl::Status CopyEngine::Impl::Start(CopyJob copy_job, JobDone done, JobId* id) {
  GLEANER_RETURN_IF_ERROR(CheckCopyJob(copy_job, target_, options_.mode));
  GLEANER_RETURN_IF_ERROR(OpenSources(copy_job));
  auto job = std::make_unique<Job>();
  job->id = next_id_++;
  if (id != nullptr) *id = job->id;
  job->job = std::move(copy_job);
  job->done = std::move(done);
  job->result.runs.resize(job->job.runs.size());
  job->losses = target_.losses();
  if (!job->job.checksums.empty()) {
    uint64_t first = 0;
    for (const CopyRun& run : job->job.runs) {
      job->first_checksum.push_back(first);
      first += run.from.count.value();
    }
  }
  job->batches.emplace(&job->job, &target_, options_.mode);
  LoadBatch(*job);
  EnterLanes(*job);
  jobs_.push_back(std::move(job));
  Pump();
  return absl::OkStatus();
}

absl::Status CopyEngine::Impl::OpenSources(const CopyJob& job) {
  for (const CopyRun& run : job.runs) {
    if (SourceOf(run.source) != nullptr) continue;
    if (run.source->geometry().block_bytes > options_.chunk_bytes / 2) {
      return absl::InvalidArgumentError(
          absl::StrCat("a copy chunk of ", options_.chunk_bytes,
                       " bytes is too small for the blocks of ", run.source->name()));
    }
    GLEANER_ASSIGN_OR_RETURN(auto queue, run.source->OpenQueue(options_.queue_depth));
    sources_.push_back({.device = run.source, .queue = std::move(queue)});
  }
  return absl::OkStatus();
}

CopyEngine::Impl::Source* CopyEngine::Impl::SourceOf(const Device* device) {
  for (Source& source : sources_) {
    if (source.device == device) return &source;
  }
  return nullptr;
}

// As they are now known.
CopyLimits CopyEngine::Impl::LimitsFrom(const Device* source) {
  CopyLimits limits = target_.copy_limits_from(*source);
  if (SourceOf(source)->out_of_reach) limits.copy_offload = false;
  return limits;
}

void CopyEngine::Impl::Pump() {
  if (throttle_.on()) throttle_.Observe(clock_.Now());
  if (sitting_.has_value() && units_in_flight_ == 0 && !TrialGoesOn()) {
    sitting_->start = clock_.Now();  // it paused, and what it waited for was cancelled
    EndSitting();
  }
  uint64_t ended;
  do {
    ended = units_ended_;
    wants_quiet_ = false;
    size_t idle_turns = 0;  // jobs in a row that planned nothing
    while (idle_turns < jobs_.size() && !wants_quiet_) {
      if (free_buffers_.empty() && commands_in_flight_ == options_.copy_depth) break;
      next_job_ = (next_job_ + 1) % jobs_.size();
      idle_turns = PlanUnit(*jobs_[next_job_]) ? 0 : idle_turns + 1;
    }
    SendReads();
  } while (ended !=
           units_ended_);  // some failed at once, and others may have waited for them
}

bool CopyEngine::Impl::PlanUnit(Job& job) {
  if (job.planned || !IsItsTurn(job)) return false;
  // The first command may have shown that the device copies nothing.
  if (job.admitted && job.choice.path == CopyPath::kNative &&
      options_.mode == CopyMode::kAuto) {
    const CopyLimits limits = LimitsFrom(job.batch.source);
    if (limits.unknown && !limits.can_copy()) job.choice = {CopyPath::kEmulated, false};
  }
  const PathChooser::Choice choice = job.admitted ? job.choice : ChoiceFor(job);
  if (!MayRunNow(job, choice)) return false;
  const bool native = choice.path == CopyPath::kNative;
  if (native ? commands_in_flight_ == options_.copy_depth : free_buffers_.empty())
    return false;
  // Before any was accepted, one command is enough to fail.
  if (native && probing_ != nullptr && !learner_.any_accepted()) return false;
  if (throttle_.on() && HoldsBack()) return false;
  if (!job.admitted) Admit(job, choice);
  if (native) {
    PlanCommand(job);
  } else {
    PlanChunk(job);
  }
  return true;
}

bool CopyEngine::Impl::HoldsBack() {
  const absl::Duration now = clock_.Now();
  if (throttle_.MayStart(now)) {
    if (held_back_since_.has_value()) counters_.throttled += now - *held_back_since_;
    held_back_since_.reset();
    return false;
  }
  if (!held_back_since_.has_value()) {
    held_back_since_ = now;
    ++counters_.times_throttled;
  }
  if (sitting_.has_value() && units_in_flight_ > 0) sitting_->drains = true;
  return true;
}

absl::Duration CopyEngine::Impl::next_start() const {
  return held_back_since_.has_value() && throttle_.next_start() > *held_back_since_
             ? throttle_.next_start()
             : absl::InfiniteDuration();
}

// The most bytes of the next unit.
uint64_t CopyEngine::Impl::UnitBytes(const Job& job) const {
  const uint64_t most = throttle_.MaxUnitBytes();
  const uint64_t block = target_.geometry().block_bytes;
  if (job.choice.path == CopyPath::kNative) return std::max(most, block);
  // Whole pages and blocks, and two blocks of the source, as CopyChunk wants them.
  const uint64_t unit = std::max<uint64_t>(AlignedBuffer::kAlignment, block);
  const uint64_t least =
      std::max<uint64_t>(unit, uint64_t{2} * job.batch.source->geometry().block_bytes);
  return std::min(std::max(most / unit * unit, least), options_.chunk_bytes);
}

void CopyEngine::Impl::LoadBatch(Job& job) {
  job.next_range = 0;
  job.admitted = false;
  if (!job.batches->Next(&job.batch)) {
    job.planned = true;
  } else if (job.batch.is_command) {
    job.size_class =
        PathChooser::SizeClass(job.batch.blocks.value(), job.batch.ranges.size());
  }
}

PathChooser::Choice CopyEngine::Impl::ChoiceFor(const Job& job) {
  if (!job.batch.is_command) return {CopyPath::kEmulated, false};
  if (options_.mode == CopyMode::kNative) return {CopyPath::kNative, false};
  if (!LimitsFrom(job.batch.source).can_copy()) return {CopyPath::kEmulated, false};
  if (LearnsFrom(job)) return {CopyPath::kNative, false};
  const PathChooser::Choice choice = chooser_.Choose(job.size_class);
  // What is measured while the foreground is spared says little of what a path can do.
  if (choice.trial && throttle_.backed_off())
    return {chooser_.BestPath(job.size_class), false};
  return choice;
}

absl::Span<const DeviceRange> CopyEngine::Impl::RangesLeft(const Job& job) {
  return absl::MakeConstSpan(job.batch.ranges).subspan(job.next_range);
}

// Whether the job's batch is to show what the device takes.
bool CopyEngine::Impl::LearnsFrom(const Job& job) {
  const CopyLimits limits = LimitsFrom(job.batch.source);
  return limits.unknown && learner_.WantsProbe(RangesLeft(job), limits);
}

// A trial runs alone, and nothing else runs during it.
bool CopyEngine::Impl::MayRunNow(const Job& job, PathChooser::Choice choice) {
  if (sitting_.has_value()) {
    return !sitting_->drains && choice.trial && choice.path == sitting_->path &&
           job.size_class == sitting_->size_class;
  }
  if (!choice.trial || units_in_flight_ == 0) return true;
  wants_quiet_ = true;
  return false;
}

void CopyEngine::Impl::Admit(Job& job, PathChooser::Choice choice) {
  job.choice = choice;
  job.admitted = true;
  // Small commands that are to show limits say little of what the path can do.
  if (options_.mode == CopyMode::kAuto && job.batch.is_command &&
      !throttle_.backed_off() && !LearnsFrom(job)) {
    chooser_.Admit(job.size_class, choice, job.batch.blocks.value());
  }
}

CopyEngine::Impl::Unit* CopyEngine::Impl::NewUnit(Job& job) {
  if (free_units_.empty()) free_units_.push_back(&units_.emplace_back());
  Unit* unit = free_units_.back();
  free_units_.pop_back();
  unit->job = &job;
  unit->path = job.choice.path;
  unit->trial = job.choice.trial;
  unit->run = job.run;
  unit->offset = job.offset;
  unit->done = DeviceBlockCount(0);
  unit->rest.clear();
  unit->attempts = 0;
  unit->max_ranges = 0;
  unit->refused = {};
  unit->verifying = false;
  unit->ready = false;
  ++job.units;
  ++units_in_flight_;
  if (unit->trial && !sitting_.has_value()) {
    sitting_ =
        Sitting{job.size_class, unit->path, 0, clock_.Now(), absl::ZeroDuration(), false};
  } else if (unit->trial && units_in_flight_ == 1) {
    sitting_->start = clock_.Now();
  }
  return unit;
}

void CopyEngine::Impl::PlanCommand(Job& job) {
  Unit* unit = NewUnit(job);
  ++commands_in_flight_;
  CopyBatch& batch = job.batch;
  unit->source = batch.source;
  uint64_t room =
      std::min(batch.blocks.value(), UnitBytes(job) / target_.geometry().block_bytes);
  // A batch keeps all limits; but where they are not known, it is cut as far as they may go.
  uint64_t most_in_range = room;
  size_t most_ranges = batch.ranges.size();
  CopyLimits limits = LimitsFrom(batch.source);
  if (limits.unknown && limits.can_copy()) {
    limits = learner_.ForNext(RangesLeft(job), limits, probing_ == nullptr);
    room = std::min(room, limits.max_copy_blocks);
    most_in_range = limits.max_range_blocks;
    most_ranges = limits.max_copy_ranges;
  }
  unit->sources.clear();
  while (room > 0 && unit->sources.size() < most_ranges) {
    DeviceRange& range = batch.ranges[job.next_range];
    const DeviceBlockCount part(std::min({room, range.count.value(), most_in_range}));
    unit->sources.push_back({range.start, part});
    range = {range.start + part, range.count - part};
    if (range.empty()) ++job.next_range;
    room -= part.value();
  }
  if (limits.unknown && probing_ == nullptr && learner_.IsProbe(ShapeOf(unit->sources)))
    probing_ = unit;
  const DeviceBlockCount n = TotalBlocks(unit->sources);
  unit->target = {batch.target, n};
  batch.target += n;
  batch.blocks -= n;
  Launch(unit);
  if (batch.blocks.value() == 0) LoadBatch(job);
  MakeReady(unit);
}

void CopyEngine::Impl::PlanChunk(Job& job) {
  Unit* unit = NewUnit(job);
  unit->buffer = free_buffers_.back();
  free_buffers_.pop_back();
  const uint64_t in_use = static_cast<uint64_t>(buffers_) - free_buffers_.size();
  counters_.peak_buffer_bytes =
      std::max(counters_.peak_buffer_bytes, in_use * options_.chunk_bytes);
  unit->next_read = 0;
  unit->reads_in_flight = 0;
  unit->chunk.Begin(target_.geometry(), UnitBytes(job));
  while (FillChunk(job, unit)) {
  }
  unit->target = unit->chunk.target();
  GLEANER_CHECK(!unit->target.empty());
  Launch(unit);
  reading_.push_back(unit);
}

// Adds a range of the job's batch to the chunk, or a part of it; false if the chunk is
// complete.
bool CopyEngine::Impl::FillChunk(Job& job, Unit* unit) {
  CopyBatch& batch = job.batch;
  DeviceRange& range = batch.ranges[job.next_range];
  const DeviceBlockCount n = unit->chunk.Take(batch.source, range, batch.target);
  if (n.value() == 0) return false;
  const uint64_t bytes = n.value() * target_.geometry().block_bytes;
  range.start += DeviceBlockCount(bytes / batch.source->geometry().block_bytes);
  range.count -= n;
  if (range.empty()) ++job.next_range;
  batch.target += n;
  batch.blocks -= n;
  if (batch.blocks.value() > 0) return true;
  LoadBatch(job);
  if (job.planned || !IsItsTurn(job)) return false;
  const PathChooser::Choice choice = ChoiceFor(job);
  if (choice != job.choice || !MayRunNow(job, choice)) return false;
  Admit(job, choice);
  return true;
}

// The unit is complete: the job goes on behind it, and on a zoned target so does its
// zone.
void CopyEngine::Impl::Launch(Unit* unit) {
  Job& job = *unit->job;
  if (throttle_.on())
    throttle_.Start(clock_.Now(),
                    unit->target.count.value() * target_.geometry().block_bytes);
  job.offset += unit->target.count;
  while (job.run < job.job.runs.size() &&
         job.offset >= job.job.runs[job.run].from.count) {
    job.offset -= job.job.runs[job.run].from.count;
    ++job.run;
  }
  TakeFromZone(unit);
}

}  // namespace gleaner
