#include <filesystem>
#include <iostream>
#include <limits>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/interrupt.h"
#include "device/blocking_io.h"
#include "device/copy_engine.h"
#include "device/device_factory.h"
#include "nlohmann/json.hpp"
#include "sim/usage_error.h"

namespace gleaner {
namespace {

constexpr char kName[] = "copy";

struct CopyFlags {
  std::string from;
  std::string ranges;
  std::string to;
  uint64_t at = 0;
  bool force = false;
  bool json = false;
  CopyModeFlag mode;
  CopyRateFlag rate;
  LimitFlags limits;
};

absl::StatusOr<DeviceRange> ParseRange(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('+', 1));
  uint64_t start;
  uint64_t count;
  if (!absl::SimpleAtoi(parts.first, &start) || !absl::SimpleAtoi(parts.second, &count)) {
    return UsageError("--ranges", absl::StrCat("\"", text, "\" is not START+COUNT"));
  }
  if (count == 0) return UsageError("--ranges", absl::StrCat("\"", text, "\" is empty"));
  if (start > std::numeric_limits<uint64_t>::max() - 1 - count)
    return UsageError("--ranges", absl::StrCat("\"", text, "\" ends beyond 2^64 blocks"));
  return DeviceRange{DeviceBlock(start), DeviceBlockCount(count)};
}

// The job, its lengths in the target's blocks.
absl::StatusOr<CopyJob> MakeJob(const CopyFlags& flags, Device* source,
                                const Device& target) {
  const uint64_t source_bytes = source->geometry().block_bytes;
  const uint64_t target_bytes = target.geometry().block_bytes;
  CopyJob job;
  DeviceBlock at(flags.at);
  for (absl::string_view text : absl::StrSplit(flags.ranges, ',')) {
    GLEANER_ASSIGN_OR_RETURN(DeviceRange range, ParseRange(text));
    if (!InBounds(range, source->geometry().capacity)) {
      return absl::OutOfRangeError(absl::StrCat(source->name(), ": range ", text,
                                                " is past the end at block ",
                                                source->geometry().capacity.value()));
    }
    if (range.count.value() * source_bytes % target_bytes != 0) {
      return UsageError(
          "--ranges",
          absl::StrCat("\"", text, "\" is no multiple of the target's blocks of ",
                       target_bytes, " bytes"));
    }
    range.count = DeviceBlockCount(range.count.value() * source_bytes / target_bytes);
    job.runs.push_back({source, range, at});
    at += range.count;
  }
  return job;
}

absl::StatusOr<std::unique_ptr<Device>> Open(const char* flag, const std::string& spec,
                                             Access access, bool force) {
  OpenOptions options;
  options.access = access;
  options.force = force;
  options.message = [](absl::string_view text) {
    std::cerr << "gleaner: " << text << "\n";
  };
  auto device = OpenDevice(spec, options);
  if (absl::IsInvalidArgument(device.status())) return UsageError(flag, device.status());
  return device;
}

struct Outcome {
  CopyCounters counters;
  uint64_t blocks = 0;          // asked for, of the target; 0: not begun
  uint64_t arrived_blocks = 0;  // known to be there
  uint32_t block_bytes = 0;
  double seconds = 0;
};

// The paths in a SPEC, of what stands behind others, too.
absl::Status AddPaths(const std::string& text, std::vector<std::string>* paths) {
  GLEANER_ASSIGN_OR_RETURN(const DeviceSpec spec, ParseSpec(text));
  if (spec.inner.empty() && !spec.argument.empty()) paths->push_back(spec.argument);
  for (const std::string& inner : spec.inner)
    GLEANER_RETURN_IF_ERROR(AddPaths(inner, paths));
  return absl::OkStatus();
}

// One file under two names would be two devices, whose overlap nobody sees.
absl::Status CheckNames(const CopyFlags& flags) {
  if (flags.from == flags.to) return absl::OkStatus();
  std::vector<std::string> from;
  std::vector<std::string> to;
  GLEANER_RETURN_IF_ERROR(UsageError("--from", AddPaths(flags.from, &from)));
  GLEANER_RETURN_IF_ERROR(UsageError("--to", AddPaths(flags.to, &to)));
  for (const std::string& a : from) {
    for (const std::string& b : to) {
      std::error_code ignored;
      if (!std::filesystem::equivalent(a, b, ignored)) continue;
      const bool whole = from.size() == 1 && to.size() == 1;
      return UsageError(
          "--from", absl::StrCat(whole ? flags.from : a, " and ", whole ? flags.to : b,
                                 " are one file; say the same for both"));
    }
  }
  return absl::OkStatus();
}

absl::Status Copy(const CopyFlags& flags, Outcome* outcome) {
  GLEANER_ASSIGN_OR_RETURN(const CopyMode mode, flags.mode.mode());
  CopyEngineOptions options;
  options.mode = mode;
  GLEANER_ASSIGN_OR_RETURN(options.max_bytes_per_second, flags.rate.bytes_per_second());
  GLEANER_RETURN_IF_ERROR(CheckNames(flags));
  GLEANER_ASSIGN_OR_RETURN(auto target,
                           Open("--to", flags.to, Access::kReadWrite, flags.force));
  target->LowerCopyLimits(flags.limits.wish());
  std::unique_ptr<Device> other;
  if (flags.from != flags.to) {
    GLEANER_ASSIGN_OR_RETURN(other, Open("--from", flags.from, Access::kReadOnly, false));
  }
  Device* const source = other != nullptr ? other.get() : target.get();
  GLEANER_ASSIGN_OR_RETURN(CopyJob job, MakeJob(flags, source, *target));
  GLEANER_ASSIGN_OR_RETURN(auto engine,
                           CopyEngine::Create(target.get(), options, Clock::Real()));
  uint64_t blocks = 0;
  for (const CopyRun& run : job.runs) blocks += run.from.count.value();
  outcome->block_bytes = target->geometry().block_bytes;
  const absl::Duration start = Clock::Real().Now();
  const uint64_t losses = target->losses();
  CopyResult result;
  CopyEngine::JobId id;
  GLEANER_RETURN_IF_ERROR(engine->Start(
      std::move(job), [&result](const CopyResult& r) { result = r; }, &id));
  outcome->blocks = blocks;
  StopOnInterrupt();
  while (!engine->idle()) {
    if (Interrupted()) engine->Cancel(id);
    GLEANER_RETURN_IF_ERROR(engine->Wait());
  }
  for (const CopiedRun& run : result.runs)
    outcome->arrived_blocks += run.native.value() + run.emulated.value();
  outcome->counters = engine->counters();
  GLEANER_RETURN_IF_ERROR(result.status);
  GLEANER_RETURN_IF_ERROR(FlushDevice(*target));
  if (target->losses() != losses) {
    outcome->arrived_blocks = 0;
    return absl::UnavailableError(
        absl::StrCat(target->name(), " may have lost what was copied before the flush"));
  }
  outcome->seconds = absl::ToDoubleSeconds(Clock::Real().Now() - start);
  return absl::OkStatus();
}

void Print(const Outcome& o, bool json) {
  if (json) {
    nlohmann::ordered_json j;
    j["blocks"] = o.arrived_blocks;
    j["bytes"] = o.arrived_blocks * o.block_bytes;
    j["native_blocks"] = o.counters.native_blocks.value();
    j["emulated_blocks"] = o.counters.emulated_blocks.value();
    j["copy_commands"] = o.counters.commands;
    j["copy_ranges"] = o.counters.ranges;
    j["host_bytes_read"] = o.counters.host_bytes_read;
    j["host_bytes_written"] = o.counters.host_bytes_written;
    j["failed_commands"] = o.counters.failed_commands;
    j["retries"] = o.counters.retries;
    j["recovered_blocks"] = o.counters.recovered_blocks.value();
    j["times_throttled"] = o.counters.times_throttled;
    j["throttled_seconds"] = absl::ToDoubleSeconds(o.counters.throttled);
    j["wall_seconds"] = o.seconds;
    std::cout << j.dump(2) << "\n";
    return;
  }
  std::cout << absl::StreamFormat(
      "%d blocks of %d bytes copied and flushed in %.3f s: %d native by %d commands with "
      "%d "
      "ranges, %d emulated\n",
      o.arrived_blocks, o.block_bytes, o.seconds, o.counters.native_blocks.value(),
      o.counters.commands, o.counters.ranges, o.counters.emulated_blocks.value());
  if (o.counters.failed_commands > 0) {
    std::cout << absl::StreamFormat(
        "%d commands failed on the way: %d were sent for what they had left, and %d "
        "blocks "
        "emulated instead\n",
        o.counters.failed_commands, o.counters.retries,
        o.counters.recovered_blocks.value());
  }
  if (o.counters.times_throttled > 0) {
    std::cout << absl::StreamFormat("held back by --max_bytes_per_second for %.3f s\n",
                                    absl::ToDoubleSeconds(o.counters.throttled));
  }
}

}  // namespace

