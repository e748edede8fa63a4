#include "sim/pages/page.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "sim/pages/page_assets.h"

namespace gleaner {
namespace {

// The policy keeps a browser from asking for anything, should a mistake here ever let it.
constexpr char kHead[] = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
)";

std::string Escape(absl::string_view text) {
  return absl::StrReplaceAll(
      text,
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

// JSON inside <script>: nothing in it may look like markup, or end a line for JavaScript alone.
// Text that is not UTF-8 becomes replacement characters.
std::string ScriptJson(const nlohmann::ordered_json& json) {
  const std::string text =
      json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return absl::StrReplaceAll(text, {{"<", "\\u003c"},
                                    {">", "\\u003e"},
                                    {"&", "\\u0026"},
                                    {"\u2028", "\\u2028"},
                                    {"\u2029", "\\u2029"}});
}

nlohmann::ordered_json Numbers(absl::Span<const std::optional<double>> values) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const std::optional<double>& value : values) {
    if (value.has_value() && std::isfinite(*value)) {
      list.push_back(*value);
    } else {
      list.push_back(nullptr);
    }
  }
  return list;
}

// A logarithmic axis where a linear one would press the small values into a line.
bool NeedsLogarithm(const Chart& chart) {
  double least = HUGE_VAL, most = 0;
  for (const ChartSeries& series : chart.series) {
    for (const std::optional<double>& value : series.values) {
      if (!value.has_value()) continue;
      least = std::min(least, *value);
      most = std::max(most, *value);
    }
  }
  if (chart.baseline.has_value()) most = std::max(most, *chart.baseline);
  constexpr double kMuch = 30;
  return chart.kind == ChartKind::kLines && least > 0 && most > kMuch * least;
}

nlohmann::ordered_json ChartJson(const Chart& chart) {
  nlohmann::ordered_json j;
  j["kind"] = chart.kind == ChartKind::kBars ? "bars" : "lines";
  j["x"] = chart.x_title;
  j["y"] = chart.y_title;
  j["unit"] = chart.unit;
  j["labels"] = chart.labels;
  j["log"] = NeedsLogarithm(chart);
  j["baseline"] = Numbers({chart.baseline})[0];
  j["most"] = Numbers({chart.most})[0];
  j["series"] = nlohmann::ordered_json::array();
  for (const ChartSeries& series : chart.series) {
    nlohmann::ordered_json s;
    s["name"] = series.name;
    s["values"] = Numbers(series.values);
    if (!series.low.empty()) s["low"] = Numbers(series.low);
    if (!series.high.empty()) s["high"] = Numbers(series.high);
    s["color"] = series.color;
    s["dashed"] = series.dashed;
    j["series"].push_back(std::move(s));
  }
  return j;
}

const char* Class(CellKind kind) {
  switch (kind) {
    case CellKind::kNumber:
      return "";
    case CellKind::kName:
      return " class=\"name\"";
    case CellKind::kLong:
      return " class=\"name long\"";
    case CellKind::kBad:
      return " class=\"bad\"";
  }
  return "";
}

std::string Row(const char* tag, absl::Span<const Cell> cells) {
  std::string html = "<tr>";
  for (const Cell& cell : cells) {
    absl::StrAppend(&html, "<", tag, Class(cell.kind));
    if (!cell.hover.empty())
      absl::StrAppend(&html, " title=\"", Escape(cell.hover), "\"");
    absl::StrAppend(&html, ">", Escape(cell.text), "</", tag, ">");
  }
  return html + "</tr>\n";
}

}  // namespace

Page::Page(absl::string_view title) : title_(title) {}

void Page::AddHeading(absl::string_view text) {
  absl::StrAppend(&body_, "<h2>", Escape(text), "</h2>\n");
}

void Page::AddParagraph(absl::string_view text, ParagraphKind kind) {
  static constexpr const char* kClasses[] = {"", " class=\"lead\"", " class=\"soft\"",
                                             " class=\"bad\""};
  absl::StrAppend(&body_, "<p", kClasses[static_cast<int>(kind)], ">", Escape(text),
                  "</p>\n");
}

