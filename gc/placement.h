// Which log (class) a block is appended to: a user's write, or a block that is relocated. Each
// class has one open segment; blocks that die together should share one.
//
//   GLEANER_ASSIGN_OR_RETURN(auto placement, MakePlacement("gc-log", {}));
//   ClassId c = placement->ForUserWrite(lba, now_blocks);
//
// Thread-compatible; a placement may learn from what it is asked.
//
// To add one: a .cc with a Make…Placement(), its declaration below, a row of the table in
// placement.cc, a test.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/types.h"
#include "gc/segment_table.h"
#include "gc/victim_policy.h"

namespace gleaner {

class Placement {
 public:
  virtual ~Placement() = default;

  // Number of classes, at least one: they are 0..classes()-1, from hot to cold. Each takes an open
  // segment.
  virtual uint32_t classes() const = 0;
  // How many of them user writes can go to, the first ones; and relocated blocks, the last ones.
  virtual uint32_t user_classes() const { return 1; }
  virtual uint32_t relocation_classes() const { return 1; }

  // The class of one block that a user writes at time `now_blocks` (user blocks written so far).
  virtual ClassId ForUserWrite(Lba lba, uint64_t now_blocks) = 0;

  // The class of all live blocks of a victim, if one answer serves; else ForRelocation is asked
  // for each extent.
  virtual std::optional<ClassId> ForVictim(const SegmentInfo& victim,
                                           uint64_t now_blocks) = 0;
  virtual ClassId ForRelocation(const SegmentInfo& victim, Lba lba, uint64_t now_blocks);

  // Whether ForVictim reads modified_at_blocks, which the table tracks only on demand.
  virtual bool needs_modified() const { return false; }

  // What it keeps beside the map, in bytes.
  virtual uint64_t memory_bytes() const { return 0; }
};

struct PlacementOptions {
  // Live address space in blocks; per-block knowledge is kept for lba modulo this.
  uint64_t volume_blocks = 0;
  uint32_t segment_blocks = 0;  // capacity of a segment
};

// From "NAME" or "NAME:ARG:ARG", see PlacementNames(). InvalidArgument: unknown name (the
// message suggests the nearest) or a bad argument.
absl::StatusOr<std::unique_ptr<Placement>> MakePlacement(absl::string_view spec,
                                                         const PlacementOptions& options);
std::vector<PolicyName> PlacementNames();

// One log for everything.
std::unique_ptr<Placement> MakeSingleLogPlacement();
// User writes in one log, relocated blocks in their own.
std::unique_ptr<Placement> MakeGcLogPlacement();

struct TemperatureThresholds {
  uint64_t hot_blocks = 262'144;     // younger block age: hot
  uint64_t cold_blocks = 2'621'440;  // from this block age on: cold
};
// F2FS's block-age classes (fs/f2fs/extent_cache.c): a block's age is the number of user blocks
// written between its overwrites, averaged with weight 70 for the latest; user writes are hot,
// warm (also where no age is known) or cold; relocated blocks join the cold log. 8 bytes per
// volume block.
std::unique_ptr<Placement> MakeTemperaturePlacement(
    const PlacementOptions& options, const TemperatureThresholds& thresholds);

// User writes in one log; relocated blocks join the class, the user log included, whose recent
// blocks were last changed nearest to the victim's own mean time of change (F2FS's AT_SSR
// without filling holes). `relocated_classes` logs beside the user's.
std::unique_ptr<Placement> MakeAgeMatchPlacement(const PlacementOptions& options,
                                                 uint32_t relocated_classes);

}  // namespace gleaner
