// The cleaner: picks victims, plans where their survivors go, has them copied, tells the store
// and releases the segments, in steps of bounded work.
//
//   Cleaner cleaner({&table, &sink, relocator.get(), policy.get(), nullptr, placement.get()}, {});
//   Cleaner::Goal goal{.spare_segments = 4};
//   while (cleaner.Step(goal, {.now_blocks = now}).state == Cleaner::State::kMoreWork) {
//   }
//
// It has no thread and no clock, and never waits: Step returns what it waits for, and the caller
// polls the relocator and its own devices and calls again. A round is: pick a batch of victims;
// ask the store what is live in them; reserve all destinations at once, so that a round cannot
// run out of room half way; copy and commit in chunks; release. Whatever fails leaves the victims
// sealed and readable.
//
// Thread-compatible: all calls from one thread at a time.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/random.h"
#include "base/types.h"
#include "extent_map/extent.h"
#include "gc/copy_planner.h"
#include "gc/placement.h"
#include "gc/relocation_sink.h"
#include "gc/relocator.h"
#include "gc/segment_table.h"
#include "gc/victim_policy.h"

namespace gleaner {

struct CleanerOptions {
  SurvivorOrder order = SurvivorOrder::kVictim;
  // Most victims of one round; their survivors share copy commands and commits. A round takes
  // only as many as its goal needs and as its spare can take in. Larger: more room in use at once.
  uint32_t max_batch_victims = 16;
  // A released segment stays unusable until this many further ones were released: the model of a
  // store that commits once in so many. A durable store leaves it at zero; MakeDurable decides.
  uint32_t commit_segments = 0;
  // After this many segments' worth of survivors without reaching the goal, the foreground policy
  // takes over: space is nearly out and the usual one does not get out of it.
  uint32_t foreground_after_segments = 64;
  // Seeds the policies that draw victims at random.
  uint64_t seed = 0;
};

struct CleanerCounters {
  uint64_t segments_cleaned = 0;  // victims released by relocation
  uint64_t relocated_blocks = 0;  // copied, also those overwritten meanwhile
  double victim_live_fraction_sum =
      0;  // over segments_cleaned, of the capacity, when picked
  uint64_t rounds = 0;
  uint64_t aborted_rounds = 0;
};

class Cleaner {
 public:
  // All must outlive the cleaner; `foreground_policy` may be null (greedy).
  struct Parts {
    SegmentTable* table;
    RelocationSink* sink;
    Relocator* relocator;
    const VictimPolicy* policy;
    const VictimPolicy* foreground_policy;
    Placement* placement;
  };

  // When there is enough room; whatever is set must hold.
  struct Goal {
    // Free and released segments together.
    uint32_t spare_segments = 0;
    // At least so many are free, that is, reusable now.
    uint32_t free_segments = 0;
    // At most this share of the blocks written is stale in sealed segments.
    double garbage_share = 1;
  };

  struct Budget {
    uint64_t now_blocks = 0;  // user blocks written so far
    // Copies of at most so many blocks are started; with 0 nothing moves. Larger: longer steps.
    uint64_t max_blocks = std::numeric_limits<uint64_t>::max();
    // Use the foreground policy from the start.
    bool foreground = false;
  };

  enum class State {
    kGoalReached,
    kNothingToCollect,  // no candidate has a stale or unwritten block
    kNoRoom,    // no candidate's survivors fit; more segments must become free first
    kMoreWork,  // the budget is used up
    kWaitsForExtents,  // the store is reading what is live
    kWaitsForCopy,
    kWaitsForCommit,
    kWaitsForDurable,
    kFailed,  // status says why; the victims are as they were
  };

  struct StepResult {
    State state = State::kGoalReached;
    absl::Status status;
  };

  Cleaner(const Parts& parts, const CleanerOptions& options);
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;

  // Works towards the goal until it is reached, the budget is used up or something asynchronous
  // is under way. A round once begun is finished by further steps whatever their goal.
  StepResult Step(const Goal& goal, const Budget& budget);

  // Whether a round is under way.
  bool busy() const { return phase_ != Phase::kIdle; }
  const CleanerCounters& counters() const { return counters_; }

  // What the policy would pick now; invalid if nothing. For people who ask why.
  SegmentId Preview(uint64_t now_blocks) const;

