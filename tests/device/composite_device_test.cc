#include "device/composite_device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "device/copy_engine.h"
#include "device/device_factory.h"
#include "device/mem_device.h"
#include "tests/device/copy_testing.h"
#include "tests/device/scripted_device.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
using Members = std::vector<std::unique_ptr<Device>>;

std::unique_ptr<MemDevice> Member(const std::function<void(MemDeviceOptions&)>& change) {
  MemDeviceOptions options;
  options.capacity = DeviceBlockCount(64);
  change(options);
  return *MemDevice::Create(options);
}

// Members of 64 blocks; the i-th is changed as told.
Members Two(const std::function<void(MemDeviceOptions&, int)>& change = {}) {
  Members members;
  for (int i = 0; i < 2; ++i) {
    members.push_back(Member([&](MemDeviceOptions& o) {
      o.name = i == 0 ? "left" : "right";
      if (change) change(o, i);
    }));
  }
  return members;
}

void MakeZoned(MemDeviceOptions& options) {
  options.zone_size = DeviceBlockCount(16);
  options.zone_capacity = DeviceBlockCount(12);
}

TEST(CompositeDeviceTest, RefusesMembersThatDoNotFit) {
  const auto unlike_blocks = [](MemDeviceOptions& o, int i) {
    if (i == 1) o.block_bytes = 512;
  };
  EXPECT_THAT(MakeStripeDevice(Two(unlike_blocks), 8192),
              StatusIs(kInvalid,
                       "stripe: member 2 (right) has blocks of 512 bytes, "
                       "member 1 (left) of 4096"));
  EXPECT_THAT(MakeConcatDevice(Two(unlike_blocks)), StatusIs(kInvalid, HasSubstr("512")));
  Members one = Two();
  one.pop_back();
  EXPECT_THAT(MakeConcatDevice(std::move(one)),
              StatusIs(kInvalid, "concat: two members or more, not 1"));
  EXPECT_THAT(MakeStripeDevice(Two([](MemDeviceOptions& o, int) { MakeZoned(o); }), 8192),
              StatusIs(kInvalid, "stripe: member 1 (left) is zoned; concat takes zones"));
  EXPECT_THAT(MakeConcatDevice(Two([](MemDeviceOptions& o, int i) {
                if (i == 1) MakeZoned(o);
              })),
              StatusIs(kInvalid,
                       "concat: member 2 (right) has zones of 16 blocks with a "
                       "capacity of 12, member 1 (left) no zones"));
  EXPECT_THAT(MakeConcatDevice(Two([](MemDeviceOptions& o, int i) {
                MakeZoned(o);
                if (i == 1) o.zone_capacity = DeviceBlockCount(13);
              })),
              StatusIs(kInvalid, HasSubstr("a capacity of 13")));
}

TEST(CompositeDeviceTest, RefusesChunksThatDoNotFit) {
  EXPECT_THAT(MakeStripeDevice(Two(), 6000),
              StatusIs(kInvalid,
                       "stripe: a chunk of 6000 bytes is not a multiple of the "
                       "members' block, 4096 bytes"));
  EXPECT_THAT(MakeStripeDevice(Two(), 65 * 4096),
              StatusIs(kInvalid,
                       "stripe: member 1 (left) has no room for a chunk of "
                       "266240 bytes"));
  EXPECT_THAT(MakeStripeDevice(Two(), 64 * 4096), IsOk());
}

TEST(CompositeDeviceTest, LimitsAreTheLeast) {
  const auto change = [](MemDeviceOptions& o, int i) {
    MakeZoned(o);
    o.max_open_zones = i == 0 ? 0 : 3;
    o.max_active_zones = i == 0 ? 4 : 9;
    o.max_transfer = DeviceBlockCount(i == 0 ? 9 : 7);
    o.volatile_cache = i == 1;
    o.copy_limits = i == 0 ? CopyLimits{10, 8, 3} : CopyLimits{9, 12, 5};
  };
  ASSERT_OK_AND_ASSIGN(const auto device, MakeConcatDevice(Two(change)));
  const Geometry& g = device->geometry();
  EXPECT_EQ(device->name(), "concat:left;right");
  EXPECT_EQ(g.capacity, DeviceBlockCount(128));
  EXPECT_EQ(g.max_open_zones, 3u);
  EXPECT_EQ(g.max_active_zones, 4u);
  EXPECT_EQ(g.max_transfer, DeviceBlockCount(7));
  EXPECT_TRUE(g.volatile_write_cache);
  EXPECT_EQ(device->hardware_copy_limits(), (CopyLimits{9, 8, 3}));
  device->LowerCopyLimits({.max_copy_ranges = 2});
  EXPECT_EQ(device->copy_limits(), (CopyLimits{9, 2, 3}));
}

