// Rounds of cleaning on a device, of victims that are all alike: so much of each is live, in runs
// of one length. For benchmarks of relocation: the cleaner and the copy engine are the product's,
// only the store around them is made up.
//
//   GLEANER_ASSIGN_OR_RETURN(auto volume, BenchVolume::Create(device, /*segment_blocks=*/512));
//   GLEANER_RETURN_IF_ERROR(volume.Fill());
//   GLEANER_ASSIGN_OR_RETURN(auto rounds, CleaningRounds::Create(&volume, relocator, options));
//   GLEANER_RETURN_IF_ERROR(rounds->Run());      // what is measured
//   GLEANER_RETURN_IF_ERROR(rounds->Prepare());  // victims for the next round
//   GLEANER_RETURN_IF_ERROR(volume.Verify());
//
// Nothing is written between rounds: every block of the device holds known data at any time, so a
// segment becomes a victim again by being called one, with some of its blocks live.
//
// Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/types.h"
#include "device/device.h"
#include "extent_map/segment_geometry.h"
#include "extent_map/segment_liveness.h"
#include "gc/block_layout.h"
#include "gc/cleaner.h"
#include "gc/open_logs.h"
#include "gc/relocation_sink.h"
#include "gc/relocator.h"
#include "gc/segment_table.h"

namespace gleaner {

// What each block of 4 KiB of a device holds, on the device and in memory.
class BenchVolume {
 public:
  static constexpr uint32_t kBlockBytes = 4096;

  // The device must outlive this. Segments have `segment_blocks`, on a zoned device those of a
  // zone. InvalidArgument: device blocks of more than 4 KiB. OutOfRange: more than 16 TiB.
  static absl::StatusOr<BenchVolume> Create(Device* device, uint32_t segment_blocks);

  // Overwrites all of the device.
  absl::Status Fill();
  // Reads all of it back. DataLoss: names the first block that holds something else.
  absl::Status Verify() const;

  Device& device() const { return *device_; }
  const BlockLayout& layout() const { return layout_; }
  const SegmentGeometry& geometry() const { return geometry_; }
  uint32_t segments() const { return segments_; }
  uint32_t capacity_blocks() const { return capacity_blocks_; }  // of a segment

  // The blocks were copied.
  void Copied(const Move& move);
  // A zone was reset: it reads as zeroes.
  void Reset(SegmentId zone);

 private:
  BenchVolume(Device* device, const BlockLayout& layout, const SegmentGeometry& geometry,
              uint32_t segments, uint32_t capacity_blocks);
  // The stamp of what a block holds: the block where that was written first.
  absl::Status WriteSegment(IoQueue& queue, SegmentId id, char* buffer) const;
  absl::Status VerifySegment(IoQueue& queue, SegmentId id, char* buffer) const;

  Device* device_;
  BlockLayout layout_;
  SegmentGeometry geometry_;
  uint32_t segments_;
  uint32_t capacity_blocks_;
  std::vector<uint32_t> contents_;  // by block; kZeroes: nothing
};

struct CleaningRoundsOptions {
  uint32_t live_percent = 50;  // of a victim
  uint32_t run_blocks = 16;    // in which it lies; the last of a victim may be shorter
  uint32_t victims = 16;       // of a round

  // Segments that survivors of a round go to: a begun one, and one for rounding up, beside theirs.
  uint32_t targets() const { return victims * live_percent / 100 + 3; }
  // So many victims beside them that to draw them at random is no order.
  uint32_t least_segments() const { return targets() + 2 * victims; }
};

class CleaningRounds final : private RelocationSink {
 public:
  // Neither the volume nor the relocator is owned; there may be others on the same volume before
  // and after, not meanwhile. The volume has least_segments().
  static absl::StatusOr<std::unique_ptr<CleaningRounds>> Create(
      BenchVolume* volume, Relocator* relocator, const CleaningRoundsOptions& options);

  // Cleans as many victims as the options say, to where their segments could be reused: copies,
  // moved mappings, a flush; on zones also the resets of those that are written again. Blocks.
  absl::Status Run();
  // Makes the segments sealed by Run victims like the others, and as many more as it released.
  absl::Status Prepare();
  // Leaves no zone open. Nothing may follow.
  absl::Status End();

  uint64_t relocated_blocks() const { return cleaner_->counters().relocated_blocks; }

 private:
  CleaningRounds(BenchVolume* volume, Relocator* relocator,
                 const CleaningRoundsOptions& options);
  uint32_t LiveBlocks() const;
  void SealAsVictim();
  void MakeVictim(SegmentId id);

  void LiveExtents(SegmentId victim, std::vector<Extent>* extents, Done done) override;
  absl::StatusOr<PhysicalRange> Reserve(const Reservation& reservation) override;
  BlockCount RoomInOpenSegment(ClassId log_class) const override;
  void Settle(PhysicalRange reserved) override;
  void Commit(absl::Span<const Move> moves, Done done) override;
  void MakeDurable(Done done) override;

  BenchVolume& volume_;
  Relocator& relocator_;
  const CleaningRoundsOptions options_;
  const std::unique_ptr<VictimPolicy> policy_;
  const std::unique_ptr<Placement> placement_;
  SegmentTable table_;
  OpenLogs logs_;
  SegmentLiveness liveness_;
  std::vector<SegmentId> filled_;  // by the round at hand
  uint64_t now_blocks_ = 0;
  std::unique_ptr<Cleaner> cleaner_;
  std::unique_ptr<IoQueue> queue_;  // goes first: its callbacks are the cleaner's
};

}  // namespace gleaner
