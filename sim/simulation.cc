#include "sim/simulation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "device/device_factory.h"
#include "sim/process_memory.h"
#include "sim/simulation_setup.h"
#include "sim/usage_error.h"
#include "sim/verifier.h"

namespace gleaner {
namespace {

// Requests taken from the source at a time.
constexpr size_t kBatch = 1024;
// How many writes ahead of one it is asked for its map entry, then for what that leads to.
constexpr size_t kEntryAhead = 24;
constexpr size_t kLivenessAhead = 14;
constexpr size_t kCandidateAhead = 6;

// The cumulative counts at one moment.
struct Snapshot {
  StoreStats stats;
  uint64_t extents = 0;
};

class Simulation {
 public:
  Simulation(const SimulationConfig& config, const SimulationHooks& hooks)
      : hooks_(hooks), clock_(hooks.clock != nullptr ? *hooks.clock : Clock::Real()) {
    setup_.config = config;
  }

  absl::StatusOr<SimulationResult> Run();

 private:
  absl::Status Fill();
  absl::Status Replay();
  absl::Status Execute(const Request& request);
  absl::Status ExecuteModelBatch(absl::Span<const Request> batch);
  absl::Status Finish();
  Snapshot Take() const;
  SimulationResult Result() const;
  // So many more blocks are done. Cancelled: it is to end here.
  absl::Status Report(uint64_t blocks);

