#include "sim/pages/report_file.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"
#include "sim/pages/benchmark_results.h"
#include "sim/pages/benchmark_section.h"
#include "sim/pages/json_text.h"
#include "sim/pages/page.h"
#include "sim/pages/simulation_section.h"

namespace gleaner {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kBenchmarkTitle[] = "Relocation: native against emulated copies";

struct Benchmarks {
  std::string device;
  std::vector<Json> files;
};

struct Contents {
  std::vector<Json> runs;
  std::vector<Benchmarks> benchmarks;
};

std::string Device(const Json& json) {
  if (!json["context"].is_object()) return "";
  const auto found = json["context"].find("device");
  return found != json["context"].end() && found->is_string() ? found->get<std::string>()
                                                              : "";
}

absl::Status AddRuns(const Json& json, Contents* contents) {
  const Json& runs = json["runs"];
  if (!runs.is_array() || runs.empty())
    return absl::InvalidArgumentError("\"runs\" is not a list of runs");
  for (size_t i = 0; i < runs.size(); ++i) {
    if (!IsRunJson(runs[i]))
      return absl::InvalidArgumentError(
          absl::StrCat("entry ", i + 1, " of \"runs\": not a run of gleaner simulate"));
    contents->runs.push_back(runs[i]);
  }
  return absl::OkStatus();
}

absl::Status AddFile(const std::string& text, Contents* contents) {
  GLEANER_ASSIGN_OR_RETURN(Json json, ParseJson(text));
  if (IsBenchmarkJson(json)) {
    // Each by itself first: the error belongs to this file.
    GLEANER_ASSIGN_OR_RETURN(const BenchmarkResults alone, ReadBenchmarkResults({json}));
    if (alone.cases.empty()) return absl::InvalidArgumentError("\"benchmarks\" is empty");
    std::string device = Device(json);
    for (Benchmarks& known : contents->benchmarks) {
      if (known.device != device) continue;
      known.files.push_back(std::move(json));
      return absl::OkStatus();
    }
    contents->benchmarks.push_back({std::move(device), {std::move(json)}});
    return absl::OkStatus();
  }
  if (IsRunJson(json)) {
    contents->runs.push_back(std::move(json));
    return absl::OkStatus();
  }
  if (json.is_object() && json.contains("runs")) return AddRuns(json, contents);
  return absl::InvalidArgumentError(
      "neither what a benchmark writes with --benchmark_out nor what gleaner simulate "
      "prints with --json");
}

}  // namespace

absl::StatusOr<std::string> ReportOfFiles(absl::Span<const ReportFile> files) {
  Contents contents;
  for (const ReportFile& file : files) {
    if (absl::Status status = AddFile(file.text, &contents); !status.ok())
      return absl::Status(status.code(),
                          absl::StrCat(file.name, ": ", std::string(status.message())));
  }
  Page page(contents.benchmarks.empty() ? kSimulationTitle
            : contents.runs.empty()     ? kBenchmarkTitle
                                        : "Gleaner report");
  for (const Benchmarks& benchmarks : contents.benchmarks) {
    GLEANER_ASSIGN_OR_RETURN(const BenchmarkResults results,
                             ReadBenchmarkResults(benchmarks.files));
    if (contents.benchmarks.size() > 1)
      page.AddHeading(benchmarks.device.empty() ? "A device that is not named"
                                                : benchmarks.device);
    AddBenchmark(results, &page);
  }
  if (!contents.benchmarks.empty() && !contents.runs.empty())
    page.AddHeading("Simulations");
  AddSimulations(contents.runs, &page);
  return page.Html();
}

}  // namespace gleaner
