// The open segment of each class: where the next block of a log goes. Stores use it to append,
// and to implement RelocationSink::Reserve and Settle.
//
//   OpenLogs logs(&table, geometry, {.classes = 2, .reserved_segments = 2});
//   while (!logs.CanAppend(ClassId(0))) { ... clean ... }
//   GLEANER_ASSIGN_OR_RETURN(PhysicalRange run, logs.Append(ClassId(0), BlockCount(8), now));
//
// A user's append leaves `reserved_segments` alone, so that the cleaner always finds a
// destination: without that, a full store could never be cleaned again. For the same reason room
// in a segment that the cleaner opened is the user's only while the reserve is whole. A segment is
// sealed as soon as it is full and everything reserved in it is settled.
//
// Thread-compatible.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "extent_map/segment_geometry.h"
#include "gc/segment_table.h"

namespace gleaner {

class OpenLogs {
 public:
  struct Options {
    uint32_t classes = 1;
    // Segments, free or released, that user appends leave: the cleaner's destination and those
    // that wait for their commit. Larger: fewer blocks for data, more write amplification.
    uint32_t reserved_segments = 1;
  };

  // Neither the table nor what it describes is owned.
  OpenLogs(SegmentTable* table, SegmentGeometry geometry, const Options& options);

  // Whether Append would succeed.
  bool CanAppend(ClassId log_class) const {
    return MayTake(heads_[log_class.value()]) || CanOpenForUser();
  }

  // The next blocks of a log for a user's write: as many as fit into its open segment, at most
  // `at_most`, at least one. The caller tells the table of live blocks (OnLive), then calls
  // SealIfFull. ResourceExhausted: no segment beyond the reserve.
  absl::StatusOr<PhysicalRange> Append(ClassId log_class, BlockCount at_most,
                                       uint64_t now_blocks);
  // One block of a log that HasRoom: the same without the chance of an error. A log without may
  // still be able to append.
  bool HasRoom(ClassId log_class) const {
    const Head& head = heads_[log_class.value()];
    return head.remaining > 0 && !head.of_reserve;
  }
  PhysicalRange TakeBlock(ClassId log_class, uint64_t now_blocks) {
    Head& head = heads_[log_class.value()];
    const PhysicalRange block{head.next, BlockCount(1)};
    ++head.next;
    --head.remaining;
    table_->OnWritten(head.segment, 1, static_cast<double>(now_blocks));
    return block;
  }
  // The same for relocated blocks, last changed at `modified_at_blocks` on average, out of the
  // reserve if need be. To be settled.
  absl::StatusOr<PhysicalRange> Reserve(ClassId log_class, BlockCount at_most,
                                        double modified_at_blocks);

  // After the blocks of an Append are live. The segment is sealed if it is full.
  void SealIfFull(PhysicalRange appended, uint64_t now_blocks) {
    const SegmentId id = geometry_.segment_of(appended.start);
    if (table_->remaining_blocks(id) == 0) SealWhenSettled(id, now_blocks);
  }
  // Blocks of a Reserve are committed or given up. The segment is sealed if that completes it.
  void Settle(PhysicalRange reserved, uint64_t now_blocks);
  // The same for blocks of a Reserve that hold nothing that matters: if the log ends with them,
  // its next blocks go there. Not for blocks of a zone that are written.
  bool EndsWith(PhysicalRange reserved) const {
    const SegmentId id = geometry_.segment_of(reserved.start);
    return heads_[table_->info(id).log_class.value()].next == reserved.end();
  }
  void GiveUp(PhysicalRange reserved, uint64_t now_blocks);

  // Seals the class's open segment, full or not, unless something in it is unsettled:
  // FailedPrecondition. Nothing is open: OK.
  absl::Status SealEarly(ClassId log_class, uint64_t now_blocks);

  BlockCount room(ClassId log_class) const {
    return BlockCount(heads_[log_class.value()].remaining);
  }
  // The class's open segment; invalid if none has room.
  SegmentId open_segment(ClassId log_class) const;
  uint32_t classes() const { return static_cast<uint32_t>(heads_.size()); }
  uint32_t reserved_segments() const { return options_.reserved_segments; }

 private:
  struct Head {
    SegmentId segment;
    PhysicalBlock next;
    uint64_t remaining = 0;
    bool of_reserve = false;  // opened by Reserve, and no user's block in it since
  };
  struct Unsettled {
    SegmentId id;
    uint64_t blocks = 0;
  };

  uint32_t spare_segments() const {
    return table_->free_segments() + table_->released_segments();
  }
  bool CanOpenForUser() const {
    return table_->free_segments() > 0 && spare_segments() > options_.reserved_segments;
  }
  bool MayTake(const Head& head) const {
    return head.remaining > 0 &&
           (!head.of_reserve || spare_segments() >= options_.reserved_segments);
  }
  absl::Status OpenSegment(ClassId log_class);
  PhysicalRange Take(Head* head, BlockCount at_most, double modified_at_blocks);
  void SealWhenSettled(SegmentId id, uint64_t now_blocks);

  SegmentTable* const table_;
  const SegmentGeometry geometry_;
  const Options options_;
  std::vector<Head> heads_;           // by class
  std::vector<Unsettled> unsettled_;  // few: segments with reservations under way
};

}  // namespace gleaner
