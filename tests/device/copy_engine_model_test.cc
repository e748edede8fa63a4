// Random jobs over every kind of target, many under way at once, against plain strings.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "device/composite_device.h"
#include "device/copy_engine.h"
#include "device/mem_device.h"
#include "tests/device/copy_testing.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

struct Layout {
  const char* name;
  uint32_t source_block, target_block;
  bool same_device;
  uint64_t zone_blocks, zone_capacity;  // of the target
  uint64_t chunk_blocks = 0;            // of the target, if it is a stripe
  bool concat = false;                  // whether it is a concatenation
};

constexpr Layout kLayouts[] = {
    {"one device", 4096, 4096, true, 0, 0},
    {"one zoned device", 4096, 4096, true, 64, 64},
    {"one zoned device with holes", 4096, 4096, true, 64, 50},
    {"two devices", 4096, 4096, false, 0, 0},
    {"512 to 4096", 512, 4096, false, 0, 0},
    {"4096 to 512", 4096, 512, false, 0, 0},
    {"4096 to zoned 512", 4096, 512, false, 64, 48},
    {"one stripe", 4096, 4096, true, 0, 0, 16},
    {"one stripe of single blocks", 4096, 4096, true, 0, 0, 1},
    {"one concatenation", 4096, 4096, true, 0, 0, 0, true},
    {"one zoned concatenation", 4096, 4096, true, 64, 50, 0, true},
    {"one device to a stripe", 4096, 4096, false, 0, 0, 8},
};

constexpr uint64_t kStripeMembers = 4;
constexpr uint64_t kFirstBlocks = 640;  // of a concatenation's two members

bool HasMembers(const Layout& layout) { return layout.chunk_blocks > 0 || layout.concat; }

// Which member of the target holds a block.
uint64_t MemberOf(const Layout& layout, uint64_t block) {
  if (layout.chunk_blocks > 0) return block / layout.chunk_blocks % kStripeMembers;
  return layout.concat && block >= kFirstBlocks ? 1 : 0;
}

std::unique_ptr<Device> MakeTarget(const Layout& layout) {
  if (!HasMembers(layout))
    return Mem(1024, layout.target_block, layout.zone_blocks, layout.zone_capacity);
  const std::vector<uint64_t> capacities =
      layout.concat ? std::vector<uint64_t>{kFirstBlocks, 1024 - kFirstBlocks}
                    : std::vector<uint64_t>(kStripeMembers, 1024 / kStripeMembers);
  std::vector<std::unique_ptr<Device>> members;
  for (const uint64_t blocks : capacities) {
    members.push_back(
        Mem(blocks, layout.target_block, layout.zone_blocks, layout.zone_capacity));
  }
  auto device = layout.concat
                    ? MakeConcatDevice(std::move(members))
                    : MakeStripeDevice(std::move(members),
                                       layout.chunk_blocks * layout.target_block);
  EXPECT_THAT(device, IsOk());
  return *std::move(device);
}

class RandomJobs {
 public:
  RandomJobs(const Layout& layout, CopyMode mode, uint64_t seed)
      : layout_(layout),
        source_blocks_(layout.same_device ? 256 : 512),
        random_(seed),
        mode_(mode),
        target_(MakeTarget(layout)) {
    if (!layout.same_device) other_ = Mem(512, layout.source_block);
    source_ = layout.same_device ? target_.get() : other_.get();
    // In zones, what is written first is what is copied later.
    const uint64_t step =
        layout.same_device && layout.zone_blocks ? layout.zone_blocks : 256;
    const uint64_t filled =
        layout.zone_capacity && layout.same_device ? layout.zone_capacity : step;
    for (uint64_t at = 0; at < source_blocks_; at += step)
      FillDevice(*source_, Blocks(at, filled), seed);
    source_data_ = Contents(*source_, 0, source_blocks_);
    next_target_ = layout.same_device ? 256 : 0;
    expected_ = Contents(*target_, 0, 1024);
    CopyEngineOptions options;
    options.buffer_bytes = 64 << 10;  // few and small, so that they run out
    options.chunk_bytes = 16 << 10;
    options.queue_depth = 5;
    options.copy_depth = 2;
    engine_ = Engine(*target_, mode, options);
  }

  void RunAll(int jobs) {
    for (int i = 0; i < jobs; ++i) {
      StartOne();
      if (random_.Below(3) == 0) engine_->Poll();
    }
    while (!engine_->idle()) ASSERT_THAT(engine_->Wait(), IsOk());
    EXPECT_EQ(completed_, started_);
    EXPECT_EQ(engine_->counters().jobs, static_cast<uint64_t>(started_));
    EXPECT_LE(engine_->counters().peak_buffer_bytes, 64u << 10);
    EXPECT_TRUE(Contents(*target_, 0, 1024) == expected_);
  }

