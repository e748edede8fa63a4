#include "bench/cleaning_rounds.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "gc/placement.h"
#include "gc/victim_policy.h"
#include "sim/stamp.h"

namespace gleaner {
namespace {

constexpr uint32_t kZeroes = 0xffffffff;
constexpr ClassId kLog(0);

// One operation, and nothing else meanwhile.
template <typename Submit>
absl::Status Do(IoQueue& queue, Submit submit) {
  absl::Status status = absl::UnknownError("");
  GLEANER_RETURN_IF_ERROR(
      submit([&status](const OpResult& result) { status = result.status; }));
  while (absl::IsUnknown(status)) GLEANER_RETURN_IF_ERROR(queue.Wait());
  return status;
}

Stamp StampOf(uint32_t content) {
  return {.lba = Lba(content), .generation = content == kZeroes ? 0u : 1u, .seed = 0};
}

absl::Span<char> BlockOf(char* buffer, uint64_t i) {
  return {buffer + i * BenchVolume::kBlockBytes, BenchVolume::kBlockBytes};
}

}  // namespace

// -- BenchVolume ------------------------------------------------------------------------------

BenchVolume::BenchVolume(Device* device, const BlockLayout& layout,
                         const SegmentGeometry& geometry, uint32_t segments,
                         uint32_t capacity_blocks)
    : device_(device),
      layout_(layout),
      geometry_(geometry),
      segments_(segments),
      capacity_blocks_(capacity_blocks),
      contents_(geometry.segment_blocks().value() * segments, kZeroes) {}

absl::StatusOr<BenchVolume> BenchVolume::Create(Device* device, uint32_t segment_blocks) {
  const Geometry& g = device->geometry();
  if (g.block_bytes > kBlockBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        device->name(), " has blocks of ", g.block_bytes, " bytes, more than 4096"));
  }
  const uint32_t per_block = kBlockBytes / g.block_bytes;
  const uint64_t size = g.zoned() ? g.zone_size.value() / per_block : segment_blocks;
  const uint64_t capacity =
      g.zoned() ? g.zone_capacity.value() / per_block : segment_blocks;
  const uint64_t segments = g.capacity.value() / per_block / size;
  if (segments * size >= kZeroes) {
    return absl::OutOfRangeError(
        absl::StrCat(device->name(), " is larger than this benchmark counts, 16 TiB"));
  }
  return BenchVolume(device, BlockLayout({DeviceBlock(0), per_block}),
                     SegmentGeometry(BlockCount(size)), static_cast<uint32_t>(segments),
                     static_cast<uint32_t>(capacity));
}

absl::Status BenchVolume::Fill() {
  GLEANER_ASSIGN_OR_RETURN(const auto queue, device_->OpenQueue(/*depth=*/1));
  AlignedBuffer buffer(uint64_t{capacity_blocks_} * kBlockBytes);
  for (uint32_t s = 0; s < segments_; ++s) {
    const auto first = static_cast<uint32_t>(geometry_.first_block(SegmentId(s)).value());
    for (uint32_t i = 0; i < capacity_blocks_; ++i) contents_[first + i] = first + i;
    GLEANER_RETURN_IF_ERROR(WriteSegment(*queue, SegmentId(s), buffer.data()));
  }
  return absl::OkStatus();
}

absl::Status BenchVolume::WriteSegment(IoQueue& queue, SegmentId id, char* buffer) const {
  const PhysicalRange range{geometry_.first_block(id), BlockCount(capacity_blocks_)};
  for (uint64_t i = 0; i < capacity_blocks_; ++i)
    StampOf(contents_[range.start.value() + i]).Fill(BlockOf(buffer, i));
  const DeviceRange on_device = layout_.ToDevice(range);
  if (device_->geometry().zoned()) {
    GLEANER_RETURN_IF_ERROR(Do(queue, [&](OpDone done) {
      return queue.ZoneReset(on_device.start, std::move(done));
    }));
  }
  return WriteBlocks(queue, on_device, buffer);
}

