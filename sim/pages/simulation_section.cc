#include "sim/pages/simulation_section.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

namespace gleaner {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kAmplification[] = "write_amplification";
constexpr size_t kMostBars = 40;
// With more the table has a line for each run, else for each figure.
constexpr size_t kFewRuns = 4;

std::string Plain(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string Setting(const Json& run, const char* key) {
  const auto found = run["config"].find(key);
  return found == run["config"].end() ? "" : Plain(*found);
}

std::string Space(const Json& run) {
  const std::string garbage = Setting(run, "gc_trigger");
  return garbage.empty() ? Setting(run, "utilization") : garbage;
}

std::string RunName(const Json& run) {
  return absl::StrCat(Setting(run, "victim"), ", ", Setting(run, "placement"), ", ",
                      Space(run));
}

double Amplification(const Json& run) { return run[kAmplification].get<double>(); }

std::vector<const Json*> ByAmplification(absl::Span<const Json> runs) {
  std::vector<const Json*> order;
  for (const Json& run : runs) order.push_back(&run);
  absl::c_stable_sort(order, [](const Json* a, const Json* b) {
    return Amplification(*a) < Amplification(*b);
  });
  return order;
}

std::string Findings(absl::Span<const Json> runs) {
  const std::vector<const Json*> order = ByAmplification(runs);
  const Json& best = *order.front();
  if (runs.size() == 1)
    return absl::StrCat("Write amplification ", Digits(Amplification(best)), " with ",
                        RunName(best), ".");
  const Json& worst = *order.back();
  return absl::StrCat(runs.size(), " runs. The least write amplification is ",
                      Digits(Amplification(best)), " (", RunName(best), "), the most is ",
                      Digits(Amplification(worst)), " (", RunName(worst), ").");
}

Chart Bars(absl::Span<const Json> runs) {
  Chart chart;
  chart.kind = ChartKind::kBars;
  chart.title = "Write amplification";
  chart.x_title = "";
  chart.y_title = "write amplification";
  chart.caption = "(User blocks + relocated blocks) / user blocks. Lower is better.";
  ChartSeries series;
  series.name = "write amplification";
  const auto add = [&](const Json& run) {
    chart.labels.push_back(RunName(run));
    series.values.emplace_back(Amplification(run));
  };
  if (runs.size() > kMostBars) {
    absl::StrAppend(&chart.caption, " The ", kMostBars, " lowest of ", runs.size(), ".");
    const std::vector<const Json*> order = ByAmplification(runs);
    for (size_t i = 0; i < kMostBars; ++i) add(*order[i]);
  } else {
    for (const Json& run : runs) add(run);
  }
  chart.series.push_back(std::move(series));
  return chart;
}

// Where utilization varies: a line for each policy.
void AddByUtilization(absl::Span<const Json> runs, Page* page) {
  std::set<double> spaces;
  for (const Json& run : runs) {
    const auto found = run["config"].find("utilization");
    if (found == run["config"].end() || !found->is_number()) return;
    spaces.insert(found->get<double>());
  }
  if (spaces.size() < 2) return;
  Chart chart;
  chart.title = "Write amplification by utilization";
  chart.x_title = "utilization";
  chart.y_title = "write amplification";
  for (double space : spaces) chart.labels.push_back(AllDigits(space));
  for (const Json& run : runs) {
    const std::string name =
        absl::StrCat(Setting(run, "victim"), ", ", Setting(run, "placement"));
    auto series = absl::c_find_if(chart.series,
                                  [&](const ChartSeries& s) { return s.name == name; });
    if (series == chart.series.end()) {
      ChartSeries fresh;
      fresh.name = name;
      fresh.color = static_cast<int>(chart.series.size());
      fresh.values.resize(spaces.size());
      chart.series.push_back(std::move(fresh));
      series = chart.series.end() - 1;
    }
    const auto at = spaces.find(run["config"]["utilization"].get<double>());
    series->values[static_cast<size_t>(std::distance(spaces.begin(), at))] =
        Amplification(run);
  }
  constexpr size_t kMostLines = 12;
  if (chart.series.size() <= kMostLines) page->AddCharts({chart}, ChartSize::kWide);
}

Cell FigureCell(const Json& run, const std::string& key) {
  const auto found = run.find(key);
  if (found == run.end()) return {"–"};
  if (found->is_number_float())
    return {Digits(found->get<double>()), AllDigits(found->get<double>())};
  if (found->is_number()) return {Digits(found->get<double>()), found->dump()};
  return {Plain(*found)};
}

void AddFigures(absl::Span<const Json> runs, Page* page) {
  std::vector<std::string> keys;
  for (const auto& [key, unused] : runs.front().items())
    if (key != "config") keys.push_back(key);
  Table table;
  if (runs.size() <= kFewRuns) {
    table.header.push_back({"figure", "", CellKind::kName});
    for (const Json& run : runs) table.header.push_back({RunName(run)});
    for (const std::string& key : keys) {
      std::vector<Cell> row = {{key, "", CellKind::kName}};
      for (const Json& run : runs) row.push_back(FigureCell(run, key));
      table.rows.push_back(std::move(row));
    }
  } else {
    table.header.push_back({"run", "", CellKind::kName});
    for (const std::string& key : keys) table.header.push_back({key});
    for (const Json& run : runs) {
      std::vector<Cell> row = {{RunName(run), "", CellKind::kName}};
      for (const std::string& key : keys) row.push_back(FigureCell(run, key));
      table.rows.push_back(std::move(row));
    }
  }
  page->AddHeading("Every figure");
  page->AddTable(table);
}

}  // namespace

bool IsRunJson(const Json& json) {
  if (!json.is_object()) return false;
  const auto config = json.find("config"), amplification = json.find(kAmplification);
  return config != json.end() && config->is_object() && amplification != json.end() &&
         amplification->is_number();
}

std::string SimulateCommand(const Json& config) {
  std::string line = "gleaner simulate";
  for (const auto& [flag, value] : config.items()) {
    if (value.is_boolean()) {
      absl::StrAppend(&line, " --", flag);
    } else {
      absl::StrAppend(&line, " --", flag, "=", Plain(value));
    }
  }
  return line;
}

void AddSimulations(absl::Span<const Json> runs, Page* page) {
  if (runs.empty()) return;
  page->AddParagraph(Findings(runs), ParagraphKind::kLead);
  AddByUtilization(runs, page);
  page->AddCharts({Bars(runs)}, ChartSize::kWide);
  AddFigures(runs, page);
  page->AddHeading("Commands");
  for (const Json& run : runs) page->AddCommand(SimulateCommand(run["config"]));
}

}  // namespace gleaner
