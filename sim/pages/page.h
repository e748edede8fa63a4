// One self-contained HTML page: text, tables and charts, for phones and wide screens, light and
// dark, that asks no network for anything.
//
//   Page page("Relocation");
//   page.AddParagraph("Native took half the time.");
//   page.AddCharts({chart}, ChartSize::kMedium);
//   file << page.Html();
//
// All text is escaped here, whatever it holds. Not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "nlohmann/json.hpp"

namespace gleaner {

struct ChartSeries {
  std::string name;
  // One for each label of the chart; none: nothing was measured there.
  std::vector<std::optional<double>> values;
  // How far the values spread; empty: not known.
  std::vector<std::optional<double>> low;
  std::vector<std::optional<double>> high;
  // Series of one colour belong together, also across charts.
  int color = 0;
  bool dashed = false;
};

enum class ChartKind { kLines, kBars };

struct Chart {
  ChartKind kind = ChartKind::kLines;
  std::string title;
  std::string caption;
  std::string x_title;
  std::string y_title;
  std::string unit;  // of the values, where they are pointed at
  std::vector<std::string> labels;
  std::vector<ChartSeries> series;
  std::optional<double> baseline;  // a line to compare with
  std::optional<double> most;      // the value axis goes so far: for charts side by side
};

enum class ChartSize { kSmall, kMedium, kWide };

enum class CellKind { kNumber, kName, kLong, kBad };

struct Cell {
  std::string text;
  std::string hover = {};  // the exact value
  CellKind kind = CellKind::kNumber;
};

struct Table {
  std::string caption;
  std::vector<Cell> header;
  std::vector<std::vector<Cell>> rows;
};

enum class ParagraphKind { kPlain, kLead, kSoft, kBad };

class Page {
 public:
  explicit Page(absl::string_view title);

  void AddHeading(absl::string_view text);
  void AddParagraph(absl::string_view text, ParagraphKind kind = ParagraphKind::kPlain);
  // Few figures in large type, each with what it means.
  void AddTiles(absl::Span<const std::pair<std::string, std::string>> tiles);
  void AddCharts(absl::Span<const Chart> charts, ChartSize size);
  void AddTable(const Table& table);
  // A command line to type.
  void AddCommand(absl::string_view text);

  std::string Html() const;

 private:
  void AddChart(const Chart& chart);

  std::string title_;
  std::string body_;
  nlohmann::ordered_json charts_ = nlohmann::ordered_json::array();
};

// For people: three significant digits below a thousand, whole numbers in groups above.
std::string Digits(double value);
// Every digit there is.
std::string AllDigits(double value);

}  // namespace gleaner
