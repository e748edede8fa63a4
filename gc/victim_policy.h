// Which segment to clean next. A policy is a pure function of the segment table's counts, the
// time (user blocks written) and a seeded generator; it changes nothing.
//
//   GLEANER_ASSIGN_OR_RETURN(auto policy, MakeVictimPolicy("cost-benefit", {}));
//   SegmentId victim = policy->Pick(table, now_blocks, &random);
//   if (!victim.valid()) ...   // no candidate
//
// Ties go to the segment that was sealed first. Thread-compatible.
//
// To add one: a .cc with a Make…Policy(), its declaration below, a row of the table in
// victim_policy.cc, a test.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/random.h"
#include "base/types.h"
#include "gc/segment_table.h"

namespace gleaner {

class VictimPolicy {
 public:
  virtual ~VictimPolicy() = default;

  // A candidate of the table; invalid if it has none. `now_blocks` is not before the latest seal.
  virtual SegmentId Pick(const SegmentTable& table, uint64_t now_blocks,
                         Random* random) const = 0;

  // Whether Pick reads modified_at_of(), which the table tracks only on demand.
  virtual bool needs_modified() const { return false; }
};

struct VictimPolicyOptions {
  // Live address space in blocks: what "volumes of writes" are measured in.
  uint64_t volume_blocks = 0;
};

// From "NAME" or "NAME:ARGUMENT", see VictimPolicyNames(). InvalidArgument: unknown name (the
// message suggests the nearest) or a bad argument.
absl::StatusOr<std::unique_ptr<VictimPolicy>> MakeVictimPolicy(
    absl::string_view spec, const VictimPolicyOptions& options);

// All names, with what their argument means.
struct PolicyName {
  absl::string_view name;
  absl::string_view help;
};
std::vector<PolicyName> VictimPolicyNames();

// Fewest live blocks (F2FS foreground).
std::unique_ptr<VictimPolicy> MakeGreedyPolicy();

// Most (1 - u) age / (1 + u), u the live share of the capacity and age since the seal
// (Rosenblum and Ousterhout, 1991).
std::unique_ptr<VictimPolicy> MakeCostBenefitPolicy();
// The same with age counted from the mean time of the blocks' last changes, as F2FS has it. That
// mean does not follow the order of seals, so the best of the 8 oldest seals of each bucket is
// taken.
std::unique_ptr<VictimPolicy> MakeCostBenefitModifiedPolicy();

// F2FS's ATGC: of the candidates at least `threshold_blocks` old (all, if none is) the highest
// 60 % age + 40 % stale share, both scaled to 0..1, age over the span of the candidates' ages.
std::unique_ptr<VictimPolicy> MakeAgeThresholdPolicy(uint64_t threshold_blocks);

// The one sealed first.
std::unique_ptr<VictimPolicy> MakeFifoPolicy();
// Any, uniformly.
std::unique_ptr<VictimPolicy> MakeRandomPolicy();
// The fewest live of `choices` drawn uniformly with replacement (Van Houdt, 2013).
std::unique_ptr<VictimPolicy> MakeDChoicesPolicy(uint32_t choices);

}  // namespace gleaner
