#include "gc/victim_policy.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/nearest_name.h"
#include "base/status_macros.h"
#include "gc/policy_spec.h"

namespace gleaner {
namespace {

using PolicyOr = absl::StatusOr<std::unique_ptr<VictimPolicy>>;

PolicyOr CostBenefit(const PolicySpec& spec, const VictimPolicyOptions&) {
  if (spec.arguments.empty()) return MakeCostBenefitPolicy();
  if (spec.arguments.size() == 1 && spec.arguments[0] == "f2fs")
    return MakeCostBenefitModifiedPolicy();
  return spec.Error("its only argument is f2fs");
}

PolicyOr AgeThreshold(const PolicySpec& spec, const VictimPolicyOptions& options) {
  GLEANER_RETURN_IF_ERROR(spec.ExpectArguments(0, 1));
  double volumes = 1;
  if (!spec.arguments.empty()) {
    GLEANER_ASSIGN_OR_RETURN(volumes, spec.Number(0, 0, 1e6));
  }
  return MakeAgeThresholdPolicy(static_cast<uint64_t>(
      std::llround(volumes * static_cast<double>(options.volume_blocks))));
}

PolicyOr DChoices(const PolicySpec& spec, const VictimPolicyOptions&) {
  GLEANER_RETURN_IF_ERROR(spec.ExpectArguments(1, 1));
  GLEANER_ASSIGN_OR_RETURN(const uint64_t choices, spec.Integer(0, 1, 100000));
  return MakeDChoicesPolicy(static_cast<uint32_t>(choices));
}

template <std::unique_ptr<VictimPolicy> (*kMake)()>
PolicyOr WithoutArgument(const PolicySpec& spec, const VictimPolicyOptions&) {
  GLEANER_RETURN_IF_ERROR(spec.ExpectArguments(0, 0));
  return kMake();
}

struct Row {
  absl::string_view name;
  PolicyOr (*make)(const PolicySpec& spec, const VictimPolicyOptions& options);
  absl::string_view help;
};

constexpr Row kTable[] = {
    {"greedy", WithoutArgument<MakeGreedyPolicy>, "fewest live blocks"},
    {"cost-benefit", CostBenefit,
     "(1-u) age / (1+u), age since seal; :f2fs with F2FS's mean modification time"},
    {"age-threshold", AgeThreshold,
     "[:VOLUMES] F2FS's ATGC score over segments older than that many volumes of writes "
     "(default 1)"},
    {"fifo", WithoutArgument<MakeFifoPolicy>, "the segment sealed first"},
    {"random", WithoutArgument<MakeRandomPolicy>, "any segment"},
    {"d-choices", DChoices, ":K fewest live blocks of K segments drawn at random"},
};

}  // namespace

absl::StatusOr<std::unique_ptr<VictimPolicy>> MakeVictimPolicy(
    absl::string_view spec, const VictimPolicyOptions& options) {
  const PolicySpec parsed = PolicySpec::Parse("victim policy", spec);
  for (const Row& row : kTable) {
    if (row.name == parsed.name) return row.make(parsed, options);
  }
  std::vector<absl::string_view> names;
  for (const Row& row : kTable) names.push_back(row.name);
  return UnknownNameError("victim policy", parsed.name, names);
}

std::vector<PolicyName> VictimPolicyNames() {
  std::vector<PolicyName> names;
  for (const Row& row : kTable) names.push_back({row.name, row.help});
  return names;
}

}  // namespace gleaner
