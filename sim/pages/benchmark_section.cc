#include "sim/pages/benchmark_section.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "sim/pages/benchmark_comparison.h"
#include "sim/pages/benchmark_findings.h"

namespace gleaner {
namespace {

constexpr double kMiB = 1 << 20;
constexpr char kRunTitle[] = "run length (blocks)";

using Value = std::function<std::optional<Spread>(const Comparison&)>;

ChartSeries Series(const ComparisonGroup& group, const std::string& live,
                   const Value& value) {
  ChartSeries series;
  for (const std::string& run : group.runs) {
    const Comparison* at = group.Find(live, run);
    const std::optional<Spread> spread = at != nullptr ? value(*at) : std::nullopt;
    const auto push = [&](std::vector<std::optional<double>>* list, double number) {
      list->push_back(spread.has_value() ? std::optional<double>(number) : std::nullopt);
    };
    push(&series.values, spread.value_or(Spread{}).median);
    push(&series.low, spread.value_or(Spread{}).low);
    push(&series.high, spread.value_or(Spread{}).high);
  }
  return series;
}

bool Empty(const ChartSeries& series) {
  return absl::c_all_of(series.values,
                        [](const std::optional<double>& v) { return !v.has_value(); });
}

// A ratio by run length, one line for each live share.
void AddRatio(const ComparisonGroup& group, const char* title, const char* caption,
              const Value& value, std::vector<Chart>* charts) {
  Chart chart;
  chart.title = title;
  chart.caption = caption;
  chart.x_title = kRunTitle;
  chart.labels = group.runs;
  chart.baseline = 1;
  int color = 0;
  for (const std::string& live : group.lives) {
    ChartSeries series = Series(group, live, value);
    series.name = live.empty() ? "ratio" : absl::StrCat(live, " % live");
    series.color = color++;
    if (!Empty(series)) chart.series.push_back(std::move(series));
  }
  if (!chart.series.empty()) charts->push_back(std::move(chart));
}

std::vector<Chart> RatioCharts(const ComparisonGroup& group) {
  std::vector<Chart> charts;
  AddRatio(
      group, "Wall time, native / emulated", "Below 1 native is faster.",
      [](const Comparison& c) { return NativeToEmulated(c, Cost::kWall); }, &charts);
  AddRatio(group, "Wall time, automatic / faster path",
           "1: automatic choice is as fast as the better of the two paths.", AutoToFaster,
           &charts);
  AddRatio(
      group, "Host CPU time, native / emulated", "Below 1 native leaves the host more.",
      [](const Comparison& c) { return NativeToEmulated(c, Cost::kCpu); }, &charts);
  AddRatio(
      group, "Host bytes, native / emulated",
      "What crosses the host's boundary, lists of ranges included.",
      [](const Comparison& c) { return NativeToEmulated(c, Cost::kHostBytes); }, &charts);
  return charts;
}

int PathColor(const std::string& path) {
  static constexpr absl::string_view kPaths[] = {"native", "emulate", "auto"};
  return static_cast<int>(absl::c_find(kPaths, path) - std::begin(kPaths));
}

std::vector<std::string> Paths(const ComparisonGroup& group) {
  std::vector<std::string> paths;
  for (const Comparison& c : group.comparisons) {
    for (const auto& [path, unused] : c.paths)
      if (!absl::c_linear_search(paths, path)) paths.push_back(path);
  }
  absl::c_stable_sort(paths, DimensionBefore);
  return paths;
}

struct Curve {
  const char* suffix;  // after the path's name
  bool dashed;
  std::function<std::optional<Spread>(const BenchmarkCase&)> value;
};

// A chart for each live share, all to one scale, a line for each path and curve.
std::vector<Chart> PathCharts(const ComparisonGroup& group, const char* what,
                              const char* unit, const std::vector<Curve>& curves) {
  std::vector<Chart> charts;
  double most = 0;
  const std::vector<std::string> paths = Paths(group);
  for (const std::string& live : group.lives) {
    Chart chart;
    chart.title = live.empty() ? what : absl::StrCat(live, " % live");
    chart.x_title = kRunTitle;
    chart.y_title = absl::StrCat(what, ", ", unit);
    chart.unit = unit;
    chart.labels = group.runs;
    for (const std::string& path : paths) {
      for (const Curve& curve : curves) {
        ChartSeries series = Series(group, live, [&](const Comparison& c) {
          const BenchmarkCase* measured = c.Find(path);
          return measured != nullptr ? curve.value(*measured) : std::nullopt;
        });
        series.name = absl::StrCat(path, curve.suffix);
        series.color = PathColor(path);
        series.dashed = curve.dashed;
        if (Empty(series)) continue;
        for (const std::optional<double>& high : series.high)
          most = std::max(most, high.value_or(0));
        chart.series.push_back(std::move(series));
      }
    }
    if (!chart.series.empty()) charts.push_back(std::move(chart));
  }
  for (Chart& chart : charts) chart.most = most;
  return charts;
}

std::optional<Spread> MiBPerSecond(const BenchmarkCase& c) {
  const std::optional<Spread> bytes = Throughput(c);
  if (!bytes.has_value()) return std::nullopt;
  return Spread{bytes->median / kMiB, bytes->low / kMiB, bytes->high / kMiB};
}

std::function<std::optional<Spread>(const BenchmarkCase&)> FigureOf(const char* name) {
  return [name](const BenchmarkCase& c) {
    const Spread* spread = c.Find(name);
    return spread != nullptr ? std::optional<Spread>(*spread) : std::nullopt;
  };
}

void AddGroup(const ComparisonGroup& group, Page* page) {
  if (!group.others.empty()) page->AddHeading(absl::StrCat("With ", group.others));
  page->AddParagraph(FindingsText(group), ParagraphKind::kLead);
  page->AddTiles(FindingsTiles(group));
  const std::vector<Chart> ratios = RatioCharts(group);
  if (!ratios.empty())
    page->AddParagraph(
        "Points are medians. A bar through a point goes from the least to the most that "
        "the quartiles of its repetitions allow.",
        ParagraphKind::kSoft);
  page->AddCharts(ratios, ChartSize::kMedium);
  const auto add = [&](const char* heading, const std::vector<Chart>& charts) {
    if (charts.empty()) return;
    page->AddHeading(heading);
    page->AddCharts(charts, ChartSize::kSmall);
  };
  add("Throughput", PathCharts(group, "relocated", "MiB/s", {{"", false, MiBPerSecond}}));
  add("Foreground reads while relocating",
      PathCharts(group, "latency", "µs",
                 {{" p50", false, FigureOf("read_p50_us")},
                  {" p99", true, FigureOf("read_p99_us")}}));
}

// A cell with the median; pointed at, it shows all digits and the quartiles.
Cell FigureCell(const Spread* spread, double unit) {
  if (spread == nullptr) return {"–", "", CellKind::kNumber};
  return {
      Digits(spread->median * unit),
      absl::StrCat("median ", AllDigits(spread->median * unit), ", quartiles ",
                   AllDigits(spread->low * unit), " to ", AllDigits(spread->high * unit)),
      CellKind::kNumber};
}

struct Column {
  std::string title;
  std::string figure;
  double unit;
};

std::vector<Column> Columns(absl::Span<const BenchmarkCase> cases) {
  constexpr double kMilli = 1000;
  std::vector<Column> columns = {{"wall ms", kWallSeconds, kMilli},
                                 {"CPU ms", kCpuSeconds, kMilli}};
  std::set<std::string> counters;
  for (const BenchmarkCase& c : cases)
    for (const auto& [name, unused] : c.figures) counters.insert(name);
  if (counters.erase("bytes_per_second") > 0)
    columns.push_back({"MiB/s", "bytes_per_second", 1 / kMiB});
  counters.erase(kWallSeconds);
  counters.erase(kCpuSeconds);
  for (const std::string& name : counters) columns.push_back({name, name, 1});
  return columns;
}

// The dimensions of all names, in the order in which they first occur.
std::vector<std::string> Dimensions(absl::Span<const BenchmarkCase> cases) {
  std::vector<std::string> keys;
  for (const BenchmarkCase& c : cases)
    for (const auto& [key, unused] : c.dimensions)
      if (!absl::c_linear_search(keys, key)) keys.push_back(key);
  return keys;
}

void AddFigures(absl::Span<const BenchmarkCase> cases, Page* page) {
  const std::vector<std::string> keys = Dimensions(cases);
  const std::vector<Column> columns = Columns(cases);
  const bool errors =
      absl::c_any_of(cases, [](const BenchmarkCase& c) { return c.errors > 0; });
  Table table;
  table.caption = "Medians over the repetitions; point at one for its quartiles.";
  table.header.push_back({"benchmark", "", CellKind::kName});
  for (const std::string& key : keys) table.header.push_back({key, "", CellKind::kName});
  table.header.push_back({"repetitions", "", CellKind::kNumber});
  for (const Column& column : columns) table.header.push_back({column.title});
  if (errors) table.header.push_back({"errors", "", CellKind::kName});
  for (const BenchmarkCase& c : cases) {
    std::vector<Cell> row = {{c.family, c.name, CellKind::kName}};
    for (const std::string& key : keys)
      row.push_back({c.Dimension(key), "", CellKind::kName});
    row.push_back({absl::StrCat(c.repetitions), "", CellKind::kNumber});
    for (const Column& column : columns)
      row.push_back(FigureCell(c.Find(column.figure), column.unit));
    if (errors)
      row.push_back({c.errors == 0 ? "" : absl::StrCat(c.errors, ": ", c.error), "",
                     CellKind::kBad});
    table.rows.push_back(std::move(row));
  }
  page->AddHeading("Every figure");
  page->AddTable(table);
}

void AddErrors(absl::Span<const BenchmarkCase> cases, Page* page) {
  for (const BenchmarkCase& c : cases) {
    if (c.errors == 0) continue;
    page->AddParagraph(absl::StrCat(c.name, " failed in ", c.errors, " of ",
                                    c.errors + c.repetitions, ": ", c.error),
                       ParagraphKind::kBad);
  }
}

// A word for the shell.
std::string Quoted(const std::string& text) {
  const bool plain = absl::c_all_of(text, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::StrContains("_-./:=,+@%", absl::string_view(&c, 1));
  });
  if (plain && !text.empty()) return text;
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

void AddContext(const BenchmarkResults& results, int repetitions, Page* page) {
  std::string command, device;
  Table table;
  for (const auto& [key, value] : results.context) {
    if (key == "command") command = value;
    if (key == "device") device = value;
    table.rows.push_back({{key, "", CellKind::kName}, {value, "", CellKind::kLong}});
  }
  if (command.empty() && !device.empty())
    command = absl::StrCat(
        "bazel run -c opt //bench:relocation -- --device=", Quoted(device),
        " --force --benchmark_out=FILE.json "
        "--benchmark_out_format=json --benchmark_repetitions=",
        std::max(repetitions, 1), " --benchmark_enable_random_interleaving=true");
  page->AddHeading("The run");
  if (!command.empty()) {
    page->AddParagraph("To run it again; everything on the device is lost:");
    page->AddCommand(command);
  }
  if (!table.rows.empty()) page->AddTable(table);
}

}  // namespace

void AddBenchmark(const BenchmarkResults& results, Page* page) {
  std::string device;
  int repetitions = 0;
  for (const auto& [key, value] : results.context)
    if (key == "device") device = value;
  for (const BenchmarkCase& c : results.cases)
    repetitions = std::max(repetitions, c.repetitions + c.errors);
  if (!device.empty())
    page->AddParagraph(absl::StrCat("On ", device), ParagraphKind::kSoft);
  const std::vector<ComparisonGroup> groups = GroupComparisons(results.cases);
  if (groups.empty())
    page->AddParagraph(
        absl::StrCat(results.cases.size(),
                     " benchmarks, none of which names the path of a copy: there is "
                     "nothing to compare."));
  AddErrors(results.cases, page);
  for (const ComparisonGroup& group : groups) AddGroup(group, page);
  AddFigures(results.cases, page);
  AddContext(results, repetitions, page);
}

}  // namespace gleaner
