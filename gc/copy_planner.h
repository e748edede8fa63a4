// Where each survivor goes: orders the live extents of the victims and lays them over reserved
// runs. Pure: values in, values out.
//
//   OrderSurvivors(SurvivorOrder::kLba, &extents);
//   CopyPlanner planner(extents);
//   while (!planner.done()) {
//     GLEANER_ASSIGN_OR_RETURN(auto run, sink->Reserve(log_class, planner.remaining()));
//     planner.LayOver(run, &moves);
//   }
//
// Thread-compatible.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "base/types.h"
#include "extent_map/extent.h"
#include "gc/relocation_sink.h"

namespace gleaner {

enum class SurvivorOrder {
  kVictim,  // as they lie on the device: adjacent blocks share a source range
  kLba,     // sorted by lba: relocation defragments, at the price of more source ranges
};

// Puts the survivors of one round in the order in which they will lie at their new place.
void OrderSurvivors(SurvivorOrder order, std::vector<Extent>* survivors);

class CopyPlanner {
 public:
  // `survivors`, none of them empty, must outlive the planner.
  explicit CopyPlanner(absl::Span<const Extent> survivors);

  bool done() const { return next_ == survivors_.size(); }
  // Blocks that have no place yet.
  BlockCount remaining() const { return remaining_; }

  // Gives the next remaining().min(run.count) blocks the places of `run` in turn and appends the
  // moves. An extent is cut where the run ends.
  void LayOver(PhysicalRange run, std::vector<Move>* moves);

 private:
  const absl::Span<const Extent> survivors_;
  BlockCount remaining_;
  size_t next_ = 0;    // the first extent that is not wholly placed
  BlockCount placed_;  // how much of it is
};

}  // namespace gleaner
