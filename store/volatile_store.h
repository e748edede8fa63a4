// The store whose map lives in memory only: what it holds is lost with the process. The
// simulator's store, with a device (every block really written and relocated) or without (the
// model: the same decisions, no data).
//
//   VolatileStoreOptions options{.volume_blocks = 445'644, .segments = 1024};
//   options.policy = MakeCostBenefitPolicy();
//   options.placement = MakeGcLogPlacement();
//   GLEANER_ASSIGN_OR_RETURN(auto store, VolatileStore::Create(std::move(options)));
//
// Thread-compatible: one thread at a time, completions included.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "device/copy_engine.h"
#include "device/device.h"
#include "extent_map/extent_map.h"
#include "extent_map/reverse_map.h"
#include "extent_map/segment_geometry.h"
#include "extent_map/segment_liveness.h"
#include "gc/block_layout.h"
#include "gc/cleaner.h"
#include "gc/open_logs.h"
#include "gc/placement.h"
#include "gc/relocation_sink.h"
#include "gc/relocator.h"
#include "gc/segment_table.h"
#include "gc/victim_policy.h"
#include "store/append_buffers.h"
#include "store/store.h"

namespace gleaner {

struct VolatileStoreOptions {
  // Lbas 0..volume_blocks-1.
  uint64_t volume_blocks = 0;
  uint32_t block_bytes = 4096;
  // Blocks from the start of one segment to the next, and how many of them hold data.
  uint32_t segment_blocks = 512;
  uint32_t segment_capacity_blocks = 512;
  // Physical space. All of them count: open, reserved, released.
  uint32_t segments = 0;
  // Instead of cleaning when `segments` are nearly used up: whenever more than this share of all
  // blocks written is stale in sealed segments. Segments are then added as needed.
  std::optional<double> garbage_trigger;
  uint32_t max_segments = UINT32_MAX;  // for the above: what the device has room for

  std::unique_ptr<VictimPolicy> policy;
  std::unique_ptr<VictimPolicy> foreground_policy;  // null: greedy
  std::unique_ptr<Placement> placement;
  CleanerOptions cleaner{.commit_segments = 1};

  // A model if null. Not owned; nothing else may use it meanwhile. Its zones are reset: those that can be
  // used, and others that are open or closed.
  Device* device = nullptr;
  CopyEngineOptions copy;
  // On a device with a volatile cache the cleaner's moves count only once a flush covers them: what
  // was flushed survives a power cut of the drive wherever it lies now. Costs a flush for each chunk
  // of a round; without, such a cut may lose blocks that were flushed and moved since.
  bool flush_moves = true;
  const Clock* clock = nullptr;  // for the copy engine's measurements; null: the real one
  CopyLimits model_limits;       // the model's, in blocks
  int queue_depth = 32;
};

class VolatileStore final : public Store, private RelocationSink {
 public:
  using Done = Store::Done;

  // ResourceExhausted: the volume does not fit; the message names the least number of segments.
  // InvalidArgument: options that contradict each other or the device.
  static absl::StatusOr<std::unique_ptr<VolatileStore>> Create(
      VolatileStoreOptions options);

  // Segments that must exist for a volume: its data, one open segment per class and the reserve.
  static uint64_t LeastSegments(const VolatileStoreOptions& options);

  absl::Status Write(LbaRange range, const char* data) override;
  void Read(LbaRange range, char* data, Done done) override;
  absl::Status Trim(LbaRange range) override;
  void Flush(Done done) override;
  absl::Status Poll() override;
  absl::Status Drain() override;
  StoreStats stats() const override;
  uint64_t CountExtents() const override;

  // Cleans towards `goal`, at most `max_blocks` of copies a call, without waiting: background
  // cleaning by whoever owns the thread.
  Cleaner::StepResult Clean(const Cleaner::Goal& goal, uint64_t max_blocks);

  // Where a block lies; invalid if unmapped.
  PhysicalBlock Locate(Lba lba) const { return map_.Lookup(lba); }
  // Start loading what Write of this lba will touch: its map entry; some time later what says that
  // its present block is live; and later again that block's place among the candidates. For who
  // knows the writes ahead.
  void Prefetch(Lba lba) const { map_.Prefetch(lba); }
  void PrefetchLiveness(Lba lba) const {
    if (const PhysicalBlock block = map_.Peek(lba); block.valid())
      table_.Prefetch(liveness_.Prefetch(block));
  }
  void PrefetchCandidate(Lba lba) const {
    if (const PhysicalBlock block = map_.Peek(lba); block.valid())
      table_.PrefetchIndex(geometry_.segment_of(block));
  }
  const SegmentTable& table() const { return table_; }
  const BlockLayout& layout() const { return layout_; }
  Cleaner& cleaner() { return *cleaner_; }
  uint64_t now_blocks() const { return now_blocks_; }

