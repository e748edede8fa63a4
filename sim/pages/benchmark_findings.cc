#include "sim/pages/benchmark_findings.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "sim/pages/page.h"

namespace gleaner {
namespace {

using Ratio = std::function<std::optional<Spread>(const Comparison&)>;

constexpr double kNearFaster = 1.05;

Ratio Native(Cost cost) {
  return [cost](const Comparison& c) { return NativeToEmulated(c, cost); };
}

// One ratio for each comparison that has it, of one run length or of all.
std::vector<double> Ratios(const ComparisonGroup& group, const Ratio& ratio,
                           const std::string* run = nullptr) {
  std::vector<double> values;
  for (const Comparison& c : group.comparisons) {
    if (run != nullptr && c.run != *run) continue;
    if (const std::optional<Spread> value = ratio(c)) values.push_back(value->median);
  }
  return values;
}

std::string ByRun(const ComparisonGroup& group, const Ratio& ratio) {
  std::vector<std::string> parts;
  for (const std::string& run : group.runs) {
    const std::vector<double> values = Ratios(group, ratio, &run);
    if (values.empty() || run.empty()) continue;
    const std::string where =
        parts.empty() ? absl::StrCat("runs of ", run, run == "1" ? " block" : " blocks")
                      : run;
    parts.push_back(absl::StrCat(Digits(SpreadOf(values).median), " at ", where));
  }
  return parts.size() < 2 ? "" : absl::StrCat(" (", absl::StrJoin(parts, ", "), ")");
}

std::string CostSentence(const ComparisonGroup& group) {
  std::vector<std::string> parts;
  for (const auto& [cost, name] : {std::pair{Cost::kWall, "the wall time"},
                                   std::pair{Cost::kCpu, "the host's CPU time"},
                                   std::pair{Cost::kHostBytes, "the host's bytes"}}) {
    const std::vector<double> values = Ratios(group, Native(cost));
    if (values.empty()) continue;
    parts.push_back(absl::StrCat(Digits(SpreadOf(values).median), " times ", name,
                                 ByRun(group, Native(cost))));
  }
  if (parts.empty()) return "";
  return absl::StrCat("At the median, native relocation took ",
                      absl::StrJoin(parts, "; "), ". ");
}

struct Extreme {
  int clear = 0;  // comparisons that differ beyond the spread
  std::string where;
  double ratio = 1;
};

std::string SlowerSentence(const ComparisonGroup& group) {
  Extreme slower, faster;
  int all = 0;
  for (const Comparison& c : group.comparisons) {
    const std::optional<Spread> wall = NativeToEmulated(c, Cost::kWall);
    if (!wall.has_value()) continue;
    ++all;
    const bool is_slower = wall->low > 1, is_faster = wall->high < 1;
    if (!is_slower && !is_faster) continue;
    Extreme& side = is_slower ? slower : faster;
    ++side.clear;
    const double distance = is_slower ? wall->median : 1 / wall->median;
    const double known = is_slower ? side.ratio : 1 / side.ratio;
    if (side.clear > 1 && distance <= known) continue;
    side.where = StateName(c.live, c.run);
    side.ratio = wall->median;
  }
  if (all == 0) return "";
  std::string text =
      absl::StrCat("Native was slower beyond the spread in ", slower.clear, " of ", all);
  if (slower.clear > 0)
    absl::StrAppend(&text, ", most at ", slower.where, ": ", Digits(slower.ratio),
                    " times as long");
  absl::StrAppend(&text, "; faster in ", faster.clear);
  if (faster.clear > 0)
    absl::StrAppend(&text, ", most at ", faster.where, ": ", Digits(faster.ratio),
                    " times");
  return text + ". ";
}

std::string AutoSentence(const ComparisonGroup& group) {
  const Comparison* worst = nullptr;
  double most = 0;
  int near = 0, all = 0;
  for (const Comparison& c : group.comparisons) {
    const std::optional<Spread> ratio = AutoToFaster(c);
    if (!ratio.has_value()) continue;
    ++all;
    if (ratio->median <= kNearFaster) ++near;
    if (ratio->median <= most) continue;
    most = ratio->median;
    worst = &c;
  }
  if (worst == nullptr) return "";
  return absl::StrFormat(
      "Automatic choice came within 5 %% of the faster path in %d of %d; it took %s "
      "times "
      "as long as that path at the median, and %s times at worst, at %s.",
      near, all, Digits(SpreadOf(Ratios(group, AutoToFaster)).median), Digits(most),
      StateName(worst->live, worst->run));
}

}  // namespace

std::string StateName(absl::string_view live, absl::string_view run) {
  std::vector<std::string> parts;
  if (!live.empty()) parts.push_back(absl::StrCat(live, " % live"));
  if (!run.empty())
    parts.push_back(absl::StrCat("runs of ", run, run == "1" ? " block" : " blocks"));
  return parts.empty() ? "the only state measured" : absl::StrJoin(parts, ", ");
}

std::string FindingsText(const ComparisonGroup& group) {
  int least = 0, most = 0;
  for (const Comparison& c : group.comparisons) {
    for (const auto& [path, measured] : c.paths) {
      if (measured->repetitions == 0) continue;
      least = least == 0 ? measured->repetitions : std::min(least, measured->repetitions);
      most = std::max(most, measured->repetitions);
    }
  }
  std::string text = absl::StrCat(
      group.comparisons.size(), group.comparisons.size() == 1 ? " state" : " states",
      " of live share and run length, each the median of ", least);
  if (most != least) absl::StrAppend(&text, " to ", most);
  absl::StrAppend(
      &text, most == 1 ? " repetition, whose spread is not known. " : " repetitions. ");
  const std::string findings =
      absl::StrCat(CostSentence(group), SlowerSentence(group), AutoSentence(group));
  if (findings.empty())
    return text + "No state was measured on both paths: there is nothing to compare.";
  return text + findings;
}

std::vector<std::pair<std::string, std::string>> FindingsTiles(
    const ComparisonGroup& group) {
  std::vector<std::pair<std::string, std::string>> tiles;
  const auto add = [&](const Ratio& ratio, const char* meaning) {
    const std::vector<double> values = Ratios(group, ratio);
    if (!values.empty())
      tiles.emplace_back(absl::StrCat(Digits(SpreadOf(values).median), " ×"), meaning);
  };
  add(Native(Cost::kWall), "wall time, native / emulated");
  add(Native(Cost::kCpu), "host CPU time, native / emulated");
  add(Native(Cost::kHostBytes), "host bytes, native / emulated");
  add(AutoToFaster, "wall time, automatic / faster path");
  return tiles;
}

}  // namespace gleaner