int RunCopy(std::vector<std::string> arguments) {
  CopyFlags flags;
  CLI::App app("Copies ranges within or between devices, of any size (device blocks)",
               "gleaner copy");
  app.add_option("--from", flags.from, "SPEC of the source")->required();
  app.add_option("--ranges", flags.ranges,
                 "START+COUNT,... in the source's blocks, copied in this order")
      ->required();
  app.add_option("--to", flags.to,
                 "SPEC of the target; the same text means the same device")
      ->required();
  app.add_option("--at", flags.at, "First block of the target")
      ->required()
      ->check(WholeNumber(0, UINT64_MAX));
  flags.mode.AddTo(app);
  flags.rate.AddTo(app, "--max_bytes_per_second");
  flags.limits.AddTo(app);
  app.add_flag("--force", flags.force, "Overwrite a target that holds something else");
  app.add_flag("--json", flags.json, "One JSON object");
  if (std::optional<int> code = ParseFlags(app, std::move(arguments))) return *code;

  Outcome outcome;
  if (absl::Status status = Copy(flags, &outcome); !status.ok()) {
    if (outcome.blocks > 0 && !IsUsageError(status)) {
      status = absl::Status(
          status.code(),
          absl::StrCat(std::string(status.message()), "; ", outcome.arrived_blocks,
                       " of ", outcome.blocks, " blocks are known to have arrived"));
    }
    return ReportError(kName, status);
  }
  Print(outcome, flags.json);
  return FinishOutput(kName, kExitDone);
}

}  // namespace gleaner