 private:
  struct PendingExtents {
    SegmentId victim;
    std::vector<Extent>* extents;
    Done done;
  };
  // Waits for the flush that covers the moves.
  struct PendingCommit {
    absl::Span<const Move> moves;
    Done done;
    bool in_flight = false;
  };
  struct PendingFlush {
    uint64_t losses = 0;  // of the device, before the first write that it is to cover
    Done done;
  };
  // A read of several extents, under way.
  struct ReadOperation {
    uint64_t number = 0;
    int parts = 0;  // not yet complete, and one while parts are still being submitted
    absl::Status status;
    Done done;
  };

  VolatileStore(VolatileStoreOptions options, const BlockLayout& layout);
  absl::Status OpenDevice();
  absl::Status ResetZones();

  // RelocationSink
  void LiveExtents(SegmentId victim, std::vector<Extent>* extents, Done done) override;
  absl::StatusOr<PhysicalRange> Reserve(const Reservation& reservation) override;
  BlockCount RoomInOpenSegment(ClassId log_class) const override;
  void Commit(absl::Span<const Move> moves, Done done) override;
  void Settle(PhysicalRange reserved) override;
  void GiveUp(PhysicalRange reserved) override;
  void MakeDurable(Done done) override;

  absl::Status CheckRange(LbaRange range) const;
  absl::Status WriteByClass(LbaRange range, const char* data);
  absl::Status WriteToClass(ClassId log_class, LbaRange range, const char* data);
  void MapRun(Lba lba, PhysicalRange run);
  void MapBlock(Lba lba, PhysicalBlock block);
  absl::Status MakeRoom(ClassId log_class);
  absl::Status CleanTo(const Cleaner::Goal& goal);
  absl::Status CollectGarbage();
  absl::Status ReuseOrGrow();
  void MarkLive(PhysicalRange range);
  void MarkStale(PhysicalRange range);
  void CollectExtents(SegmentId victim, std::vector<Extent>* extents) const;
  void CommitExtent(const Move& move);
  size_t CommitBlocks(absl::Span<const Move> moves);
  void ApplyMoves(absl::Span<const Move> moves);
  void StartCommit();
  void FinishCommit(absl::Status status);
  absl::Status TakeError();
  absl::Status Told(absl::Status status);
  absl::Status Progress();
  absl::Status ProgressOfAll();
  void RunPending();
  void StartFlushes();
  absl::Status FinishFlush(uint64_t losses_before, const absl::Status& status);
  absl::Status ReadExtent(const Extent& extent, char* data,
                          const std::shared_ptr<ReadOperation>& operation);
  void FinishPart(const std::shared_ptr<ReadOperation>& operation,
                  const absl::Status& status);
  bool IsWritten(SegmentId victim) const;
  bool ReleasedAreIdle() const;
  void ResetReleasedZones(uint64_t released_before, Done done);
  void GiveUpInZone(PhysicalRange reserved);
  absl::StatusOr<DeviceBlock> WritePointer(SegmentId zone) const;
  void StartFills();
  void FinishFill(PhysicalRange run, const absl::Status& status);

  const VolatileStoreOptions options_;
  const BlockLayout layout_;
  const SegmentGeometry geometry_;
  SegmentTable table_;
  OpenLogs logs_;
  ExtentMap map_;
  RamReverseMap reverse_;
  SegmentLiveness liveness_;
  std::unique_ptr<Relocator> relocator_;
  std::unique_ptr<Cleaner> cleaner_;
  std::unique_ptr<IoQueue> queue_;          // null in a model
  std::unique_ptr<AppendBuffers> buffers_;  // null in a model
  uint64_t now_blocks_ = 0;                 // user blocks written
  absl::Status
      error_;  // the first of an asynchronous operation that the user was not told of

  std::optional<PendingExtents> pending_extents_;
  std::optional<PendingCommit> pending_commit_;
  uint64_t round_losses_ =
      0;  // of the device, before the copies that are to be committed
  std::vector<PendingFlush> pending_flushes_;  // wait for the buffers to be written
  uint64_t told_losses_ = 0;  // of the device, when a flush last completed
  std::set<uint64_t> reads_;  // numbers of those under way
  uint64_t next_read_ = 0;
  // Waits until segments released before are idle but for later reads, which find nothing there.
  struct PendingDurable {
    uint64_t next_read;
    uint64_t next_release;
    Done done;
  };
  std::optional<PendingDurable> pending_durable_;
  // On a zoned device: runs that were given up, to be filled up in the order of their zone.
  struct Fill {
    PhysicalRange run;
    bool in_flight = false;
  };
  std::vector<Fill> fills_;
};

}  // namespace gleaner
