// Whole rounds of cleaning on a device, native against emulated.
//
//   bazel run -c opt //bench:relocation -- --device=SPEC [--force] [--segment_blocks=512]
//       [--victims=16] [Google Benchmark's flags]
//
// Everything on the device is lost: without --force one that holds data is refused. A round cleans
// 16 victims of which 25, 50 or 75 % is live in runs of 1 to 128 blocks of 4 KiB: their survivors
// are copied, their mappings moved, and the device flushed. See cleaning_rounds.h.
//
//   relocation/live:50/run:16/copy:native/depth:8
//   relocation/live:50/run:16/copy:native/depth:8/reads:200
//
//   copy    native, emulated, or auto, which is left to learn before it is measured
//   depth   Copy commands in flight; of emulation, reads in flight by sixteen
//   reads   reads of a block each second, by a thread of its own meanwhile
//
// Counters, for a round: relocated_bytes, commands, ranges, ranges_per_command, native_share,
// host_bytes (data across the host boundary, and the lists of ranges), smart_bytes (what the drive
// itself has counted of them, in units of 512,000 bytes); read_p50_us, read_p99_us, reads.
// CPU time is the process's, so without the reads those of relocation alone.
//
// At the end every block of the device is read and compared.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "bench/cleaning_rounds.h"
#include "bench/foreground_reads.h"
#include "device/copy_engine.h"
#include "device/device_factory.h"
#include "gc/relocator.h"

namespace gleaner {
namespace {

constexpr uint32_t kLivePercent[] = {25, 50, 75};
constexpr uint32_t kRunBlocks[] = {1, 4, 16, 64, 128};
constexpr int kDepths[] = {1, 2, 4, 16, 32};
constexpr int kUsualDepth = 8;
constexpr int kReadsPerCommand = 16;  // of emulation's depth
constexpr uint32_t kReadsPerSecond = 200;
// Of an entry of a Copy command's list: NVMe's descriptor format 0h.
constexpr uint64_t kRangeEntryBytes = 32;
// What `auto` copies of a kind before it is measured: 14 trials of 32 MiB, and some more.
constexpr uint64_t kLearningBytes = 512 << 20;

struct Path {
  const char* name;
  CopyMode mode;
};
constexpr Path kPaths[] = {{"native", CopyMode::kNative},
                           {"emulated", CopyMode::kEmulate},
                           {"auto", CopyMode::kAuto}};

struct Flags {
  std::string device;
  bool force = false;
  uint32_t segment_blocks = 512;
  uint32_t victims = 16;
};

struct Case {
  uint32_t live_percent;
  uint32_t run_blocks;
  Path path;
  int depth = kUsualDepth;
  uint32_t reads_per_second = 0;

  std::string name() const {
    const std::string name =
        absl::StrCat("relocation/live:", live_percent, "/run:", run_blocks,
                     "/copy:", path.name, "/depth:", depth);
    return reads_per_second == 0 ? name : absl::StrCat(name, "/reads:", reads_per_second);
  }
};

// What outlives a repetition: the data on the device, and what the engines of `auto` have learned.
class Bench {
 public:
  Bench(Flags flags, std::unique_ptr<Device> device, BenchVolume volume)
      : flags_(std::move(flags)),
        device_(std::move(device)),
        volume_(std::move(volume)) {}

  void Run(benchmark::State& state, const Case& c) {
    const absl::Status status = Measure(state, c);
    if (status.ok()) return;
    state.SkipWithError(status.ToString().c_str());
    if (failure_.ok()) failure_ = status;
  }
  // What became of it all: the first failure, or the first block with wrong data.
  absl::Status Check() const { return failure_.ok() ? volume_.Verify() : failure_; }

 private:
  absl::Status Measure(benchmark::State& state, const Case& c);
  absl::StatusOr<std::unique_ptr<Relocator>> MakeRelocator(const Case& c);
  absl::StatusOr<Relocator*> LearnedRelocator(const Case& c);
  absl::StatusOr<std::unique_ptr<CleaningRounds>> Begin(const Case& c,
                                                        Relocator* relocator) {
    return CleaningRounds::Create(&volume_, relocator,
                                  {.live_percent = c.live_percent,
                                   .run_blocks = c.run_blocks,
                                   .victims = flags_.victims});
  }

