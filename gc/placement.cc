#include "gc/placement.h"

#include "base/nearest_name.h"
#include "base/status_macros.h"
#include "gc/policy_spec.h"

namespace gleaner {
namespace {

using PlacementOr = absl::StatusOr<std::unique_ptr<Placement>>;

// Every write to one class, every relocation to another or the same.
class FixedPlacement : public Placement {
 public:
  FixedPlacement(ClassId user, ClassId relocated) : user_(user), relocated_(relocated) {}
  uint32_t classes() const override { return relocated_.value() + 1u; }
  ClassId ForUserWrite(Lba, uint64_t) override { return user_; }
  std::optional<ClassId> ForVictim(const SegmentInfo&, uint64_t) override {
    return relocated_;
  }

 private:
  const ClassId user_;
  const ClassId relocated_;
};

template <std::unique_ptr<Placement> (*kMake)()>
PlacementOr WithoutArgument(const PolicySpec& spec, const PlacementOptions&) {
  GLEANER_RETURN_IF_ERROR(spec.ExpectArguments(0, 0));
  return kMake();
}

PlacementOr Temperature(const PolicySpec& spec, const PlacementOptions& options) {
  TemperatureThresholds thresholds;
  if (!spec.arguments.empty()) {
    constexpr uint64_t kMost = uint64_t{1} << 40;
    GLEANER_RETURN_IF_ERROR(spec.ExpectArguments(2, 2));
    GLEANER_ASSIGN_OR_RETURN(thresholds.hot_blocks, spec.Integer(0, 1, kMost));
    GLEANER_ASSIGN_OR_RETURN(thresholds.cold_blocks, spec.Integer(1, 1, kMost));
    if (thresholds.hot_blocks >= thresholds.cold_blocks)
      return spec.Error("HOT must be less than COLD");
  }
  return MakeTemperaturePlacement(options, thresholds);
}

PlacementOr AgeMatch(const PolicySpec& spec, const PlacementOptions& options) {
  GLEANER_RETURN_IF_ERROR(spec.ExpectArguments(0, 1));
  uint64_t classes = 2;
  if (!spec.arguments.empty()) {
    GLEANER_ASSIGN_OR_RETURN(classes, spec.Integer(0, 1, 16));
  }
  return MakeAgeMatchPlacement(options, static_cast<uint32_t>(classes));
}

struct Row {
  absl::string_view name;
  PlacementOr (*make)(const PolicySpec& spec, const PlacementOptions& options);
  absl::string_view help;
};

constexpr Row kTable[] = {
    {"none", WithoutArgument<MakeSingleLogPlacement>, "one log for everything"},
    {"gc-log", WithoutArgument<MakeGcLogPlacement>,
     "relocated blocks in a log of their own"},
    {"temperature", Temperature,
     "[:HOT:COLD] F2FS's block-age classes (default 262144 and 2621440 blocks)"},
    {"age-match", AgeMatch,
     "[:LOGS] relocated blocks join the log of nearest age (default 2 beside the "
     "user's)"},
};

}  // namespace

ClassId Placement::ForRelocation(const SegmentInfo& victim, Lba, uint64_t now_blocks) {
  return *ForVictim(victim, now_blocks);
}

std::unique_ptr<Placement> MakeSingleLogPlacement() {
  return std::make_unique<FixedPlacement>(ClassId(0), ClassId(0));
}

std::unique_ptr<Placement> MakeGcLogPlacement() {
  return std::make_unique<FixedPlacement>(ClassId(0), ClassId(1));
}

absl::StatusOr<std::unique_ptr<Placement>> MakePlacement(
    absl::string_view spec, const PlacementOptions& options) {
  const PolicySpec parsed = PolicySpec::Parse("placement", spec);
  for (const Row& row : kTable) {
    if (row.name == parsed.name) return row.make(parsed, options);
  }
  std::vector<absl::string_view> names;
  for (const Row& row : kTable) names.push_back(row.name);
  return UnknownNameError("placement", parsed.name, names);
}

std::vector<PolicyName> PlacementNames() {
  std::vector<PolicyName> names;
  for (const Row& row : kTable) names.push_back({row.name, row.help});
  return names;
}

}  // namespace gleaner
