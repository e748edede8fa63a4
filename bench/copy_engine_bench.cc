// Relocation through the copy engine: MB copied per second by length of the source runs.
//
//   bazel build -c opt //bench:copy_engine_bench
//   bazel-bin/bench/copy_engine_bench [--file=PATH] [Google Benchmark's flags]
//
// A turn is a job of 8 MiB; four are under way at a time. Sources are the live runs of segments
// of 512 blocks, cleaned in a random order, with as many stale blocks between any two runs;
// targets are whole segments, also in a random order. Blocks have 4 KiB. When the volume's
// first half has been cleaned into its second, it goes the other way.
//
//   BM_Mem/native, BM_Mem/emulated   on `mem`, that is, in RAM. They show what the engine itself
//                                    costs. Native copies there are no evidence about drives.
//   BM_File/emulated                 on a file with direct I/O: PATH, whose contents are lost and
//                                    which should be several GiB and fully written, or a small
//                                    one that is created for the purpose.
//
// tools/compare_with_fio.py sets the last against fio.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "device/copy_engine.h"
#include "device/device.h"
#include "device/device_factory.h"

namespace gleaner {
namespace {

constexpr uint64_t kBlockBytes = 4096;
constexpr uint64_t kSegmentBlocks = 512;
constexpr uint64_t kJobSegments = 4;
constexpr int kJobsInFlight = 4;
constexpr uint64_t kSmallBytes = 64 << 20;

std::string file_path;  // --file

// What a cleaner would copy, job after job.
class CleaningPattern {
 public:
  CleaningPattern(Device* device, uint64_t run_blocks)
      : device_(device), run_blocks_(run_blocks) {
    const uint64_t segments = device->geometry().capacity.value() / kSegmentBlocks;
    half_ = segments / 2 / kJobSegments * kJobSegments;
    for (uint64_t i = 0; i < half_; ++i) order_.push_back(i);
    Shuffle();
  }

  CopyJob NextJob() {
    CopyJob job;
    for (uint64_t i = 0; i < kJobSegments; ++i) FillSegment(order_[target_++], &job);
    if (target_ == half_) {
      target_ = source_ = used_ = 0;
      from_second_ = !from_second_;
      Shuffle();
    }
    return job;
  }

 private:
  void Shuffle() {
    for (uint64_t i = half_; i > 1; --i)
      std::swap(order_[i - 1], order_[random_.Below(i)]);
  }

  // Gathers runs until a segment is full; half of each victim is live.
  void FillSegment(uint64_t target, CopyJob* job) {
    for (uint64_t filled = 0; filled < kSegmentBlocks; filled += run_blocks_) {
      const uint64_t victim = order_[half_ - 1 - source_ % half_];
      const uint64_t from = (from_second_ ? half_ : 0) + victim;
      const uint64_t to = (from_second_ ? 0 : half_) + target;
      job->runs.push_back(
          {device_,
           {DeviceBlock(from * kSegmentBlocks + used_), DeviceBlockCount(run_blocks_)},
           DeviceBlock(to * kSegmentBlocks + filled)});
      used_ += 2 * run_blocks_;
      if (used_ < kSegmentBlocks) continue;
      used_ = 0;
      ++source_;
    }
  }

