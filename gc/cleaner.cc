#include "gc/cleaner.h"

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace gleaner {

absl::string_view CleanerStateName(Cleaner::State state) {
  switch (state) {
    case Cleaner::State::kGoalReached:
      return "goal reached";
    case Cleaner::State::kNothingToCollect:
      return "nothing to collect";
    case Cleaner::State::kNoRoom:
      return "no room for survivors";
    case Cleaner::State::kMoreWork:
      return "more work";
    case Cleaner::State::kWaitsForExtents:
      return "waits for live extents";
    case Cleaner::State::kWaitsForCopy:
      return "waits for a copy";
    case Cleaner::State::kWaitsForCommit:
      return "waits for a commit";
    case Cleaner::State::kWaitsForDurable:
      return "waits for durability";
    case Cleaner::State::kFailed:
      return "failed";
  }
  return "unknown";
}

Cleaner::Cleaner(const Parts& parts, const CleanerOptions& options)
    : parts_(parts),
      options_(options),
      default_foreground_(MakeGreedyPolicy()),
      random_(options.seed),
      plans_(parts.placement->classes()) {
  GLEANER_CHECK(options.max_batch_victims > 0);
}

Cleaner::StepResult Cleaner::Step(const Goal& goal, const Budget& budget) {
  budget_used_ = 0;
  began_in_this_step_ = false;
  for (;;) {
    if (std::optional<StepResult> result = Advance(goal, budget))
      return *std::move(result);
  }
}

std::optional<Cleaner::StepResult> Cleaner::Advance(const Goal& goal,
                                                    const Budget& budget) {
  switch (phase_) {
    case Phase::kIdle:
      return AdvanceIdle(goal, budget);
    case Phase::kReading:
      return AdvanceReading();
    case Phase::kCopying:
      return AdvanceCopying(budget);
    case Phase::kCommitting:
      return AdvanceCommitting();
  }
  return std::nullopt;
}

// -- Between rounds ---------------------------------------------------------------------------

bool Cleaner::CleanedEnough(const Goal& goal) const {
  // Counts the victims taken so far as if they were done.
  const SegmentTable& table = *parts_.table;
  const uint64_t released = table.released_segments() + victims_.size();
  const uint64_t usable_after_commit =
      table.free_segments() +
      (released > options_.commit_segments ? released - options_.commit_segments : 0);
  const uint64_t taken = victims_.empty() ? 0 : SegmentsNeeded(std::nullopt, 0);
  if (table.free_segments() + released < goal.spare_segments + taken) return false;
  if (usable_after_commit < goal.free_segments + taken) return false;
  double written = static_cast<double>(table.written_blocks());
  for (const Victim& v : victims_) written -= v.info.written_blocks - v.info.live_blocks;
  return static_cast<double>(table.sealed_stale_blocks()) <= goal.garbage_share * written;
}

std::optional<Cleaner::StepResult> Cleaner::AdvanceIdle(const Goal& goal,
                                                        const Budget& budget) {
  if (!durable_.under_way && !durable_.status.ok())
    return StepResult{State::kFailed, std::exchange(durable_.status, absl::OkStatus())};
  if (!CleanedEnough(goal)) return StartRound(goal, budget);
  if (parts_.table->free_segments() < goal.free_segments) return WaitForDurable();
  moved_without_goal_ = 0;
  waiting_ = {};  // by the next time there may be a better one
  return StepResult{State::kGoalReached, {}};
}

std::optional<Cleaner::StepResult> Cleaner::WaitForDurable() {
  if (!durable_.under_way) StartMakingDurable();
  if (durable_.under_way) return StepResult{State::kWaitsForDurable, {}};
  return std::nullopt;
}

void Cleaner::StartMakingDurable() {
  const SegmentTable& table = *parts_.table;
  GLEANER_CHECK(table.released_segments() > options_.commit_segments);
  durable_up_to_ = table.release_count() - options_.commit_segments;
  durable_ = {.under_way = true, .status = {}};
  parts_.sink->MakeDurable([this](absl::Status status) {
    durable_ = {.under_way = false, .status = std::move(status)};
    // Only what had been released before the commit began is covered by it; and a failed commit
    // leaves everything released, since recovery might still need the old copies.
    if (durable_.status.ok()) parts_.table->FreeReleased(durable_up_to_);
  });
}

const VictimPolicy& Cleaner::PolicyFor(const Budget& budget) const {
  const bool nearly_out =
      moved_without_goal_ >=
      uint64_t{options_.foreground_after_segments} * parts_.table->capacity_blocks();
  if (!budget.foreground && !nearly_out) return *parts_.policy;
  return parts_.foreground_policy != nullptr ? *parts_.foreground_policy
                                             : *default_foreground_;
}

SegmentId Cleaner::Preview(uint64_t now_blocks) const {
  Random copy = random_;
  return parts_.policy->Pick(*parts_.table, now_blocks, &copy);
}

// -- Start of a round -------------------------------------------------------------------------

uint64_t Cleaner::SegmentsNeeded(const std::optional<ClassId>& log_class,
                                 uint64_t extra_blocks) const {
  const uint64_t capacity = parts_.table->capacity_blocks();
  const uint64_t mixed = mixed_blocks_ + (log_class.has_value() ? 0 : extra_blocks);
  uint64_t needed = 0;
  absl::InlinedVector<uint64_t, 16> rooms;  // left in each class, if that matters
  for (size_t i = 0; i < plans_.size(); ++i) {
    const ClassId id(static_cast<uint8_t>(i));
    uint64_t room = parts_.sink->RoomInOpenSegment(id).value();
    const uint64_t blocks =
        plans_[i].expected_blocks +
        (log_class.has_value() && *log_class == id ? extra_blocks : 0);
    if (blocks > room) {
      const uint64_t more = (blocks - room + capacity - 1) / capacity;
      needed += more;
      room += more * capacity;
    }
    if (mixed > 0) rooms.push_back(room - blocks);
  }
  return needed + SegmentsForMixed(mixed, absl::MakeSpan(rooms));
}

// The most segments that blocks of unknown classes can need: the first one of a class takes a
// block more than the class has room for, the least room first, and each further one a segment's
// worth. To ask for one segment per class instead would find no room where there is some.
uint64_t Cleaner::SegmentsForMixed(uint64_t blocks, absl::Span<uint64_t> rooms) const {
  if (blocks == 0) return 0;
  std::sort(rooms.begin(), rooms.end());
  uint64_t needed = 0;
  for (const uint64_t room : rooms.first(parts_.placement->relocation_classes())) {
    if (blocks <= room) return needed;
    blocks -= room + 1;
    ++needed;
  }
  return needed + blocks / parts_.table->capacity_blocks();
}

std::optional<Cleaner::StepResult> Cleaner::StartRound(const Goal& goal,
                                                       const Budget& budget) {
  if (budget_used_ >= budget.max_blocks) return StepResult{State::kMoreWork, {}};
  if (parts_.table->reclaimable_blocks() == 0)
    return StepResult{State::kNothingToCollect, {}};
  round_now_blocks_ = budget.now_blocks;
  uint64_t expected = 0;
  while (victims_.size() < options_.max_batch_victims &&
         budget_used_ + expected < budget.max_blocks && TakeVictim(budget)) {
    expected += victims_.back().info.live_blocks;
    if (CleanedEnough(goal)) break;
  }
  if (victims_.empty()) {
    const bool commit_helps =
        parts_.table->released_segments() > options_.commit_segments;
    if (commit_helps) return WaitForDurable();
    // After a round that failed half way there may be room for the smallest only.
    const Waiting chosen =
        std::exchange(waiting_, {.id = parts_.table->FewestLiveCandidate()});
    const bool fits = TakeVictim(budget);
    waiting_ = chosen;
    if (!fits) return StepResult{State::kNoRoom, {}};
  }
  ++counters_.rounds;
  began_in_this_step_ = true;
  reading_ = 0;
  phase_ = Phase::kReading;
  ReadExtents();
  return std::nullopt;
}

// Picks one more victim, if there is room for its survivors beside those already planned.
bool Cleaner::TakeVictim(const Budget& budget) {
  SegmentTable& table = *parts_.table;
  const VictimPolicy* policy = &PolicyFor(budget);
  Waiting chosen = std::exchange(waiting_, {});
  const bool still_wanted = std::exchange(waiting_policy_, policy) == policy;
  if (!still_wanted || !chosen.id.valid() || !table.IsCandidate(chosen.id))
    chosen = {.id = policy->Pick(table, budget.now_blocks, &random_)};
  const SegmentId id = chosen.id;
  if (!id.valid()) return false;
  Victim victim{id, table.info(id), chosen.log_class};
  if (!chosen.has_class)
    victim.log_class = parts_.placement->ForVictim(victim.info, budget.now_blocks);
  if (SegmentsNeeded(victim.log_class, victim.info.live_blocks) > table.free_segments()) {
    waiting_ = {id, true, victim.log_class};
    return false;
  }
  table.StartCleaning(id);
  if (victim_observer_) victim_observer_(id, victim.info.live_blocks);
  if (victim.log_class.has_value()) {
    plans_[victim.log_class->value()].expected_blocks += victim.info.live_blocks;
  } else {
    mixed_blocks_ += victim.info.live_blocks;
  }
  victims_.push_back(victim);
  return true;
}

RelocationSink::Done Cleaner::Track(Pending* pending) {
  *pending = {.under_way = true, .status = {}};
  return [pending](absl::Status status) {
    *pending = {.under_way = false, .status = std::move(status)};
  };
}

void Cleaner::ReadExtents() {
  const Victim& victim = victims_[reading_];
  extents_.clear();
  std::vector<Extent>* out = victim.log_class.has_value()
                                 ? &plans_[victim.log_class->value()].survivors
                                 : &extents_;
  parts_.sink->LiveExtents(victim.id, out, Track(&operation_));
}

std::optional<Cleaner::StepResult> Cleaner::AdvanceReading() {
  if (operation_.under_way) return StepResult{State::kWaitsForExtents, {}};
  if (!operation_.status.ok()) return FailRound(operation_.status);
  SortIntoClasses(victims_[reading_]);
  if (++reading_ < victims_.size()) {
    ReadExtents();
    return std::nullopt;
  }
  if (absl::Status status = ReserveAll(); !status.ok()) {
    const bool no_room = absl::IsResourceExhausted(status);
    StepResult failed = FailRound(std::move(status));
    if (!no_room) return failed;
    // Between two steps the user may have taken the room: other victims may still fit.
    if (!began_in_this_step_) return std::nullopt;
    return StepResult{State::kNoRoom, std::move(failed.status)};
  }
  chunk_begin_ = chunk_end_ = 0;
  operation_ = {};
  phase_ = Phase::kCopying;
  return std::nullopt;
}

void Cleaner::SortIntoClasses(const Victim& victim) {
  const auto weigh = [&](ClassPlan* plan, uint64_t blocks) {
    plan->modified_sum += victim.info.modified_at_blocks * static_cast<double>(blocks);
    plan->modified_weight += blocks;
  };
  if (victim.log_class.has_value())
    return weigh(&plans_[victim.log_class->value()], victim.info.live_blocks);
  for (const Extent& extent : extents_) {
    // Classes are asked for block by block: neighbours need not share one.
    for (uint64_t i = 0; i < extent.count.value(); ++i) {
      const Extent block{extent.lba + BlockCount(i), extent.physical + BlockCount(i),
                         BlockCount(1)};
      const ClassId id =
          parts_.placement->ForRelocation(victim.info, block.lba, round_now_blocks_);
      ClassPlan& plan = plans_[id.value()];
      weigh(&plan, 1);
      if (!plan.survivors.empty() && plan.survivors.back().lbas().end() == block.lba &&
          plan.survivors.back().physicals().end() == block.physical) {
        plan.survivors.back().count += BlockCount(1);
      } else {
        plan.survivors.push_back(block);
      }
    }
  }
}

// All destinations at once: a round that has begun to copy cannot run out of room.
absl::Status Cleaner::ReserveAll() {
  for (size_t i = 0; i < plans_.size(); ++i) {
    ClassPlan& plan = plans_[i];
    OrderSurvivors(options_.order, &plan.survivors);
    CopyPlanner planner(plan.survivors);
    uncopied_blocks_ += planner.remaining().value();
    Reservation reservation{.log_class = ClassId(static_cast<uint8_t>(i)), .at_most = {}};
    if (plan.modified_weight > 0) {
      reservation.modified_at_blocks =
          plan.modified_sum / static_cast<double>(plan.modified_weight);
    }
    while (!planner.done()) {
      reservation.at_most = planner.remaining();
      GLEANER_ASSIGN_OR_RETURN(const PhysicalRange run,
                               parts_.sink->Reserve(reservation));
      reserved_.push_back(run);
      planner.LayOver(run, &moves_);
    }
  }
  return absl::OkStatus();
}

// -- Copy and commit --------------------------------------------------------------------------

// Sets chunk_end_ so that the chunk holds at most `max_blocks`, cutting a move if need be.
void Cleaner::CutChunk(uint64_t max_blocks) {
  uint64_t blocks = 0;
  if (uncopied_blocks_ <= max_blocks) {
    // All that is left: the usual case, without a look at each.
    blocks = uncopied_blocks_;
    chunk_end_ = moves_.size();
  }
  while (chunk_end_ < moves_.size() && blocks < max_blocks) {
    Move& move = moves_[chunk_end_];
    if (const uint64_t room = max_blocks - blocks; move.count.value() > room) {
      const BlockCount head(room);
      const Move tail{move.lba + head, move.from + head, move.to + head,
                      move.count - head};
      move.count = head;
      moves_.insert(moves_.begin() + static_cast<ptrdiff_t>(chunk_end_) + 1, tail);
    }
    blocks += moves_[chunk_end_++].count.value();
  }
  budget_used_ += blocks;
  chunk_blocks_ = blocks;
  uncopied_blocks_ -= blocks;
}

std::optional<Cleaner::StepResult> Cleaner::AdvanceCopying(const Budget& budget) {
  if (operation_.under_way) return StepResult{State::kWaitsForCopy, {}};
  if (!operation_.status.ok()) return FailRound(operation_.status);
  if (chunk_begin_ < chunk_end_) {
    phase_ = Phase::kCommitting;
    // Only now: the data of the whole chunk is at its new place.
    parts_.sink->Commit(chunk(), Track(&operation_));
    return std::nullopt;
  }
  if (chunk_end_ == moves_.size()) {
    if (absl::Status status = FinishRound(); !status.ok())
      return StepResult{State::kFailed, std::move(status)};
    return std::nullopt;
  }
  if (budget_used_ >= budget.max_blocks) return StepResult{State::kMoreWork, {}};
  CutChunk(budget.max_blocks - budget_used_);
  parts_.relocator->Copy(chunk(), Track(&operation_));
  return std::nullopt;
}

std::optional<Cleaner::StepResult> Cleaner::AdvanceCommitting() {
  if (operation_.under_way) return StepResult{State::kWaitsForCommit, {}};
  if (!operation_.status.ok()) return FailRound(operation_.status);
  SettleBlocks(chunk_blocks_);
  counters_.relocated_blocks += chunk_blocks_;
  moved_without_goal_ += chunk_blocks_;
  chunk_begin_ = chunk_end_;
  phase_ = Phase::kCopying;
  return std::nullopt;
}

// -- End of a round ---------------------------------------------------------------------------

void Cleaner::SettleBlocks(uint64_t blocks) {
  while (blocks > 0) {
    PhysicalRange& run = reserved_[reserved_next_];
    const BlockCount n(std::min(blocks, run.count.value()));
    parts_.sink->Settle({run.start, n});
    blocks -= n.value();
    run = {run.start + n, run.count - n};
    if (run.empty()) ++reserved_next_;
  }
}

absl::Status Cleaner::FinishRound() {
  absl::Status status;
  for (const Victim& victim : victims_) {
    if (const uint32_t left = parts_.table->live_blocks_of(victim.id); left > 0) {
      // The store committed less than it had called live: keep what it still points to.
      status =
          absl::InternalError(absl::StrCat("segment ", victim.id.value(), " still has ",
                                           left, " live blocks after its relocation"));
      parts_.table->AbortCleaning(victim.id);
      continue;
    }
    parts_.table->Release(victim.id);
    ++counters_.segments_cleaned;
    counters_.victim_live_fraction_sum +=
        static_cast<double>(victim.info.live_blocks) / parts_.table->capacity_blocks();
  }
  victims_.clear();
  for (ClassPlan& plan : plans_) {
    plan.survivors.clear();
    plan.expected_blocks = plan.modified_weight = 0;
    plan.modified_sum = 0;
  }
  mixed_blocks_ = 0;
  uncopied_blocks_ = 0;
  moves_.clear();
  reserved_.clear();
  reserved_next_ = 0;
  phase_ = Phase::kIdle;
  return status;
}

Cleaner::StepResult Cleaner::FailRound(absl::Status status) {
  ++counters_.aborted_rounds;
  for (; reserved_.size() > reserved_next_; reserved_.pop_back())
    if (!reserved_.back().empty()) parts_.sink->GiveUp(reserved_.back());
  for (const Victim& victim : victims_) parts_.table->AbortCleaning(victim.id);
  victims_.clear();
  (void)FinishRound();  // resets; there are no victims left to release
  operation_ = {};
  return {State::kFailed, std::move(status)};
}

}  // namespace gleaner