TEST(CompositeDeviceTest, AStripeHasTheSmallestMembersWholeChunks) {
  Members members = Two([](MemDeviceOptions& o, int i) {
    o.capacity = DeviceBlockCount(i == 0 ? 64 : 47);
  });
  ASSERT_OK_AND_ASSIGN(const auto device,
                       MakeStripeDevice(std::move(members), 12 * 4096));
  EXPECT_EQ(device->name(), "stripe:48K;left;right");
  EXPECT_EQ(device->geometry().capacity, DeviceBlockCount(72));  // 3 chunks of each
}

// A device that says what it likes of itself.
class Described : public Device {
 public:
  explicit Described(const Geometry& geometry)
      : Device("described", Access::kReadWrite, geometry, {}) {}

 protected:
  absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int) override {
    return absl::UnimplementedError("no queues");
  }
};

Members OfAtomicWrites(uint64_t left, uint64_t right, uint64_t capacity) {
  Members members;
  for (const uint64_t unit : {left, right}) {
    Geometry geometry;
    geometry.capacity = DeviceBlockCount(capacity);
    geometry.atomic_write = DeviceBlockCount(unit);
    members.push_back(std::make_unique<Described>(geometry));
  }
  return members;
}

TEST(CompositeDeviceTest, AtomicWritesDoNotCrossBoundaries) {
  const auto stripe = [](uint64_t left, uint64_t right, uint64_t chunk) {
    return (*MakeStripeDevice(OfAtomicWrites(left, right, 960), chunk * 4096))
        ->geometry()
        .atomic_write.value();
  };
  EXPECT_EQ(stripe(16, 8, 64), 8u);
  EXPECT_EQ(stripe(16, 16, 4), 4u);
  EXPECT_EQ(stripe(16, 16, 24), 8u);
  EXPECT_EQ(stripe(16, 16, 3), 1u);
  const auto concat = [](uint64_t capacity) {
    return (*MakeConcatDevice(OfAtomicWrites(16, 32, capacity)))
        ->geometry()
        .atomic_write.value();
  };
  EXPECT_EQ(concat(960), 16u);
  EXPECT_EQ(concat(964), 4u);
}

TEST(CompositeDeviceTest, BlocksLieWhereTheMapSays) {
  Members members = Two();
  Device* const right = members[1].get();
  ASSERT_OK_AND_ASSIGN(const auto device, MakeStripeDevice(std::move(members), 4 * 4096));
  FillDevice(*device, Blocks(0, 128), 7);
  EXPECT_TRUE(Contents(*right, 4, 4) == Contents(*device, 12, 4));
  EXPECT_TRUE(Contents(*right, 60, 4) == Contents(*device, 124, 4));
}

TEST(CompositeDeviceTest, WindowsAreChunksAndDomainsMembers) {
  Members members = Two();
  const Device* const right = members[1].get();
  ASSERT_OK_AND_ASSIGN(auto stripe, MakeStripeDevice(std::move(members), 4 * 4096));
  const CopyWindow window = stripe->copy_window(DeviceBlock(13));
  EXPECT_EQ(window.range, Blocks(12, 4));
  EXPECT_EQ(window.domain, right);
  // Of a concatenation whose second member is that stripe.
  Members outer;
  outer.push_back(Member([](MemDeviceOptions& o) { o.capacity = DeviceBlockCount(10); }));
  outer.push_back(std::move(stripe));
  ASSERT_OK_AND_ASSIGN(const auto concat, MakeConcatDevice(std::move(outer)));
  EXPECT_EQ(concat->copy_window(DeviceBlock(3)).range, Blocks(0, 10));
  EXPECT_EQ(concat->copy_window(DeviceBlock(23)).range, Blocks(22, 4));
  EXPECT_EQ(concat->copy_window(DeviceBlock(23)).domain, right);
}