  // Calls `observer(victim, live_blocks)` for every victim that is picked, in order.
  void set_victim_observer(absl::AnyInvocable<void(SegmentId, uint32_t)> observer) {
    victim_observer_ = std::move(observer);
  }

 private:
  enum class Phase { kIdle, kReading, kCopying, kCommitting };
  struct Victim {
    SegmentId id;
    SegmentInfo info;                  // when it was picked
    std::optional<ClassId> log_class;  // of all its survivors, if they share one
  };
  // Survivors of one class.
  struct ClassPlan {
    std::vector<Extent> survivors;
    uint64_t expected_blocks = 0;  // live when the victims were picked
    double modified_sum = 0;       // of the survivors' mean times, weighted by
    uint64_t modified_weight = 0;  // their number
  };
  // An operation under way; the callback may outlive neither the cleaner nor the phase.
  struct Pending {
    bool under_way = false;
    absl::Status status;
  };

  // Each returns a result to hand to the caller, or nothing: go on.
  std::optional<StepResult> Advance(const Goal& goal, const Budget& budget);
  std::optional<StepResult> AdvanceIdle(const Goal& goal, const Budget& budget);
  std::optional<StepResult> StartRound(const Goal& goal, const Budget& budget);
  std::optional<StepResult> AdvanceReading();
  std::optional<StepResult> AdvanceCopying(const Budget& budget);
  std::optional<StepResult> AdvanceCommitting();
  std::optional<StepResult> WaitForDurable();

  bool CleanedEnough(const Goal& goal) const;
  const VictimPolicy& PolicyFor(const Budget& budget) const;
  bool TakeVictim(const Budget& budget);
  uint64_t SegmentsNeeded(const std::optional<ClassId>& log_class,
                          uint64_t extra_blocks) const;
  uint64_t SegmentsForMixed(uint64_t blocks, absl::Span<uint64_t> rooms) const;
  void ReadExtents();
  void SortIntoClasses(const Victim& victim);
  absl::Status ReserveAll();
  void CutChunk(uint64_t max_blocks);
  absl::Status FinishRound();
  StepResult FailRound(absl::Status status);
  void SettleBlocks(uint64_t blocks);
  void StartMakingDurable();
  RelocationSink::Done Track(Pending* pending);
  absl::Span<const Move> chunk() const {
    return absl::MakeConstSpan(moves_).subspan(chunk_begin_, chunk_end_ - chunk_begin_);
  }

  const Parts parts_;
  const CleanerOptions options_;
  const std::unique_ptr<VictimPolicy> default_foreground_;
  mutable Random random_;
  CleanerCounters counters_;
  absl::AnyInvocable<void(SegmentId, uint32_t)> victim_observer_;

  Phase phase_ = Phase::kIdle;
  bool began_in_this_step_ = false;  // the round under way
  uint64_t round_now_blocks_ = 0;
  std::vector<Victim> victims_;
  // Picked, but there was no room for it in the last batch. To pick anew instead would favour
  // small victims, whatever the policy.
  struct Waiting {
    SegmentId id;
    // A placement is asked once for each choice, however often room is looked for: it may learn
    // from being asked, and how often depends on how long a commit takes.
    bool has_class = false;
    std::optional<ClassId> log_class = std::nullopt;
  };
  Waiting waiting_;
  const VictimPolicy* waiting_policy_ = nullptr;  // whose choice it is
  std::vector<Extent> extents_;                   // of victims_[reading_], being read
  size_t reading_ = 0;
  std::vector<ClassPlan> plans_;  // by class
  uint64_t mixed_blocks_ =
      0;                     // expected of victims whose survivors go to several classes
  std::vector<Move> moves_;  // of the round
  std::vector<PhysicalRange> reserved_;  // not yet settled, in the order of moves_
  size_t reserved_next_ = 0;
  size_t chunk_begin_ = 0;  // moves_[chunk_begin_, chunk_end_) are under way
  size_t chunk_end_ = 0;
  uint64_t chunk_blocks_ = 0;        // in the chunk
  uint64_t uncopied_blocks_ = 0;     // of moves_ after the chunk
  uint64_t budget_used_ = 0;         // blocks, in this Step
  uint64_t moved_without_goal_ = 0;  // blocks, since the goal was last reached
  Pending operation_;
  Pending durable_;
  uint64_t durable_up_to_ = 0;
};

absl::string_view CleanerStateName(Cleaner::State state);

}  // namespace gleaner