absl::Status BenchVolume::VerifySegment(IoQueue& queue, SegmentId id,
                                        char* buffer) const {
  const PhysicalRange range{geometry_.first_block(id), BlockCount(capacity_blocks_)};
  GLEANER_RETURN_IF_ERROR(ReadBlocks(queue, layout_.ToDevice(range), buffer));
  for (uint64_t i = 0; i < capacity_blocks_; ++i) {
    const uint64_t block = range.start.value() + i;
    const absl::Status status = StampOf(contents_[block]).Check(BlockOf(buffer, i));
    if (!status.ok()) {
      return absl::DataLossError(
          absl::StrCat(device_->name(), ", block ", block, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status BenchVolume::Verify() const {
  GLEANER_ASSIGN_OR_RETURN(const auto queue, device_->OpenQueue(/*depth=*/1));
  AlignedBuffer buffer(uint64_t{capacity_blocks_} * kBlockBytes);
  for (uint32_t s = 0; s < segments_; ++s)
    GLEANER_RETURN_IF_ERROR(VerifySegment(*queue, SegmentId(s), buffer.data()));
  return absl::OkStatus();
}

void BenchVolume::Copied(const Move& move) {
  const auto from = contents_.begin() + static_cast<ptrdiff_t>(move.from.value());
  std::copy_n(from, move.count.value(),
              contents_.begin() + static_cast<ptrdiff_t>(move.to.value()));
}

void BenchVolume::Reset(SegmentId zone) {
  const auto first =
      contents_.begin() + static_cast<ptrdiff_t>(geometry_.first_block(zone).value());
  std::fill_n(first, capacity_blocks_, kZeroes);
}

// -- CleaningRounds ---------------------------------------------------------------------------

CleaningRounds::CleaningRounds(BenchVolume* volume, Relocator* relocator,
                               const CleaningRoundsOptions& options)
    : volume_(*volume),
      relocator_(*relocator),
      options_(options),
      policy_(MakeRandomPolicy()),
      placement_(MakeSingleLogPlacement()),
      table_(
          {.segments = volume->segments(), .capacity_blocks = volume->capacity_blocks()}),
      logs_(&table_, volume->geometry(), {.classes = 1, .reserved_segments = 0}),
      liveness_(volume->geometry(), volume->segments()) {}

uint32_t CleaningRounds::LiveBlocks() const {
  const uint64_t live = uint64_t{volume_.capacity_blocks()} * options_.live_percent / 100;
  return static_cast<uint32_t>(std::max<uint64_t>(live, 1));
}

absl::StatusOr<std::unique_ptr<CleaningRounds>> CleaningRounds::Create(
    BenchVolume* volume, Relocator* relocator, const CleaningRoundsOptions& options) {
  std::unique_ptr<CleaningRounds> rounds(new CleaningRounds(volume, relocator, options));
  GLEANER_CHECK(volume->segments() >= options.least_segments());
  GLEANER_ASSIGN_OR_RETURN(rounds->queue_, volume->device().OpenQueue(/*depth=*/8));
  rounds->cleaner_ = std::make_unique<Cleaner>(
      Cleaner::Parts{&rounds->table_, rounds.get(), relocator, rounds->policy_.get(),
                     rounds->policy_.get(), rounds->placement_.get()},
      CleanerOptions{.max_batch_victims = options.victims,
                     .foreground_after_segments = UINT32_MAX});
  while (rounds->table_.free_segments() > options.targets()) rounds->SealAsVictim();
  return rounds;
}

// A free segment, as if the user had just written it and overwritten a part.
void CleaningRounds::SealAsVictim() {
  const SegmentId id = *table_.Open(kLog);
  const uint32_t capacity = volume_.capacity_blocks();
  table_.OnWritten(id, capacity, 0);
  const PhysicalRange all{volume_.geometry().first_block(id), BlockCount(capacity)};
  liveness_.MarkLive(all, [](SegmentId, uint32_t) {});
  table_.OnLive(id, capacity);
  table_.Seal(id, now_blocks_);
  MakeVictim(id);
}

// Its runs begin at equal distances; what is between them becomes stale.
void CleaningRounds::MakeVictim(SegmentId id) {
  const uint64_t live = LiveBlocks();
  const uint64_t runs = (live + options_.run_blocks - 1) / options_.run_blocks;
  const uint64_t capacity = volume_.capacity_blocks();
  const PhysicalBlock first = volume_.geometry().first_block(id);
  for (uint64_t i = 0; i < runs; ++i) {
    const uint64_t begin = i * capacity / runs;
    const uint64_t end = (i + 1) * capacity / runs;
    const uint64_t length =
        std::min<uint64_t>(options_.run_blocks, live - i * options_.run_blocks);
    const PhysicalRange stale{first + BlockCount(begin + length),
                              BlockCount(end - begin - length)};
    if (stale.empty()) continue;
    liveness_.MarkStale(
        stale, [this](SegmentId s, uint32_t n) { table_.OnStale(s, n, now_blocks_); });
  }
}

absl::Status CleaningRounds::Run() {
  const uint32_t stale = volume_.capacity_blocks() - LiveBlocks();
  // What cleaning so many victims wins, rounded down: a round takes no more than it needs.
  const uint32_t won = options_.victims * stale / volume_.capacity_blocks();
  const uint32_t spare = table_.free_segments() + table_.released_segments() + won;
  const Cleaner::Goal goal{.spare_segments = spare, .free_segments = spare};
  while (true) {
    const Cleaner::StepResult step = cleaner_->Step(goal, {.now_blocks = now_blocks_});
    switch (step.state) {
      case Cleaner::State::kGoalReached:
        return absl::OkStatus();
      case Cleaner::State::kWaitsForCopy:
        GLEANER_RETURN_IF_ERROR(relocator_.Wait());
        break;
      case Cleaner::State::kWaitsForDurable:
        GLEANER_RETURN_IF_ERROR(queue_->Wait());
        break;
      case Cleaner::State::kFailed:
        return step.status;
      case Cleaner::State::kMoreWork:
        break;
      default:
        return absl::InternalError(
            absl::StrCat("the cleaner says: ", CleanerStateName(step.state)));
    }
  }
}

absl::Status CleaningRounds::Prepare() {
  ++now_blocks_;
  for (const SegmentId id : std::exchange(filled_, {})) MakeVictim(id);
  while (table_.free_segments() + 1 > options_.targets()) SealAsVictim();
  return absl::OkStatus();
}

absl::Status CleaningRounds::End() {
  if (!volume_.device().geometry().zoned()) return absl::OkStatus();
  const SegmentId open = logs_.open_segment(kLog);
  if (!open.valid()) return absl::OkStatus();
  const DeviceBlock zone =
      volume_.layout().ToDevice(volume_.geometry().first_block(open));
  return Do(*queue_,
            [&](OpDone done) { return queue_->ZoneFinish(zone, std::move(done)); });
}

// -- What a store answers ---------------------------------------------------------------------

void CleaningRounds::LiveExtents(SegmentId victim, std::vector<Extent>* extents,
                                 Done done) {
  // The block is its own name: nobody looks anything up by lba here.
  liveness_.ForEachLiveRun(victim, [&](PhysicalRange run) {
    extents->push_back({Lba(run.start.value()), run.start, run.count});
  });
  done(absl::OkStatus());
}

absl::StatusOr<PhysicalRange> CleaningRounds::Reserve(const Reservation& r) {
  GLEANER_ASSIGN_OR_RETURN(const PhysicalRange run,
                           logs_.Reserve(r.log_class, r.at_most, r.modified_at_blocks));
  const SegmentId id = volume_.geometry().segment_of(run.start);
  if (run.start != volume_.geometry().first_block(id) ||
      !volume_.device().geometry().zoned()) {
    return run;
  }
  GLEANER_RETURN_IF_ERROR(Do(*queue_, [&](OpDone done) {
    return queue_->ZoneReset(volume_.layout().ToDevice(run.start), std::move(done));
  }));
  volume_.Reset(id);
  return run;
}

BlockCount CleaningRounds::RoomInOpenSegment(ClassId log_class) const {
  return logs_.room(log_class);
}

void CleaningRounds::Settle(PhysicalRange reserved) {
  logs_.Settle(reserved, now_blocks_);
  const SegmentId id = volume_.geometry().segment_of(reserved.start);
  if (table_.info(id).state == SegmentState::kSealed) filled_.push_back(id);
}

void CleaningRounds::Commit(absl::Span<const Move> moves, Done done) {
  for (const Move& move : moves) {
    volume_.Copied(move);
    liveness_.MarkStale({move.from, move.count}, [this](SegmentId s, uint32_t n) {
      table_.OnStale(s, n, now_blocks_);
    });
    liveness_.MarkLive({move.to, move.count},
                       [this](SegmentId s, uint32_t n) { table_.OnLive(s, n); });
  }
  done(absl::OkStatus());
}

void CleaningRounds::MakeDurable(Done done) {
  auto shared = std::make_shared<Done>(std::move(done));
  const absl::Status accepted =
      queue_->Flush([shared](const OpResult& result) { (*shared)(result.status); });
  if (!accepted.ok()) (*shared)(accepted);
}

}  // namespace gleaner