  const SimulationHooks& hooks_;
  const Clock& clock_;
  SimulationSetup setup_;
  std::unique_ptr<VolatileStore> store_;
  std::unique_ptr<Verifier> verifier_;  // on a device
  Snapshot before_;                     // at the end of the warm-up
  Snapshot after_;
  uint64_t after_fill_blocks_ = 0;
  absl::Duration started_;
  absl::Duration filled_;
  absl::Duration replayed_;
  absl::Duration finished_;
};

absl::StatusOr<SimulationResult> Simulation::Run() {
  started_ = clock_.Now();
  GLEANER_RETURN_IF_ERROR(PrepareSimulation(hooks_.message, &setup_));
  GLEANER_ASSIGN_OR_RETURN(store_, VolatileStore::Create(std::move(setup_.store)));
  if (hooks_.on_victim) {
    store_->cleaner().set_victim_observer(
        [this](SegmentId id, uint32_t live) { hooks_.on_victim(id, live); });
  }
  if (setup_.device != nullptr) {
    verifier_ = std::make_unique<Verifier>(
        store_.get(),
        Verifier::Options{.volume_blocks = setup_.volume_blocks,
                          .block_bytes = setup_.config.block_bytes,
                          .seed = setup_.config.seed,
                          .locate = [this](Lba lba) { return store_->Locate(lba); }});
  }
  if (hooks_.progress != nullptr) {
    hooks_.progress->total_blocks += setup_.expected_blocks;
    ++hooks_.progress->runs_begun;
  }
  absl::Status status = Fill();
  if (status.ok()) status = Replay();
  if (status.ok()) status = Finish();
  if (!status.ok()) {
    // Nothing may be in flight when the buffers go; the first error is the one to tell.
    store_->Drain().IgnoreError();
    return status;
  }
  return Result();
}

absl::Status Simulation::Report(uint64_t blocks) {
  if (hooks_.progress != nullptr) hooks_.progress->done_blocks += blocks;
  if (!hooks_.interrupted || !hooks_.interrupted()) return absl::OkStatus();
  std::string what =
      absl::StrCat("interrupted after ", store_->now_blocks(), " user blocks");
  if (setup_.device != nullptr) {
    absl::StrAppend(&what, "; what ", setup_.config.device,
                    " holds now is a part of a run, and good for nothing else");
  }
  return absl::CancelledError(what);
}

absl::Status Simulation::Fill() {
  if (setup_.fills) {
    constexpr uint64_t kAtOnce = 64;
    for (uint64_t lba = 0; lba < setup_.volume_blocks; lba += kAtOnce) {
      const uint64_t n = std::min(kAtOnce, setup_.volume_blocks - lba);
      GLEANER_RETURN_IF_ERROR(Execute({.lba = lba, .blocks = static_cast<uint32_t>(n)}));
      GLEANER_RETURN_IF_ERROR(Report(n));
    }
  }
  after_fill_blocks_ = store_->now_blocks();
  filled_ = clock_.Now();
  if (setup_.warmup_blocks == 0) before_ = Take();
  return absl::OkStatus();
}

absl::Status Simulation::Execute(const Request& request) {
  switch (request.op) {
    case RequestOp::kWrite:
      return verifier_ != nullptr ? verifier_->Write(request.range())
                                  : store_->Write(request.range(), nullptr);
    case RequestOp::kTrim:
      return verifier_ != nullptr ? verifier_->Trim(request.range())
                                  : store_->Trim(request.range());
    case RequestOp::kRead:
      return verifier_ != nullptr ? verifier_->Read(request.range()) : absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status Simulation::ExecuteModelBatch(absl::Span<const Request> batch) {
  const auto lba = [batch](size_t i) {
    return Lba(batch[std::min(i, batch.size() - 1)].lba);
  };
  for (size_t i = 0; i < batch.size(); ++i) {
    store_->Prefetch(lba(i + kEntryAhead));
    store_->PrefetchLiveness(lba(i + kLivenessAhead));
    store_->PrefetchCandidate(lba(i + kCandidateAhead));
    absl::Status status = batch[i].op == RequestOp::kWrite
                              ? store_->Write(batch[i].range(), nullptr)
                              : Execute(batch[i]);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Simulation::Replay() {
  const uint64_t warm_at = after_fill_blocks_ + setup_.warmup_blocks;
  bool warm = setup_.warmup_blocks == 0;
  Request requests[kBatch];
  for (;;) {
    // A synthetic workload writes single blocks: the batch that would pass the end of the warm-up
    // is cut there.
    size_t most = kBatch;
    if (!warm) most = std::min<uint64_t>(most, warm_at - store_->now_blocks());
    GLEANER_ASSIGN_OR_RETURN(const size_t n,
                             setup_.source->Next(absl::MakeSpan(requests, most)));
    if (n == 0) break;
    const absl::Span<const Request> batch(requests, n);
    const uint64_t before = store_->now_blocks();
    if (verifier_ == nullptr) {
      GLEANER_RETURN_IF_ERROR(ExecuteModelBatch(batch));
    } else {
      for (const Request& request : batch) GLEANER_RETURN_IF_ERROR(Execute(request));
    }
    GLEANER_RETURN_IF_ERROR(Report(store_->now_blocks() - before));
    if (!warm && store_->now_blocks() >= warm_at) {
      warm = true;
      before_ = Take();
    }
  }
  if (!warm) {
    return absl::InvalidArgumentError(absl::StrCat(
        setup_.config.trace, ": ends after ", store_->now_blocks() - after_fill_blocks_,
        " written blocks, within the warm-up of ", setup_.warmup_blocks));
  }
  return absl::OkStatus();
}

absl::Status Simulation::Finish() {
  after_ = Take();
  if (verifier_ == nullptr) {
    replayed_ = finished_ = clock_.Now();
    return absl::OkStatus();
  }
  absl::Status flushed = absl::UnknownError("the flush did not complete");
  store_->Flush([&flushed](absl::Status status) { flushed = std::move(status); });
  GLEANER_RETURN_IF_ERROR(store_->Drain());
  GLEANER_RETURN_IF_ERROR(flushed);
  replayed_ = clock_.Now();
  if (hooks_.before_verification)
    hooks_.before_verification(*store_, setup_.device.get());
  GLEANER_RETURN_IF_ERROR(verifier_->CheckAll());
  if (verifier_->verified_blocks() < setup_.volume_blocks) {
    return absl::InternalError(absl::StrCat("only ", verifier_->verified_blocks(), " of ",
                                            setup_.volume_blocks,
                                            " blocks were verified"));
  }
  finished_ = clock_.Now();
  return absl::OkStatus();
}

Snapshot Simulation::Take() const {
  return {.stats = store_->stats(), .extents = store_->CountExtents()};
}

double ExtentsPerGib(const Snapshot& snapshot, uint32_t block_bytes) {
  const double gib = static_cast<double>(snapshot.stats.mapped_blocks) * block_bytes /
                     (uint64_t{1} << 30);
  return gib == 0 ? 0 : static_cast<double>(snapshot.extents) / gib;
}

SimulationResult Simulation::Result() const {
  const StoreStats& a = before_.stats;
  const StoreStats& b = after_.stats;
  const uint64_t block_bytes = setup_.config.block_bytes;
  SimulationResult r;
  r.user_blocks = b.user_blocks - a.user_blocks;
  r.relocated_blocks = b.cleaner.relocated_blocks - a.cleaner.relocated_blocks;
  if (r.user_blocks > 0) {
    r.write_amplification =
        1 + static_cast<double>(r.relocated_blocks) / static_cast<double>(r.user_blocks);
  }
  r.segments_cleaned = b.cleaner.segments_cleaned - a.cleaner.segments_cleaned;
  if (r.segments_cleaned > 0) {
    r.victim_live_fraction_mean =
        (b.cleaner.victim_live_fraction_sum - a.cleaner.victim_live_fraction_sum) /
        static_cast<double>(r.segments_cleaned);
  }
  r.relocation = b.relocation - a.relocation;
  r.extents_per_gib_before = ExtentsPerGib(before_, setup_.config.block_bytes);
  r.extents_per_gib_after = ExtentsPerGib(after_, setup_.config.block_bytes);
  r.metadata_blocks = b.metadata_blocks;
  if (b.user_blocks > 0) {
    r.device_write_amplification =
        static_cast<double>(b.user_blocks + b.cleaner.relocated_blocks +
                            b.metadata_blocks) /
        static_cast<double>(b.user_blocks);
  }
  r.host_bytes_read = b.relocation.host_bytes_read;
  if (verifier_ != nullptr) r.host_bytes_read += verifier_->read_blocks() * block_bytes;
  r.host_bytes_written =
      b.relocation.host_bytes_written + (b.user_blocks + b.metadata_blocks) * block_bytes;
  r.verified_blocks = verifier_ != nullptr ? verifier_->verified_blocks() : 0;
  r.wall_seconds = absl::ToDoubleSeconds(finished_ - started_);
  const double replay_seconds = absl::ToDoubleSeconds(replayed_ - filled_);
  if (replay_seconds > 0) {
    r.blocks_per_second =
        static_cast<double>(b.user_blocks - after_fill_blocks_) / replay_seconds;
  }
  r.peak_rss_bytes = PeakResidentBytes();
  r.reserved_segments = b.reserved_segments;
  r.open_segments = b.open_segments;
  r.config = setup_.config;
  r.volume_blocks = setup_.volume_blocks;
  r.segment_blocks = store_->table().capacity_blocks();
  r.segments = b.segments;
  r.memory_bytes = b.memory_bytes;
  return r;
}

}  // namespace

absl::StatusOr<SimulationResult> RunSimulation(const SimulationConfig& config,
                                               const SimulationHooks& hooks) {
  Simulation simulation(config, hooks);
  return simulation.Run();
}

}  // namespace gleaner