TEST(CompositeDeviceTest, CopiesStayWithinChunksAndMembers) {
  ASSERT_OK_AND_ASSIGN(const auto device, MakeStripeDevice(Two(), 4 * 4096));
  FillDevice(*device, Blocks(0, 128), 7);
  ASSERT_OK_AND_ASSIGN(const auto queue, device->OpenQueue(4));
  const auto copy = [&](const std::vector<DeviceRange>& sources, uint64_t target) {
    OpResult result;
    absl::Status accepted = queue->Copy(sources, DeviceBlock(target), {},
                                        [&result](const OpResult& r) { result = r; });
    if (!accepted.ok()) return accepted;
    EXPECT_THAT(queue->Wait(), IsOk());
    return result.status;
  };
  // Gathered from three chunks of the second member.
  const std::string expected =
      Contents(*device, 20, 2) + Contents(*device, 7, 1) + Contents(*device, 28, 1);
  EXPECT_THAT(copy({Blocks(20, 2), Blocks(7, 1), Blocks(28, 1)}, 44), IsOk());
  EXPECT_TRUE(Contents(*device, 44, 4) == expected);
  EXPECT_THAT(copy({Blocks(3, 2)}, 44),
              StatusIs(kInvalid, HasSubstr("source blocks 3+2 of a copy cross the end of "
                                           "a chunk or member, block 4")));
  EXPECT_THAT(
      copy({Blocks(20, 2)}, 47),
      StatusIs(kInvalid, HasSubstr("target blocks 47+2 of a copy cross the end of "
                                   "a chunk or member, block 48")));
  EXPECT_THAT(copy({Blocks(20, 2), Blocks(0, 1)}, 44),
              StatusIs(kInvalid, HasSubstr("source blocks 0+1 of a copy lie on another "
                                           "member than its target, blocks 44+3")));
}

TEST(CompositeDeviceTest, AFlushGoesToAllMembers) {
  std::vector<MemDevice*> cached;
  Members members;
  for (int i = 0; i < 3; ++i) {
    auto member = Member([](MemDeviceOptions& o) { o.volatile_cache = true; });
    cached.push_back(member.get());
    members.push_back(std::move(member));
  }
  ASSERT_OK_AND_ASSIGN(const auto device, MakeStripeDevice(std::move(members), 4096));
  FillDevice(*device, Blocks(0, 6), 1);
  ASSERT_THAT(FlushDevice(*device), IsOk());
  const std::string flushed = Contents(*device, 0, 6);
  FillDevice(*device, Blocks(0, 6), 2);
  for (MemDevice* member : cached) ASSERT_THAT(member->DropUnflushed(), IsOk());
  EXPECT_TRUE(Contents(*device, 0, 6) == flushed);
  EXPECT_EQ(device->counters().flushes, 1u);
}

// A device that can go away, and does nothing else.
class Gone : public Device {
 public:
  explicit Gone(const Geometry& geometry)
      : Device("gone", Access::kReadWrite, geometry, {}) {}
  bool gone = false;

 protected:
  absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int depth) override {
    class Queue : public IoQueue {
     public:
      Queue(Gone* device, int depth) : IoQueue(device, depth), gone_(device->gone) {}

     protected:
      void DoStart(uint32_t id, const Piece&) override { started_.push_back(id); }
      void DoReap(ReapMode) override {
        for (const uint32_t id : std::exchange(started_, {})) {
          OpResult result;
          if (gone_) result.status = absl::UnavailableError("gone: no such device");
          Finish(id, result);
        }
      }

     private:
      const bool& gone_;
      std::vector<uint32_t> started_;
    };
    return std::make_unique<Queue>(this, depth);
  }
};

TEST(CompositeDeviceTest, ErrorsNameTheMember) {
  Members members = Two();
  auto gone = std::make_unique<Gone>(members[0]->geometry());
  bool& is_gone = gone->gone;
  members.push_back(std::move(gone));
  ASSERT_OK_AND_ASSIGN(const auto device, MakeStripeDevice(std::move(members), 4096));
  ASSERT_OK_AND_ASSIGN(const auto queue, device->OpenQueue(4));
  AlignedBuffer buffer(3 * 4096);
  EXPECT_THAT(WriteBlocks(*queue, Blocks(0, 3), buffer.data()), IsOk());
  is_gone = true;
  const auto unavailable =
      StatusIs(absl::StatusCode::kUnavailable,
               "stripe:4K;left;right;gone, member 3: gone: no such device");
  EXPECT_THAT(WriteBlocks(*queue, Blocks(0, 3), buffer.data()), unavailable);
  EXPECT_THAT(FlushDevice(*queue), unavailable);
  EXPECT_THAT(WriteBlocks(*queue, Blocks(0, 2), buffer.data()), IsOk());
}

