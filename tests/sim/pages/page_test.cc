#include "sim/pages/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace gleaner {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kHostile[] = "</script><img src=x onerror='alert(\"1\")'>&";
constexpr char kEscaped[] =
    "&lt;/script&gt;&lt;img src=x onerror=&#39;alert(&quot;1&quot;)&#39;&gt;&amp;";

TEST(PageTest, EscapesWhateverItIsGiven) {
  Page page(kHostile);
  page.AddHeading(kHostile);
  page.AddParagraph(kHostile);
  page.AddTiles({{kHostile, kHostile}});
  page.AddCommand(kHostile);
  Table table;
  table.caption = kHostile;
  table.header = {{kHostile}};
  table.rows = {{{kHostile, kHostile, CellKind::kName}}};
  page.AddTable(table);
  Chart chart;
  chart.title = chart.caption = chart.x_title = chart.y_title = chart.unit = kHostile;
  chart.labels = {kHostile, "\u2028\u2029\xff"};
  chart.series.resize(1);
  chart.series[0].name = kHostile;
  chart.series[0].values = {1.5, std::nullopt};
  page.AddCharts({chart}, ChartSize::kWide);
  const std::string html = page.Html();
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, HasSubstr(std::string("<title>") + kEscaped + "</title>"));
  EXPECT_THAT(html, HasSubstr(std::string("<pre>") + kEscaped + "</pre>"));
  EXPECT_THAT(html, HasSubstr(std::string("<td class=\"name\" title=\"") + kEscaped +
                              "\">" + kEscaped + "</td>"));
  EXPECT_THAT(html, HasSubstr("\"\\u003c/script\\u003e\\u003cimg"));
  EXPECT_THAT(html, HasSubstr("\"\\u2028\\u2029\uFFFD\""));
}

TEST(PageTest, AsksNoNetwork) {
  Page page("x");
  Chart chart;
  chart.labels = {"a"};
  chart.series.resize(1);
  chart.series[0].values = {1.0};
  page.AddCharts({chart}, ChartSize::kSmall);
  const std::string html = page.Html();
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  for (const char* reference : {"http:", "https:", "src=", "href=", "url(", "@import"})
    EXPECT_THAT(html, Not(HasSubstr(reference))) << reference;
  EXPECT_THAT(html, HasSubstr("Permission is hereby granted"));
}

TEST(PageTest, DescribesCharts) {
  Page page("x");
  Chart chart;
  chart.labels = {"1", "2", "3"};
  chart.baseline = 1;
  chart.series.resize(1);
  chart.series[0].name = "s";
  chart.series[0].values = {0.01, std::nullopt, HUGE_VAL};
  page.AddCharts({chart}, ChartSize::kSmall);
  EXPECT_THAT(
      page.Html(),
      HasSubstr(R"([{"kind":"lines","x":"","y":"","unit":"","labels":["1","2","3"],)"
                R"("log":true,"baseline":1.0,"most":null,"series":[{"name":"s",)"
                R"("values":[0.01,null,null],"color":0,"dashed":false}]}])"));
}

TEST(PageTest, HasNoScriptWithoutCharts) {
  EXPECT_THAT(Page("x").Html(), Not(HasSubstr("<script")));
}

TEST(DigitsTest, ThreeOrGroups) {
  EXPECT_EQ(Digits(0), "0");
  EXPECT_EQ(Digits(0.12345), "0.123");
  EXPECT_EQ(Digits(999.4), "999");
  EXPECT_EQ(Digits(999.5), "1,000");
  EXPECT_EQ(Digits(1234567.8), "1,234,568");
  EXPECT_EQ(Digits(-123456), "-123,456");
  EXPECT_EQ(Digits(0.0000123), "1.23e-05");
  EXPECT_EQ(Digits(NAN), "–");
  EXPECT_EQ(AllDigits(0.1), "0.1");
}

}  // namespace
}  // namespace gleaner