void Page::AddTiles(absl::Span<const std::pair<std::string, std::string>> tiles) {
  if (tiles.empty()) return;
  absl::StrAppend(&body_, "<div class=\"tiles\">\n");
  for (const auto& [figure, meaning] : tiles)
    absl::StrAppend(&body_, "<div><b>", Escape(figure), "</b><span>", Escape(meaning),
                    "</span></div>\n");
  absl::StrAppend(&body_, "</div>\n");
}

void Page::AddCharts(absl::Span<const Chart> charts, ChartSize size) {
  if (charts.empty()) return;
  static constexpr const char* kClasses[] = {" small", "", " one"};
  absl::StrAppend(&body_, "<div class=\"charts", kClasses[static_cast<int>(size)],
                  "\">\n");
  for (const Chart& chart : charts) AddChart(chart);
  absl::StrAppend(&body_, "</div>\n");
}

void Page::AddChart(const Chart& chart) {
  std::string style;
  if (chart.kind == ChartKind::kBars) {
    constexpr size_t kBar = 28, kAxes = 70;
    style = absl::StrCat(" style=\"height:", kAxes + kBar * chart.labels.size(), "px\"");
  }
  absl::StrAppend(&body_, "<figure><h3>", Escape(chart.title), "</h3>\n<figcaption>",
                  Escape(chart.caption), "</figcaption>\n<div class=\"plot\"", style,
                  "><canvas role=\"img\" aria-label=\"", Escape(chart.title),
                  "\" data-chart=\"", charts_.size(), "\"></canvas></div></figure>\n");
  charts_.push_back(ChartJson(chart));
}

void Page::AddTable(const Table& table) {
  absl::StrAppend(&body_, "<div class=\"scroll\" tabindex=\"0\"><table>\n");
  if (!table.caption.empty())
    absl::StrAppend(&body_, "<caption>", Escape(table.caption), "</caption>\n");
  if (!table.header.empty())
    absl::StrAppend(&body_, "<thead>", Row("th", table.header), "</thead>\n");
  absl::StrAppend(&body_, "<tbody>\n");
  for (const std::vector<Cell>& row : table.rows) absl::StrAppend(&body_, Row("td", row));
  absl::StrAppend(&body_, "</tbody></table></div>\n");
}

void Page::AddCommand(absl::string_view text) {
  absl::StrAppend(&body_, "<pre>", Escape(text), "</pre>\n");
}

std::string Page::Html() const {
  std::string html =
      absl::StrCat(kHead, "<title>", Escape(title_), "</title>\n<style>", kPageStyle,
                   "</style>\n</head>\n<body>\n<h1>", Escape(title_), "</h1>\n", body_);
  if (!charts_.empty()) {
    absl::StrAppend(
        &html, "<noscript><p>The charts need JavaScript.</p></noscript>\n",
        "<p class=\"soft\">Charts are drawn by Chart.js; its licence is in this page's ",
        "source.</p>\n", "<script type=\"application/json\" id=\"charts\">",
        ScriptJson(charts_), "</script>\n<script>/*\n", kChartLibraryLicense, "*/",
        kChartLibrary, "</script>\n<script>", kPageScript, "</script>\n");
  }
  return html + "</body>\n</html>\n";
}

std::string Digits(double value) {
  if (!std::isfinite(value)) return "–";
  constexpr double kGrouped = 999.5;
  if (std::abs(value) < kGrouped) return absl::StrFormat("%.3g", value);
  std::string digits = absl::StrFormat("%.0f", value);
  const int first = digits[0] == '-' ? 1 : 0;
  for (int at = static_cast<int>(digits.size()) - 3; at > first; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

std::string AllDigits(double value) { return nlohmann::json(value).dump(); }

}  // namespace gleaner
