#include <algorithm>
#include <iostream>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/nearest_name.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/interrupt.h"
#include "cli/output_file.h"
#include "cli/progress_bar.h"
#include "gc/placement.h"
#include "gc/victim_policy.h"
#include "sim/html_report.h"
#include "sim/report.h"
#include "sim/simulation.h"
#include "sim/sweep.h"
#include "sim/trace_reader.h"
#include "sim/usage_error.h"
#include "sim/workload.h"

namespace gleaner {
namespace {

constexpr char kName[] = "simulate";
constexpr size_t kMaxRuns = 10'000;

struct SimulateFlags {
  SimulationConfig config;  // what is not a list
  std::string victims = "cost-benefit";
  std::string placements = "gc-log";
  std::string utilizations;
  std::string gc_trigger;
  std::string order = "victim";
  std::string report;
  bool json = false;
  CopyModeFlag copy;
  CopyRateFlag copy_rate;
  LimitFlags limits;
};

std::string Footer() {
  std::string text = "Workloads:\n";
  for (absl::string_view name : WorkloadNames()) absl::StrAppend(&text, "  ", name, "\n");
  absl::StrAppend(&text, "Victim policies:\n");
  for (const PolicyName& row : VictimPolicyNames())
    absl::StrAppend(&text, "  ", row.name, "  ", row.help, "\n");
  absl::StrAppend(&text, "Placements:\n");
  for (const PolicyName& row : PlacementNames())
    absl::StrAppend(&text, "  ", row.name, "  ", row.help, "\n");
  absl::StrAppend(&text, "Trace formats: auto");
  for (absl::string_view name : TraceFormatNames()) absl::StrAppend(&text, " ", name);
  return text +
         "\n--victim, --placement and --utilization take comma lists: one run for each "
         "combination.\n";
}

void AddWorkFlags(CLI::App& app, SimulateFlags* f) {
  SimulationConfig& c = f->config;
  app.add_option("--workload", c.workload, "A synthetic workload, see below");
  app.add_option("--trace", c.trace,
                 "A trace, plain or compressed (.gz, .zst); - is stdin");
  app.add_option("--trace_format", c.trace_format, "Its format")->capture_default_str();
  app.add_option("--trace_volume", c.trace_volume, "One volume of it; default all");
  app.add_flag("--fill", c.fill, "Write the volume once before a trace");
  app.add_option("--volume_blocks", c.volume_blocks,
                 "Live address space; from the trace where omitted")
      ->check(WholeNumber(1, UINT64_MAX));
  app.add_option("--block_bytes", c.block_bytes, "Bytes of a block")
      ->capture_default_str()
      ->check(WholeNumber(1, UINT32_MAX));
  app.add_option("--segment_blocks", c.segment_blocks,
                 "Blocks of a segment (512); a zoned device decides itself")
      ->check(WholeNumber(1, UINT32_MAX));
  app.add_option("--utilization", f->utilizations, "Volume / physical space (0.80)");
  app.add_option(
      "--gc_trigger", f->gc_trigger,
      "garbage:F instead of a fixed space: clean while more than this share of all "
      "written blocks is stale");
  app.add_option("--writes", c.writes, "User writes after the fill, in volumes")
      ->capture_default_str()
      ->check(Number());
  app.add_option("--warmup", c.warmup, "Of them, not counted (5; with a trace 0)")
      ->check(Number());
}

void AddPolicyFlags(CLI::App& app, SimulateFlags* f) {
  SimulationConfig& c = f->config;
  app.add_option("--victim", f->victims, "Victim policies, see below")
      ->capture_default_str();
  app.add_option("--foreground_victim", c.foreground_victim,
                 "The policy when space is nearly out")
      ->capture_default_str();
  app.add_option("--placement", f->placements, "Placements, see below")
      ->capture_default_str();
  app.add_option("--order", f->order, "victim | lba: how survivors are laid out")
      ->capture_default_str();
  app.add_option("--commit_segments", c.commit_segments,
                 "A released segment is reusable after so many further releases")
      ->capture_default_str()
      ->check(WholeNumber(0, 1'000'000));
  app.add_option("--max_open_zones", c.max_open_zones,
                 "Most segments open at once; a zoned device's limit where that is less")
      ->check(WholeNumber(1, 1'000'000));
  app.add_option(
         "--relocation_logs", c.relocation_logs,
         "Open segments for each class of relocated blocks, which victims take turns "
         "at: zones that are copied to at the same time")
      ->capture_default_str()
      ->check(WholeNumber(1, 8));
  f->copy.AddTo(app);
  f->copy_rate.AddTo(app, "--max_copy_bytes_per_second");
  f->limits.AddTo(app);
  app.add_option("--device", c.device,
                 "SPEC of a device to run on, verifying every block; omitted: a model");
  app.add_flag("--force", c.force, "Overwrite a device that holds something else");
  app.add_option("--seed", c.seed, "Of everything drawn at random")
      ->capture_default_str()
      ->check(WholeNumber(0, UINT64_MAX));
  app.add_flag("--json", f->json, "One JSON object");
  app.add_option("--report", f->report, "Write the figures to this HTML file, too");
}

absl::StatusOr<std::vector<std::string>> List(const char* flag, const std::string& text) {
  std::vector<std::string> items = absl::StrSplit(text, ',');
  for (const std::string& item : items)
    if (item.empty())
      return UsageError(flag, absl::StrCat("\"", text, "\" has an empty item"));
  return items;
}

absl::Status ParseRest(SimulateFlags* f) {
  SimulationConfig& c = f->config;
  GLEANER_ASSIGN_OR_RETURN(c.copy, f->copy.mode());
  GLEANER_ASSIGN_OR_RETURN(c.max_copy_bytes_per_second, f->copy_rate.bytes_per_second());
  if (c.max_copy_bytes_per_second > 0 && c.device.empty())
    return UsageError("--max_copy_bytes_per_second", "needs a --device");
  c.max_copy_blocks = f->limits.max_copy_blocks;
  c.max_copy_ranges = f->limits.max_copy_ranges;
  c.max_range_blocks = f->limits.max_range_blocks;
  if (f->order == "lba") {
    c.order = SurvivorOrder::kLba;
  } else if (f->order != "victim") {
    constexpr absl::string_view kNames[] = {"victim", "lba"};
    return UsageError("--order", UnknownNameError("order", f->order, kNames));
  }
  if (!f->gc_trigger.empty()) {
    absl::string_view text = f->gc_trigger;
    double share;
    if (!absl::ConsumePrefix(&text, "garbage:") || !absl::SimpleAtod(text, &share)) {
      return UsageError("--gc_trigger",
                        absl::StrCat("\"", f->gc_trigger, "\" is not garbage:SHARE"));
    }
    c.garbage_trigger = share;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<SimulationConfig>> Expand(SimulateFlags* f) {
  GLEANER_RETURN_IF_ERROR(ParseRest(f));
  GLEANER_ASSIGN_OR_RETURN(const auto victims, List("--victim", f->victims));
  GLEANER_ASSIGN_OR_RETURN(const auto placements, List("--placement", f->placements));
  std::vector<std::optional<double>> utilizations = {std::nullopt};
  if (!f->utilizations.empty()) {
    utilizations.clear();
    GLEANER_ASSIGN_OR_RETURN(const auto items, List("--utilization", f->utilizations));
    for (const std::string& item : items) {
      double value;
      if (!absl::SimpleAtod(item, &value))
        return UsageError("--utilization",
                          absl::StrCat("\"", item, "\" is not a number"));
      utilizations.push_back(value);
    }
  }
  const size_t runs = victims.size() * placements.size() * utilizations.size();
  if (runs > kMaxRuns)
    return UsageError("--victim", absl::StrCat(runs, " runs, more than ", kMaxRuns));
  if (runs > 1 && !f->config.trace.empty() && !CanBeReadTwice(f->config.trace)) {
    return UsageError(
        "--trace", absl::StrCat(f->config.trace, " can be read only once, and there are ",
                                runs, " runs; save it to a file first"));
  }
  std::vector<SimulationConfig> configs;
  for (const std::optional<double>& utilization : utilizations) {
    for (const std::string& victim : victims) {
      for (const std::string& placement : placements) {
        SimulationConfig config = f->config;
        config.victim = victim;
        config.placement = placement;
        config.utilization = utilization;
        configs.push_back(std::move(config));
      }
    }
  }
  return configs;
}

absl::StatusOr<std::vector<SimulationResult>> RunAll(
    absl::Span<const SimulationConfig> configs) {
  SimulationProgress progress;
  SimulationHooks hooks;
  hooks.progress = &progress;
  hooks.message = [](absl::string_view text) {
    std::cerr << "gleaner: " << text << "\n";
  };
  hooks.interrupted = Interrupted;
  StopOnInterrupt();
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::vector<absl::StatusOr<SimulationResult>> outcomes;
  {
    ProgressBar bar(&progress, configs.size());
    outcomes = RunSweep(configs, {.threads = cores}, hooks);
  }
  std::vector<SimulationResult> results;
  // The error that stopped the others comes before their Cancelled.
  for (const auto& outcome : outcomes)
    if (!outcome.ok() && !absl::IsCancelled(outcome.status())) return outcome.status();
  for (auto& outcome : outcomes) {
    GLEANER_RETURN_IF_ERROR(outcome.status());  // interrupted
    results.push_back(*std::move(outcome));
  }
  return results;
}

}  // namespace

int RunSimulate(std::vector<std::string> arguments) {
  SimulateFlags flags;
  CLI::App app("Replays a trace or a synthetic workload under chosen policies",
               "gleaner simulate");
  AddWorkFlags(app, &flags);
  AddPolicyFlags(app, &flags);
  app.footer(Footer());
  if (std::optional<int> code = ParseFlags(app, std::move(arguments))) return *code;
  if (!flags.config.trace.empty() && app.count("--writes") > 0)
    return ReportError(kName, UsageError("--writes", "a trace is replayed as it is"));

  const auto configs = Expand(&flags);
  if (!configs.ok()) return ReportError(kName, configs.status());
  const bool report = !flags.report.empty();
  if (report) {
    if (absl::Status status = CheckWritable("--report", flags.report); !status.ok())
      return ReportError(kName, status);
  }
  const auto results = RunAll(*configs);
  if (!results.ok()) return ReportError(kName, results.status());
  const bool sweep = results->size() > 1;
  if (flags.json) {
    std::cout << (sweep ? SweepJson(*results) : RunJson(results->front())).dump(2)
              << "\n";
  } else {
    std::cout << (sweep ? RunsTable(*results) : RunText(results->front()));
  }
  const int code = FinishOutput(kName, kExitDone);
  if (!report) return code;
  if (absl::Status status = WriteFile("--report", flags.report, HtmlReport(*results));
      !status.ok())
    return ReportError(kName, status);
  return code;
}

}  // namespace gleaner
