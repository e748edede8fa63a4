#include "sim/pages/benchmark_comparison.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

namespace gleaner {
namespace {

constexpr char kRelocatedBytes[] = "relocated_bytes";

// Dimensions in which the cases of a family differ.
std::set<std::string> Varying(absl::Span<const BenchmarkCase> cases,
                              const std::string& family) {
  std::map<std::string, std::set<std::string>> values;
  for (const BenchmarkCase& c : cases) {
    if (c.family != family) continue;
    for (const auto& [key, value] : c.dimensions) values[key].insert(value);
  }
  std::set<std::string> varying;
  for (const auto& [key, seen] : values)
    if (seen.size() > 1) varying.insert(key);
  return varying;
}

std::string Others(const BenchmarkCase& c, const std::set<std::string>& varying) {
  std::string text;
  for (const auto& [key, value] : c.dimensions) {
    if (key == "live" || key == "run" || key == "copy" || varying.count(key) == 0)
      continue;
    absl::StrAppend(&text, text.empty() ? "" : ", ", key, " ", value);
  }
  return text;
}

template <typename Item, typename Matches>
Item& FindOrAdd(std::vector<Item>* items, Matches matches) {
  const auto found = absl::c_find_if(*items, matches);
  return found != items->end() ? *found : items->emplace_back();
}

void AddOnce(const std::string& value, std::vector<std::string>* values) {
  if (!absl::c_linear_search(*values, value)) values->push_back(value);
}

const Spread* Figure(const BenchmarkCase& c, Cost cost) {
  switch (cost) {
    case Cost::kWall:
      return c.Find(kWallSeconds);
    case Cost::kCpu:
      return c.Find(kCpuSeconds);
    case Cost::kHostBytes:
      return c.Find("host_bytes");
  }
  return nullptr;
}

// All of a process's threads, where the benchmark counted them.
constexpr char kCpuPerGib[] = "cpu_seconds_per_gib";

std::optional<Spread> Divide(const Spread& a, const Spread& b) {
  if (b.median <= 0 || b.low <= 0) return std::nullopt;
  return Spread{a.median / b.median, a.low / b.high, a.high / b.low};
}

}  // namespace

const BenchmarkCase* Comparison::Find(absl::string_view path) const {
  const auto found = paths.find(std::string(path));
  return found == paths.end() ? nullptr : found->second;
}

const Comparison* ComparisonGroup::Find(absl::string_view live,
                                        absl::string_view run) const {
  const auto found = absl::c_find_if(
      comparisons, [&](const Comparison& c) { return live == c.live && run == c.run; });
  return found == comparisons.end() ? nullptr : &*found;
}

std::vector<ComparisonGroup> GroupComparisons(absl::Span<const BenchmarkCase> cases) {
  std::vector<ComparisonGroup> groups;
  std::map<std::string, std::set<std::string>> varying;
  for (const BenchmarkCase& c : cases) {
    std::string path = c.Dimension("copy");
    if (path.empty()) continue;
    if (path == "emulated") path = "emulate";
    if (varying.count(c.family) == 0) varying[c.family] = Varying(cases, c.family);
    const std::string others = Others(c, varying[c.family]);
    ComparisonGroup& group = FindOrAdd(&groups, [&](const ComparisonGroup& g) {
      return g.family == c.family && g.others == others;
    });
    group.family = c.family;
    group.others = others;
    const std::string live = c.Dimension("live"), run = c.Dimension("run");
    AddOnce(live, &group.lives);
    AddOnce(run, &group.runs);
    Comparison& comparison = FindOrAdd(&group.comparisons, [&](const Comparison& known) {
      return known.live == live && known.run == run;
    });
    comparison.live = live;
    comparison.run = run;
    comparison.paths[std::move(path)] = &c;
  }
  for (ComparisonGroup& group : groups) {
    absl::c_stable_sort(group.lives, DimensionBefore);
    absl::c_stable_sort(group.runs, DimensionBefore);
  }
  return groups;
}

std::optional<Spread> CostRatio(const BenchmarkCase& first, const BenchmarkCase& second,
                                Cost cost) {
  if (cost == Cost::kCpu) {
    const Spread *a = first.Find(kCpuPerGib), *b = second.Find(kCpuPerGib);
    if (a != nullptr && b != nullptr) return Divide(*a, *b);
  }
  const Spread *a = Figure(first, cost), *b = Figure(second, cost);
  if (a == nullptr || b == nullptr) return std::nullopt;
  std::optional<Spread> ratio = Divide(*a, *b);
  const Spread *moved = first.Find(kRelocatedBytes),
               *other = second.Find(kRelocatedBytes);
  if (!ratio.has_value() || moved == nullptr || other == nullptr || moved->median <= 0)
    return ratio;
  const double work = other->median / moved->median;
  return Spread{ratio->median * work, ratio->low * work, ratio->high * work};
}

std::optional<Spread> NativeToEmulated(const Comparison& comparison, Cost cost) {
  const BenchmarkCase *native = comparison.Find("native"),
                      *emulated = comparison.Find("emulate");
  if (native == nullptr || emulated == nullptr) return std::nullopt;
  return CostRatio(*native, *emulated, cost);
}

std::optional<Spread> AutoToFaster(const Comparison& comparison) {
  const BenchmarkCase* chosen = comparison.Find("auto");
  if (chosen == nullptr) return std::nullopt;
  std::optional<Spread> worst;
  for (const char* path : {"native", "emulate"}) {
    const BenchmarkCase* other = comparison.Find(path);
    if (other == nullptr) return std::nullopt;
    const std::optional<Spread> ratio = CostRatio(*chosen, *other, Cost::kWall);
    // A path that failed is no path to choose.
    if (ratio.has_value() && (!worst.has_value() || ratio->median > worst->median))
      worst = ratio;
  }
  return worst;
}

std::optional<Spread> Throughput(const BenchmarkCase& c) {
  if (const Spread* counted = c.Find("bytes_per_second")) return *counted;
  const Spread *seconds = c.Find(kWallSeconds), *bytes = c.Find(kRelocatedBytes);
  if (seconds == nullptr || bytes == nullptr) return std::nullopt;
  if (seconds->low <= 0 || seconds->median <= 0) return std::nullopt;
  return Spread{bytes->median / seconds->median, bytes->median / seconds->high,
                bytes->median / seconds->low};
}

}  // namespace gleaner
