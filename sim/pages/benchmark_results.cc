#include "sim/pages/benchmark_results.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace gleaner {
namespace {

using Json = nlohmann::ordered_json;

// Members of an entry that are no counters.
constexpr absl::string_view kNoCounters[] = {"name",
                                             "family_index",
                                             "per_family_instance_index",
                                             "run_name",
                                             "run_type",
                                             "repetitions",
                                             "repetition_index",
                                             "threads",
                                             "iterations",
                                             "real_time",
                                             "cpu_time",
                                             "time_unit",
                                             "aggregate_name",
                                             "aggregate_unit",
                                             "error_occurred",
                                             "error_message",
                                             "label",
                                             "cpu_coefficient",
                                             "real_coefficient",
                                             "big_o",
                                             "rms"};

struct Collected {
  BenchmarkCase result;
  std::map<std::string, std::vector<double>> values;  // of iterations
  std::map<std::string, std::vector<double>>
      medians;         // of files that hold only aggregates
  int aggregated = 0;  // repetitions behind these
};

std::string Text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<double> UnitSeconds(const std::string& unit) {
  constexpr double kMilli = 1e-3, kMicro = 1e-6, kNano = 1e-9;
  if (unit == "ns" || unit.empty()) return kNano;
  if (unit == "us") return kMicro;
  if (unit == "ms") return kMilli;
  if (unit == "s") return 1;
  return std::nullopt;
}

void SplitName(BenchmarkCase* c) {
  for (absl::string_view part : absl::StrSplit(c->name, '/')) {
    const std::pair<absl::string_view, absl::string_view> halves =
        absl::StrSplit(part, absl::MaxSplits(':', 1));
    if (part.find(':') != absl::string_view::npos) {
      c->dimensions.emplace_back(halves.first, halves.second);
    } else {
      absl::StrAppend(&c->family, c->family.empty() ? "" : "/", part);
    }
  }
}

absl::Status AddFigures(const Json& entry,
                        std::map<std::string, std::vector<double>>* values) {
  const std::string unit_name = Text(entry, "time_unit");
  const std::optional<double> unit = UnitSeconds(unit_name);
  if (!unit.has_value())
    return absl::InvalidArgumentError(
        absl::StrCat("unknown time_unit \"", unit_name, "\""));
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) continue;
    const double number = value.get<double>();
    if (key == "real_time") {
      (*values)[kWallSeconds].push_back(number * *unit);
    } else if (key == "cpu_time") {
      (*values)[kCpuSeconds].push_back(number * *unit);
    } else if (!absl::c_linear_search(kNoCounters, key)) {
      (*values)[key].push_back(number);
    }
  }
  return absl::OkStatus();
}

absl::Status AddEntry(const Json& entry, Collected* collected) {
  const bool aggregate = Text(entry, "run_type") == "aggregate";
  if (const auto error = entry.find("error_occurred");
      error != entry.end() && error->is_boolean() && error->get<bool>()) {
    if (aggregate) return absl::OkStatus();
    if (collected->result.errors++ == 0)
      collected->result.error = Text(entry, "error_message");
    return absl::OkStatus();
  }
  if (!aggregate) {
    ++collected->result.repetitions;
    return AddFigures(entry, &collected->values);
  }
  if (Text(entry, "aggregate_name") != "median") return absl::OkStatus();
  const auto repetitions = entry.find("repetitions");
  if (repetitions != entry.end() && repetitions->is_number_integer()) {
    constexpr int64_t kMost = 1'000'000;
    collected->aggregated +=
        static_cast<int>(std::clamp<int64_t>(repetitions->get<int64_t>(), 0, kMost));
  }
  return AddFigures(entry, &collected->medians);
}

