#include "sim/html_report.h"

#include "sim/pages/page.h"
#include "sim/pages/simulation_section.h"
#include "sim/report.h"

namespace gleaner {

std::string HtmlReport(absl::Span<const SimulationResult> results) {
  Page page(kSimulationTitle);
  std::vector<nlohmann::ordered_json> runs;
  for (const SimulationResult& result : results) runs.push_back(RunJson(result));
  AddSimulations(runs, &page);
  return page.Html();
}

}  // namespace gleaner
