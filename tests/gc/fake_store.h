// A small log-structured store for the cleaner's tests, and the disk below it. Every operation
// of the cleaner's can be held until the test lets it go on, or fails; and everything that must
// never happen is noticed, at the latest in Problem().
//
//   FakeStore store({.segments = 8, .lbas = 24});
//   store.commit.hold = true;
//   ASSERT_TRUE(store.Write(Lba(3)));
//   ... cleaner.Step(...) ...                  // kWaitsForCommit
//   store.commit.Finish();
//   EXPECT_EQ(store.Problem(), "");
//
// For one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/types.h"
#include "extent_map/extent.h"
#include "extent_map/segment_geometry.h"
#include "gc/open_logs.h"
#include "gc/relocation_sink.h"
#include "gc/relocator.h"
#include "gc/segment_table.h"

namespace gleaner::testing {

// The operations of one kind, at most one under way.
class Gate {
 public:
  using Action = absl::AnyInvocable<void(absl::Status)>;

  bool hold = false;   // else they finish at once
  absl::Status fails;  // the next one that is not held, once
  int begun = 0;

  void Begin(Action action);
  bool under_way() const { return under_way_ != nullptr; }
  void Finish(absl::Status status = absl::OkStatus());

 private:
  Action under_way_;
};

class FakeStore : public RelocationSink, public Relocator {
 public:
  using Done = RelocationSink::Done;

  // How Commit applies moves. All but the first are wrong.
  enum class Moving { kCompareAndMove, kBlindly, kForgetsTheFirst };
  struct Options {
    uint32_t segments = 8;
    uint32_t capacity_blocks = 8;
    uint32_t lbas = 24;
    uint32_t classes = 2;
    uint32_t reserved_segments = 1;
    Moving moving = Moving::kCompareAndMove;
  };
  explicit FakeStore(const Options& options);

  // -- The user -------------------------------------------------------------------------------

  // Gives the block a new value, unlike all before. False: no segment beyond the reserve.
  bool Write(Lba lba);
  void Trim(Lba lba);
  // The same without regard for the reserve: takes the cleaner's own room.
  bool WriteFromReserve(Lba lba);

  // What is wrong: a block that reads otherwise than the user left it, counts that do not agree
  // with the map, live data in a segment that may be reused, or a block overwritten that the map
  // or the last durable state points to. Empty if nothing is.
  std::string Problem() const;

  PhysicalBlock where(Lba lba) const { return map_[lba.value()]; }
  SegmentState state(uint32_t segment) const {
    return table.info(SegmentId(segment)).state;
  }
  uint64_t now_blocks() const { return now_blocks_; }
  const std::vector<uint64_t>& disk() const { return disk_; }
  uint64_t largest_copy_blocks() const { return largest_copy_blocks_; }

  SegmentTable table;
  Gate extents, copy, commit, durable;

  // -- RelocationSink and Relocator -----------------------------------------------------------

  // What is live is looked up at once and handed over in the end: as stale as it can be.
  void LiveExtents(SegmentId victim, std::vector<Extent>* out, Done done) override;
  absl::StatusOr<PhysicalRange> Reserve(const Reservation& reservation) override;
  BlockCount RoomInOpenSegment(ClassId log_class) const override;
  void Commit(absl::Span<const Move> moves, Done done) override;
  void Settle(PhysicalRange reserved) override;
  void GiveUp(PhysicalRange reserved) override;
  void MakeDurable(Done done) override;
  // A copy that fails has copied every second block.
  void Copy(absl::Span<const Move> moves, Done done) override;
  int Poll() override { return 0; }
  absl::Status Wait() override { return absl::FailedPreconditionError("never waits"); }
  RelocationCounters counters() const override { return {}; }

 private:
  void Append(Lba lba, PhysicalRange block);
  void Point(Lba lba, PhysicalBlock to);
  void Put(PhysicalBlock block, uint64_t value);
  void Blame(std::string problem);

  const Moving moving_;
  const SegmentGeometry geometry_;
  OpenLogs logs_;
  std::vector<uint64_t> disk_;              // by physical block
  std::vector<PhysicalBlock> map_;          // by lba
  std::vector<uint64_t> expected_;          // by lba; 0: nothing
  std::vector<PhysicalBlock> durable_map_;  // what recovery would find
  std::vector<uint64_t> durable_values_;    // and read there
  uint64_t now_blocks_ = 0;
  uint64_t largest_copy_blocks_ = 0;
  std::string problem_;  // the first
};

}  // namespace gleaner::testing
