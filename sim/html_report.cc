#include "sim/html_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "sim/report.h"

namespace gleaner {
namespace {

constexpr char kHead[] = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gleaner simulation</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { border-bottom: 1px solid #8886; padding: .3rem .8rem; text-align: right; }
td:first-child, th:first-child { text-align: left; }
pre { white-space: pre-wrap; background: #8882; padding: .6rem; }
.bar { fill: #3b82c4; } text { fill: currentColor; font-size: 13px; }
</style>
<h1>Gleaner simulation</h1>
)";

std::string Escape(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string RunName(const SimulationResult& r) {
  const std::string space = r.config.garbage_trigger.has_value()
                                ? absl::StrCat("garbage:", *r.config.garbage_trigger)
                                : absl::StrCat(r.config.utilization.value_or(0));
  return absl::StrCat(r.config.victim, ", ", r.config.placement, ", ", space);
}

std::string Chart(absl::Span<const SimulationResult> results) {
  constexpr int kRow = 26;
  constexpr int kLabel = 300;
  constexpr int kBars = 420;
  double most = 1;
  for (const SimulationResult& r : results) most = std::max(most, r.write_amplification);
  std::string svg = absl::StrFormat(
      "<h2>Write amplification</h2>\n<svg viewBox=\"0 0 %d %d\" width=\"100%%\" "
      "role=\"img\">\n",
      kLabel + kBars + 80, kRow * static_cast<int>(results.size()) + 4);
  for (size_t i = 0; i < results.size(); ++i) {
    const int y = kRow * static_cast<int>(i);
    const double width = kBars * results[i].write_amplification / most;
    absl::StrAppendFormat(
        &svg,
        "<text x=\"0\" y=\"%d\">%s</text><rect class=\"bar\" x=\"%d\" y=\"%d\" "
        "width=\"%.1f\" height=\"18\"/><text x=\"%.1f\" y=\"%d\">%.3f</text>\n",
        y + 15, Escape(RunName(results[i])), kLabel, y + 1, width, kLabel + width + 6,
        y + 15, results[i].write_amplification);
  }
  return svg + "</svg>\n";
}

std::string Table(absl::Span<const SimulationResult> results) {
  std::string html = "<h2>Figures</h2>\n<table>\n<tr><th>figure</th>";
  std::vector<nlohmann::ordered_json> runs;
  for (const SimulationResult& r : results) {
    absl::StrAppend(&html, "<th>", Escape(RunName(r)), "</th>");
    runs.push_back(RunJson(r));
  }
  absl::StrAppend(&html, "</tr>\n");
  for (const auto& [key, unused] : runs.front().items()) {
    if (key == "config") continue;
    absl::StrAppend(&html, "<tr><td>", key, "</td>");
    for (const auto& run : runs) absl::StrAppend(&html, "<td>", run[key].dump(), "</td>");
    absl::StrAppend(&html, "</tr>\n");
  }
  return html + "</table>\n";
}

}  // namespace

std::string HtmlReport(absl::Span<const SimulationResult> results) {
  std::string html = absl::StrCat(kHead, Chart(results), Table(results));
  absl::StrAppend(&html, "<h2>Commands</h2>\n");
  for (const SimulationResult& r : results)
    absl::StrAppend(&html, "<pre>", Escape(CommandLine(r.config)), "</pre>\n");
  return html + "</html>\n";
}

}  // namespace gleaner