TEST(CompositeDeviceTest, ZonesOfAllMembersAreReported) {
  ASSERT_OK_AND_ASSIGN(
      const auto device,
      MakeConcatDevice(Two([](MemDeviceOptions& o, int) { MakeZoned(o); })));
  ASSERT_OK_AND_ASSIGN(const auto queue, device->OpenQueue(4));
  AlignedBuffer buffer(2 * 4096);
  DeviceBlock at;
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(queue->Append(DeviceBlock(80), DeviceBlockCount(2), buffer.data(), {},
                              [&at](const OpResult& r) { at = r.written_at; }),
                IsOk());
    ASSERT_THAT(queue->Wait(), IsOk());
  }
  EXPECT_EQ(at, DeviceBlock(82));
  ASSERT_OK_AND_ASSIGN(const auto zones, device->ReportZones(Blocks(48, 40)));
  ASSERT_EQ(zones.size(), 3u);
  EXPECT_EQ(zones[0].start, DeviceBlock(48));
  EXPECT_EQ(zones[1].start, DeviceBlock(64));
  EXPECT_EQ(zones[1].write_pointer, DeviceBlock(64));
  EXPECT_EQ(zones[2].start, DeviceBlock(80));
  EXPECT_EQ(zones[2].write_pointer, DeviceBlock(84));
  ASSERT_THAT(queue->ZoneReset(DeviceBlock(80), [](const OpResult&) {}), IsOk());
  ASSERT_THAT(queue->Wait(), IsOk());
  ASSERT_OK_AND_ASSIGN(const auto after, device->ReportZones(Blocks(80, 1)));
  EXPECT_EQ(after[0].state, ZoneState::kEmpty);
}

TEST(CompositeDeviceTest, AFailedCopySaysHowFarItWent) {
  Members members = Two();
  auto scripted = std::make_unique<ScriptedDevice>(Member([](MemDeviceOptions&) {}));
  scripted->set_copy_outcome([](absl::Span<const DeviceRange>) {
    OpResult result;
    result.status = absl::DataLossError("scripted: unreadable");
    result.ranges_copied = 1;
    result.nvme = {2, 0x81, false};
    return result;
  });
  members.push_back(std::move(scripted));
  ASSERT_OK_AND_ASSIGN(const auto device, MakeStripeDevice(std::move(members), 4 * 4096));
  ASSERT_OK_AND_ASSIGN(const auto queue, device->OpenQueue(4));
  OpResult result;
  ASSERT_THAT(queue->Copy({Blocks(8, 1), Blocks(20, 1)}, DeviceBlock(32), {},
                          [&result](const OpResult& r) { result = r; }),
              IsOk());
  ASSERT_THAT(queue->Wait(), IsOk());
  EXPECT_THAT(result.status, StatusIs(absl::StatusCode::kDataLoss,
                                      HasSubstr("member 3: scripted: unreadable")));
  EXPECT_EQ(result.ranges_copied, 1u);
  EXPECT_EQ(result.nvme.code, 0x81);
}

TEST(CompositeCopyTest, NativeWithinAMemberEmulatedAcross) {
  ASSERT_OK_AND_ASSIGN(const auto device, MakeStripeDevice(Two(), 4 * 4096));
  FillDevice(*device, Blocks(0, 64), 7);
  const std::string within = Contents(*device, 4, 4);
  const std::string across = Contents(*device, 0, 4);
  const auto engine = Engine(*device, CopyMode::kAuto);
  CopyJob job;
  job.runs = {{device.get(), Blocks(4, 4), DeviceBlock(68)},
              {device.get(), Blocks(0, 4), DeviceBlock(76)},
              {device.get(), Blocks(0, 16), DeviceBlock(80)}};
  const CopyResult result = RunJob(*engine, job);
  ASSERT_THAT(result.status, IsOk());
  EXPECT_EQ(result.runs[0].native, DeviceBlockCount(4));
  EXPECT_EQ(result.runs[1].emulated, DeviceBlockCount(4));
  EXPECT_EQ(Copied(result.runs[2]), 16u);
  EXPECT_TRUE(Contents(*device, 68, 4) == within);
  EXPECT_TRUE(Contents(*device, 76, 4) == across);
  EXPECT_TRUE(Contents(*device, 80, 16) == Contents(*device, 0, 16));
}