bool CaseBefore(const BenchmarkCase& a, const BenchmarkCase& b) {
  if (a.family != b.family) return a.family < b.family;
  const size_t both = std::min(a.dimensions.size(), b.dimensions.size());
  for (size_t i = 0; i < both; ++i) {
    if (a.dimensions[i].first != b.dimensions[i].first)
      return a.dimensions[i].first < b.dimensions[i].first;
    if (a.dimensions[i].second != b.dimensions[i].second)
      return DimensionBefore(a.dimensions[i].second, b.dimensions[i].second);
  }
  return a.dimensions.size() < b.dimensions.size();
}

BenchmarkCase Finish(Collected collected) {
  BenchmarkCase result = std::move(collected.result);
  const bool measured = !collected.values.empty();
  if (!measured) result.repetitions = collected.aggregated;
  for (auto& [name, values] : measured ? collected.values : collected.medians)
    result.figures[name] = SpreadOf(std::move(values));
  return result;
}

std::string Plain(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

Spread SpreadOf(std::vector<double> values) {
  absl::c_sort(values);
  const auto quantile = [&values](double share) {
    const double at = share * static_cast<double>(values.size() - 1);
    const size_t below = static_cast<size_t>(at);
    const size_t above = std::min(below + 1, values.size() - 1);
    const double part = at - static_cast<double>(below);
    return values[below] * (1 - part) + values[above] * part;
  };
  constexpr double kFirst = 0.25, kMiddle = 0.5, kThird = 0.75;
  return {quantile(kMiddle), quantile(kFirst), quantile(kThird)};
}

bool DimensionBefore(absl::string_view a, absl::string_view b) {
  static constexpr absl::string_view kPaths[] = {"native", "emulate", "emulated", "auto"};
  const auto path_a = absl::c_find(kPaths, a), path_b = absl::c_find(kPaths, b);
  if (path_a != std::end(kPaths) && path_b != std::end(kPaths)) return path_a < path_b;
  double x = 0, y = 0;
  const bool number_a = absl::SimpleAtod(a, &x) && std::isfinite(x);
  const bool number_b = absl::SimpleAtod(b, &y) && std::isfinite(y);
  if (number_a != number_b) return number_a;
  if (number_a && x != y) return x < y;
  return a < b;
}

const Spread* BenchmarkCase::Find(absl::string_view figure) const {
  const auto found = figures.find(std::string(figure));
  return found == figures.end() ? nullptr : &found->second;
}

std::string BenchmarkCase::Dimension(absl::string_view key) const {
  for (const auto& [name, value] : dimensions)
    if (name == key) return value;
  return "";
}

bool IsBenchmarkJson(const Json& json) {
  return json.is_object() && json.contains("context") && json.contains("benchmarks");
}

absl::StatusOr<BenchmarkResults> ReadBenchmarkResults(absl::Span<const Json> files) {
  std::map<std::string, Collected> by_name;
  for (const Json& json : files) {
    const Json& entries = json["benchmarks"];
    if (!entries.is_array())
      return absl::InvalidArgumentError("\"benchmarks\" is not a list");
    for (size_t i = 0; i < entries.size(); ++i) {
      const Json& entry = entries[i];
      const auto wrong = [i](absl::string_view why) {
        return absl::InvalidArgumentError(
            absl::StrCat("entry ", i + 1, " of \"benchmarks\": ", why));
      };
      if (!entry.is_object()) return wrong("not an object");
      std::string name = Text(entry, "run_name");
      if (name.empty()) name = Text(entry, "name");
      if (name.empty()) return wrong("has no name");
      Collected& collected = by_name[name];
      collected.result.name = name;
      if (absl::Status status = AddEntry(entry, &collected); !status.ok())
        return wrong(std::string(status.message()));
    }
  }
  BenchmarkResults results;
  if (!files.empty() && files[0]["context"].is_object()) {
    for (const auto& [key, value] : files[0]["context"].items())
      results.context.emplace_back(key, Plain(value));
  }
  for (auto& [name, collected] : by_name) {
    results.cases.push_back(Finish(std::move(collected)));
    SplitName(&results.cases.back());
  }
  absl::c_stable_sort(results.cases, CaseBefore);
  return results;
}

}  // namespace gleaner