  Device* const device_;
  const uint64_t run_blocks_;
  Random random_{1};
  uint64_t half_;  // segments
  std::vector<uint64_t> order_;
  bool from_second_ = false;
  uint64_t target_ = 0;  // segments filled in this pass
  uint64_t source_ = 0;  // and emptied
  uint64_t used_ = 0;    // blocks of the segment at hand
};

std::unique_ptr<Device> Open(const std::string& spec, std::string* message) {
  OpenOptions options;
  options.force = true;  // the caller has offered it
  options.message = [=](absl::string_view text) { *message = std::string(text); };
  auto device = OpenDevice(spec, options);
  if (!device.ok()) {
    std::fprintf(stderr, "%s\n", device.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(device);
}

// Writes every block, so that neither holes nor unwritten extents are measured.
void WriteAll(Device& device) {
  const uint64_t blocks = device.geometry().capacity.value();
  AlignedBuffer buffer(kSegmentBlocks * kBlockBytes);
  for (uint64_t at = 0; at < blocks; at += kSegmentBlocks) {
    const DeviceRange range{DeviceBlock(at),
                            DeviceBlockCount(std::min(kSegmentBlocks, blocks - at))};
    std::memset(buffer.data(), static_cast<int>(at / kSegmentBlocks), buffer.size());
    GLEANER_CHECK(WriteBlocks(device, range, buffer.data()).ok());
  }
}

void Relocate(benchmark::State& state, Device& device, CopyMode mode) {
  const CopyEngineOptions options{.mode = mode};
  const auto engine = *CopyEngine::Create(&device, options, Clock::Real());
  CleaningPattern pattern(&device, static_cast<uint64_t>(state.range(0)));
  uint64_t started = 0, completed = 0;
  const auto done = [&](const CopyResult& result) {
    GLEANER_CHECK(result.status.ok());
    ++completed;
  };
  const auto start_next = [&] {
    GLEANER_CHECK(engine->Start(pattern.NextJob(), done).ok());
    ++started;
  };
  for (auto _ : state) {
    while (started < completed + kJobsInFlight) start_next();
    const uint64_t before = completed;
    do {
      GLEANER_CHECK(engine->Wait().ok());
    } while (completed == before);
  }
  const uint64_t counted = completed;
  while (!engine->idle()) GLEANER_CHECK(engine->Wait().ok());
  const uint64_t peak_bytes = engine->counters().peak_buffer_bytes;
  GLEANER_CHECK(peak_bytes <= options.buffer_bytes);
  state.SetBytesProcessed(
      static_cast<int64_t>(counted * kJobSegments * kSegmentBlocks * kBlockBytes));
  state.counters["buffer_KiB"] = static_cast<double>(peak_bytes) / 1024;
}

void BM_Mem(benchmark::State& state, CopyMode mode) {
  std::string message;
  const auto device = Open(absl::StrCat("mem:size=", kSmallBytes), &message);
  WriteAll(*device);
  Relocate(state, *device, mode);
  state.SetLabel(mode == CopyMode::kNative ? "in RAM: no evidence about drives"
                                           : "in RAM");
}

// A file of its own, for a run without --file.
class SmallFile {
 public:
  SmallFile() {
    const char* folder = std::getenv("TEST_TMPDIR");
    path_ =
        absl::StrCat(folder != nullptr ? folder : ".", "/copy_engine_bench.", ::getpid());
  }
  ~SmallFile() { std::remove(path_.c_str()); }
  std::string spec() const { return absl::StrCat("file:", path_, ",size=", kSmallBytes); }

 private:
  std::string path_;
};

void BM_File(benchmark::State& state) {
  std::string message = "direct I/O";
  if (!file_path.empty()) {
    const auto device = Open(absl::StrCat("file:", file_path), &message);
    Relocate(state, *device, CopyMode::kEmulate);
  } else {
    const SmallFile file;
    const auto device = Open(file.spec(), &message);
    WriteAll(*device);
    Relocate(state, *device, CopyMode::kEmulate);
    message += ", a small file: for figures give --file";
  }
  state.SetLabel(message);
}

void Runs(benchmark::internal::Benchmark* bench) {
  bench->ArgName("run")->Arg(1)->Arg(4)->Arg(16)->Arg(64)->Arg(128)->Arg(512);
  bench->UseRealTime()->Unit(benchmark::kMillisecond);
}

BENCHMARK_CAPTURE(BM_Mem, native, CopyMode::kNative)->Apply(Runs);
BENCHMARK_CAPTURE(BM_Mem, emulated, CopyMode::kEmulate)->Apply(Runs);
BENCHMARK(BM_File)->Name("BM_File/emulated")->Apply(Runs);

}  // namespace
}  // namespace gleaner

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const std::string flag = "--file=";
  if (argc == 2 && std::string(argv[1]).rfind(flag, 0) == 0) {
    gleaner::file_path = argv[1] + flag.size();
    --argc;
  }
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