TEST(CompositeCopyTest, NativeModeRefusesWhatCrossesBeforeAnythingIsSubmitted) {
  ASSERT_OK_AND_ASSIGN(const auto device, MakeStripeDevice(Two(), 4 * 4096));
  const auto engine = Engine(*device, CopyMode::kNative);
  CopyJob job;
  job.runs = {{device.get(), Blocks(4, 4), DeviceBlock(68)},
              {device.get(), Blocks(6, 4), DeviceBlock(80)}};
  EXPECT_THAT(RunJob(*engine, job).status,
              StatusIs(absl::StatusCode::kUnimplemented,
                       "no native copy of block 6 to block 80 of stripe:16K;left;right: "
                       "they lie on different members"));
  EXPECT_EQ(device->counters().copies, 0u);
  job.runs.pop_back();
  EXPECT_THAT(RunJob(*engine, job).status, IsOk());
}

// A member that fails, and failures in front of all. Some cannot be recovered from; what is said
// to have arrived has, all the same.
TEST(CompositeCopyTest, FailedCopiesAreRecovered) {
  for (const char* spec :
       {"stripe:32K;(faulty:seed=3,partial=0.2,fail=0.1,copies_only=1;mem:size=4M);mem:"
        "size=4M,max_copy_ranges=5",
        "faulty:seed=4,partial=0.2,fail=0.1,copies_only=1,real_copy_ranges=2;stripe:32K;"
        "mem:"
        "size=4M;mem:size=4M"}) {
    SCOPED_TRACE(spec);
    const uint64_t seed = 11;
    SCOPED_TRACE(seed);
    Random random(seed);
    ASSERT_OK_AND_ASSIGN(const auto device, OpenDevice(spec));
    FillDevice(*device, Blocks(0, 512), 7);
    const std::string data = Contents(*device, 0, 512);
    const auto engine = Engine(*device, CopyMode::kAuto);
    int arrived = 0;
    for (uint64_t at = 1024; at < 1950;) {
      CopyJob job;
      std::string expected;
      const uint64_t start = at;
      for (int i = 0; i < 6; ++i) {
        const uint64_t from = random.Below(500);
        const uint64_t blocks = 1 + random.Below(12);
        job.runs.push_back({device.get(), Blocks(from, blocks), DeviceBlock(at)});
        expected.append(data, from * 4096, blocks * 4096);
        at += blocks;
      }
      const CopyResult result = RunJob(*engine, job);
      if (!result.status.ok()) continue;
      ++arrived;
      for (size_t i = 0; i < job.runs.size(); ++i)
        EXPECT_EQ(Copied(result.runs[i]), job.runs[i].from.count.value());
      EXPECT_TRUE(Contents(*device, start, at - start) == expected);
    }
    EXPECT_GT(arrived, 5);
    EXPECT_GT(engine->counters().failed_commands, 0u);
    EXPECT_GT(engine->counters().native_blocks, DeviceBlockCount(0));
  }
}

TEST(CompositeCopyTest, ACommandGathersFromManyChunksOfItsMember) {
  ASSERT_OK_AND_ASSIGN(const auto device, MakeStripeDevice(Two(), 8 * 4096));
  FillDevice(*device, Blocks(0, 64), 7);
  const auto engine = Engine(*device, CopyMode::kNative);
  CopyJob job;
  for (uint64_t i = 0; i < 4; ++i)
    job.runs.push_back({device.get(), Blocks(16 * i + 2, 2), DeviceBlock(96 + 2 * i)});
  EXPECT_THAT(RunJob(*engine, job).status, IsOk());
  EXPECT_EQ(engine->counters().commands, 1u);
  EXPECT_EQ(engine->counters().ranges, 4u);
}

}  // namespace
}  // namespace gleaner::testing