 private:
  void StartOne() {
    CopyJob job;
    const uint64_t runs = 1 + random_.Below(12);
    for (uint64_t i = 0; i < runs; ++i) {
      CopyRun run;
      if (NextRun(&run)) job.runs.push_back(run);
    }
    if (job.runs.empty()) return;
    ++started_;
    const std::vector<CopyRun> copy = job.runs;
    ASSERT_THAT(engine_->Start(
                    std::move(job),
                    [this, copy](const CopyResult& result) {
                      ++completed_;
                      EXPECT_THAT(result.status, IsOk());
                      for (size_t i = 0; i < copy.size(); ++i) {
                        EXPECT_EQ(Copied(result.runs[i]), copy[i].from.count.value());
                        EXPECT_LE(result.runs[i].native.value(), NativeBlocks(copy[i]));
                      }
                    }),
                IsOk());
  }

  // A run to the next free place of the target; false if there is none.
  bool NextRun(CopyRun* run) {
    uint64_t blocks = 1 + random_.Below(random_.Below(4) == 0 ? 40 : 5);
    if (layout_.zone_blocks == 0) {
      next_target_ += random_.Below(5) == 0 ? random_.Below(3) : 0;  // sometimes a hole
    } else {
      const uint64_t capacity = layout_.zone_capacity;
      if (next_target_ % layout_.zone_blocks >= capacity) {
        next_target_ += layout_.zone_blocks - next_target_ % layout_.zone_blocks;
      }
      blocks = std::min(blocks, capacity - next_target_ % layout_.zone_blocks);
    }
    if (next_target_ + blocks > 1024) return false;
    const uint64_t bytes = blocks * layout_.target_block;
    const uint64_t source_blocks =
        (bytes + layout_.source_block - 1) / layout_.source_block;
    uint64_t from = random_.Below(source_blocks_ - source_blocks);
    if (mode_ == CopyMode::kNative) {  // nothing else may cross members
      for (int tries = 0; !CanBeNative(from, next_target_); ++tries) {
        if (tries == 1000) return false;  // no source is on that member
        from = random_.Below(source_blocks_ - source_blocks);
      }
      uint64_t reach = 1;
      while (reach < blocks && CanBeNative(from + reach, next_target_ + reach)) ++reach;
      blocks = reach;
    }
    *run = {source_, Blocks(from, blocks), DeviceBlock(next_target_)};
    std::memcpy(expected_.data() + next_target_ * layout_.target_block,
                source_data_.data() + from * layout_.source_block,
                blocks * layout_.target_block);
    next_target_ += blocks;
    return true;
  }

  bool CanBeNative(uint64_t from, uint64_t to) const {
    return layout_.same_device && MemberOf(layout_, from) == MemberOf(layout_, to);
  }
  uint64_t NativeBlocks(const CopyRun& run) const {
    uint64_t blocks = 0;
    for (uint64_t i = 0; i < run.from.count.value(); ++i)
      blocks += CanBeNative(run.from.start.value() + i, run.to.value() + i) ? 1 : 0;
    return blocks;
  }

  const Layout layout_;
  const uint64_t source_blocks_;
  Random random_;
  const CopyMode mode_;
  const std::unique_ptr<Device> target_;
  std::unique_ptr<MemDevice> other_;
  Device* source_ = nullptr;
  std::string source_data_;
  std::string expected_;
  uint64_t next_target_ = 0;
  int started_ = 0;
  int completed_ = 0;
  std::unique_ptr<CopyEngine> engine_;
};

class CopyEngineModelTest : public ::testing::TestWithParam<CopyMode> {};

TEST_P(CopyEngineModelTest, RandomJobsMatchAModel) {
  for (const Layout& layout : kLayouts) {
    if (GetParam() == CopyMode::kNative && !layout.same_device) continue;
    for (uint64_t seed = 0; seed < 5; ++seed) {
      SCOPED_TRACE(absl::StrCat(layout.name, ", seed ", seed));
      RandomJobs jobs(layout, GetParam(), seed);
      jobs.RunAll(40);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, CopyEngineModelTest,
                         ::testing::Values(CopyMode::kAuto, CopyMode::kNative,
                                           CopyMode::kEmulate),
                         [](const auto& info) -> std::string {
                           return info.param == CopyMode::kAuto     ? "Auto"
                                  : info.param == CopyMode::kNative ? "Native"
                                                                    : "Emulate";
                         });

}  // namespace
}  // namespace gleaner::testing