  const Flags flags_;
  const std::unique_ptr<Device> device_;
  BenchVolume volume_;
  std::map<std::string, std::unique_ptr<Relocator>> learned_;  // by case
  absl::Status failure_;
};

absl::StatusOr<std::unique_ptr<Relocator>> Bench::MakeRelocator(const Case& c) {
  CopyEngineOptions options;
  options.mode = c.path.mode;
  options.copy_depth = c.depth;
  options.queue_depth = c.depth * kReadsPerCommand;
  return MakeDeviceRelocator(device_.get(), volume_.layout(), options, Clock::Real());
}

absl::StatusOr<Relocator*> Bench::LearnedRelocator(const Case& c) {
  std::unique_ptr<Relocator>& relocator = learned_[c.name()];
  if (relocator != nullptr) return relocator.get();
  GLEANER_ASSIGN_OR_RETURN(relocator, MakeRelocator(c));
  GLEANER_ASSIGN_OR_RETURN(const auto rounds, Begin(c, relocator.get()));
  while (rounds->relocated_blocks() * BenchVolume::kBlockBytes < kLearningBytes) {
    GLEANER_RETURN_IF_ERROR(rounds->Run());
    GLEANER_RETURN_IF_ERROR(rounds->Prepare());
  }
  GLEANER_RETURN_IF_ERROR(rounds->End());
  return relocator.get();
}

// Of one round, on average.
void Report(benchmark::State& state, const RelocationCounters& done) {
  const auto set = [&](const char* name, double value) {
    state.counters[name] = benchmark::Counter(value, benchmark::Counter::kAvgIterations);
  };
  const double bytes = BenchVolume::kBlockBytes;
  const auto native = static_cast<double>(done.native_blocks);
  const double blocks = native + static_cast<double>(done.emulated_blocks);
  set("relocated_bytes", blocks * bytes);
  set("commands", static_cast<double>(done.copy_commands));
  set("ranges", static_cast<double>(done.copy_ranges));
  set("host_bytes", static_cast<double>(done.host_bytes_read + done.host_bytes_written +
                                        kRangeEntryBytes * done.copy_ranges));
  state.counters["native_share"] = blocks == 0 ? 0 : native / blocks;
  if (done.copy_commands > 0) {
    state.counters["ranges_per_command"] =
        static_cast<double>(done.copy_ranges) / static_cast<double>(done.copy_commands);
  }
  state.SetBytesProcessed(static_cast<int64_t>(blocks * bytes));
}

absl::Status Bench::Measure(benchmark::State& state, const Case& c) {
  std::unique_ptr<Relocator> made;
  Relocator* relocator = nullptr;
  if (c.path.mode == CopyMode::kAuto) {
    GLEANER_ASSIGN_OR_RETURN(relocator, LearnedRelocator(c));
  } else {
    GLEANER_ASSIGN_OR_RETURN(made, MakeRelocator(c));
    relocator = made.get();
  }
  GLEANER_ASSIGN_OR_RETURN(const auto rounds, Begin(c, relocator));
  std::unique_ptr<ForegroundReads> reads;
  if (c.reads_per_second > 0) {
    reads = std::make_unique<ForegroundReads>(device_.get(), BenchVolume::kBlockBytes,
                                              c.reads_per_second);
  }
  // The first round finds everything cold.
  GLEANER_RETURN_IF_ERROR(rounds->Run());
  GLEANER_RETURN_IF_ERROR(rounds->Prepare());
  const RelocationCounters before = relocator->counters();
  const absl::StatusOr<HostTraffic> traffic_before = device_->ReportHostTraffic();
  for (auto _ : state) {
    if (reads != nullptr) reads->Resume();
    GLEANER_RETURN_IF_ERROR(rounds->Run());
    state.PauseTiming();
    if (reads != nullptr) reads->Pause();
    GLEANER_RETURN_IF_ERROR(rounds->Prepare());
    state.ResumeTiming();
  }
  Report(state, relocator->counters() - before);
  const absl::StatusOr<HostTraffic> traffic = device_->ReportHostTraffic();
  if (traffic.ok() && traffic_before.ok()) {
    state.counters["smart_bytes"] = benchmark::Counter(
        static_cast<double>(traffic->bytes() - traffic_before->bytes()),
        benchmark::Counter::kAvgIterations);
  }
  if (reads != nullptr) {
    GLEANER_RETURN_IF_ERROR(reads->status());
    state.counters["read_p50_us"] = absl::ToDoubleMicroseconds(reads->Percentile(0.5));
    state.counters["read_p99_us"] = absl::ToDoubleMicroseconds(reads->Percentile(0.99));
    state.counters["reads"] = static_cast<double>(reads->count());
  }
  return rounds->End();
}

std::vector<Case> Cases(const CopyLimits& limits) {
  std::vector<Case> cases;
  for (const Path& path : kPaths) {
    if (path.mode == CopyMode::kNative && !limits.can_copy()) continue;
    for (const uint32_t run : kRunBlocks) {
      for (const uint32_t live : kLivePercent) cases.push_back({live, run, path});
      cases.push_back({50, run, path, kUsualDepth, kReadsPerSecond});
      if (path.mode == CopyMode::kAuto) continue;
      for (const int depth : kDepths) cases.push_back({50, run, path, depth});
    }
  }
  return cases;
}

void Register(Bench* bench, const Device& device) {
  for (const Case& c : Cases(device.copy_limits())) {
    benchmark::RegisterBenchmark(
        c.name().c_str(), [bench, c](benchmark::State& state) { bench->Run(state, c); })
        ->MeasureProcessCPUTime()
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
}

void DescribeDevice(const Flags& flags, const Device& device) {
  const Geometry& g = device.geometry();
  const CopyLimits limits = device.copy_limits();
  benchmark::AddCustomContext("device", flags.device);
  benchmark::AddCustomContext("block_bytes", absl::StrCat(g.block_bytes));
  benchmark::AddCustomContext("zoned", g.zoned() ? "yes" : "no");
  benchmark::AddCustomContext("max_copy_blocks", absl::StrCat(limits.max_copy_blocks));
  benchmark::AddCustomContext("max_copy_ranges", absl::StrCat(limits.max_copy_ranges));
  benchmark::AddCustomContext("max_range_blocks", absl::StrCat(limits.max_range_blocks));
  benchmark::AddCustomContext("copy_limits_unknown", limits.unknown ? "yes" : "no");
  benchmark::AddCustomContext("victims", absl::StrCat(flags.victims));
  benchmark::AddCustomContext("learning_bytes", absl::StrCat(kLearningBytes));
}

std::string CommandLine(int argc, char** argv) {
  std::string line = "bazel run -c opt //bench:relocation --";
  for (int i = 1; i < argc; ++i) absl::StrAppend(&line, " ", argv[i]);
  return line;
}

// Takes our flags out of argv; what is left is nobody's.
absl::StatusOr<Flags> ParseFlags(int* argc, char** argv) {
  Flags flags;
  int kept = 1;
  for (int i = 1; i < *argc; ++i) {
    absl::string_view arg = argv[i];
    uint32_t* number = nullptr;
    if (arg == "--force") {
      flags.force = true;
      continue;
    }
    if (absl::ConsumePrefix(&arg, "--device=")) {
      flags.device = std::string(arg);
      continue;
    }
    if (absl::ConsumePrefix(&arg, "--segment_blocks=")) number = &flags.segment_blocks;
    if (absl::ConsumePrefix(&arg, "--victims=")) number = &flags.victims;
    if (number == nullptr) {
      argv[kept++] = argv[i];
    } else if (!absl::SimpleAtoi(arg, number) || *number == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(argv[i], " is not a number above 0"));
    }
  }
  *argc = kept;
  if (flags.device.empty()) {
    return absl::InvalidArgumentError(
        "--device=SPEC is missing, as in --device=nvme:/dev/nvme0n1; all that is on it "
        "will be lost");
  }
  return flags;
}

absl::Status RunAll(const Flags& flags) {
  OpenOptions options;
  options.force = flags.force;
  options.message = [](absl::string_view text) {
    std::fprintf(stderr, "relocation: %s\n", std::string(text).c_str());
  };
  GLEANER_ASSIGN_OR_RETURN(auto device, OpenDevice(flags.device, options));
  GLEANER_ASSIGN_OR_RETURN(BenchVolume volume,
                           BenchVolume::Create(device.get(), flags.segment_blocks));
  const uint32_t least =
      CleaningRoundsOptions{.live_percent = 75, .victims = flags.victims}
          .least_segments();
  if (volume.segments() < least) {
    return absl::OutOfRangeError(
        absl::StrCat(flags.device, " has ", volume.segments(), " segments of ",
                     volume.capacity_blocks(), " blocks; rounds of ", flags.victims,
                     " victims need ", least, ": lower --victims or --segment_blocks"));
  }
  GLEANER_RETURN_IF_ERROR(volume.Fill());
  DescribeDevice(flags, *device);
  const Device& d = *device;
  Bench bench(flags, std::move(device), std::move(volume));
  Register(&bench, d);
  benchmark::RunSpecifiedBenchmarks();
  return bench.Check();
}

}  // namespace
}  // namespace gleaner

int main(int argc, char** argv) {
  benchmark::AddCustomContext("command", gleaner::CommandLine(argc, argv));
  benchmark::Initialize(&argc, argv);
  const auto flags = gleaner::ParseFlags(&argc, argv);
  if (flags.ok() && benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  const absl::Status status = flags.ok() ? gleaner::RunAll(*flags) : flags.status();
  if (status.ok()) return 0;
  std::fprintf(stderr, "relocation: %s\n", std::string(status.message()).c_str());
  return flags.ok() ? 1 : 2;
}
