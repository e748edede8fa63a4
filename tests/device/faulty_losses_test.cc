// Power cuts of a faulty device in lock step with a model of what each block may hold: what the last
// flush covered, or something that completed since.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "device/faulty_device.h"
#include "tests/device/copy_testing.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {
namespace {

constexpr uint32_t kBlockBytes = 512;
constexpr uint64_t kBlocks = 48;

// Says that it has flushed, and has not.
class ForgetsToFlush : public Device {
 public:
  explicit ForgetsToFlush(std::unique_ptr<Device> device)
      : Device("forgetful", Access::kReadWrite, device->geometry(),
               device->hardware_copy_limits()),
        device_(std::move(device)) {}

 protected:
  absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int depth) override {
    return std::make_unique<Queue>(this, *device_->OpenQueue(depth), depth);
  }

 private:
  class Queue : public IoQueue {
   public:
    Queue(Device* device, std::unique_ptr<IoQueue> inner, int depth)
        : IoQueue(device, depth), inner_(std::move(inner)) {}

   protected:
    void DoStart(uint32_t id, const Piece& piece) override {
      if (piece.type == OpType::kFlush) return flushes_.push_back(id);
      const auto done = [this, id](const OpResult& r) { Finish(id, r); };
      EXPECT_THAT(Forward(piece, *inner_, done), IsOk());
    }
    void DoReap(ReapMode) override {
      inner_->Poll();
      for (const uint32_t id : std::exchange(flushes_, {})) Finish(id, {});
    }

   private:
    const std::unique_ptr<IoQueue> inner_;
    std::vector<uint32_t> flushes_;
  };

  const std::unique_ptr<Device> device_;
};

struct Seen {
  int cuts = 0;
  int undone = 0;  // blocks
  int kept = 0;    // that a cut could have undone
  int flushes = 0;
};

// Small operations at random, some in flight together, on blocks of their own.
class LockStep {
 public:
  LockStep(uint64_t seed, const FaultModel& model, bool forgets)
      : random_(seed), forgets_(forgets), allowed_(kBlocks, {0}), now_(kBlocks, 0) {
    auto mem = Mem(kBlocks, kBlockBytes);
    mem_ = mem.get();
    auto faulty = MakeFaultyDevice(std::move(mem), model);
    EXPECT_THAT(faulty, IsOk());
    device_ = *std::move(faulty);
    faulty_ = device_.get();
    EXPECT_TRUE(device_->geometry().volatile_write_cache);
    if (forgets) device_ = std::make_unique<ForgetsToFlush>(std::move(device_));
    queue_ = *device_->OpenQueue(4);
  }

  // What a block held that it must not, or nothing.
  std::string Run(int batches, Seen* seen) {
    for (int i = 0; i < batches && wrong_.empty(); ++i) Batch(seen);
    return wrong_;
  }

 private:
  struct Operation {
    OpType type = OpType::kRead;
    DeviceRange range;
    std::vector<uint64_t> after;  // what the blocks hold then
    AlignedBuffer buffer;
    absl::Status status;
    bool done = false;
  };

  void Batch(Seen* seen) {
    operations_.clear();
    std::set<uint64_t> taken;
    const uint64_t losses = faulty_->losses();
    for (uint64_t i = 0, n = 1 + random_.Below(4); i < n; ++i) StartOne(&taken);
    while (queue_->in_flight() > 0) queue_->Poll();
    const bool cut = faulty_->losses() != losses;
    for (const auto& op : operations_) {
      EXPECT_TRUE(op->done);
      // All that was in flight has failed, and for no other reason if there are no other faults.
      if (cut && !(forgets_ && op->type == OpType::kFlush)) {
        EXPECT_THAT(op->status, StatusIs(absl::StatusCode::kUnavailable));
      }
      if (!cut && op->type == OpType::kFlush && op->status.ok()) {
        ++seen->flushes;
        for (uint64_t b = 0; b < kBlocks; ++b) allowed_[b] = {now_[b]};
      }
    }
    for (const auto& op : operations_) {
      for (size_t i = 0; i < op->after.size(); ++i) {
        const uint64_t block = op->range.start.value() + i;
        allowed_[block].insert(op->after[i]);
        if (!cut && op->status.ok()) now_[block] = op->after[i];
      }
    }
    seen->cuts += cut;
    Compare(cut, seen);
  }

  void StartOne(std::set<uint64_t>* taken) {
    constexpr OpType kTypes[] = {
        OpType::kWrite, OpType::kWrite,       OpType::kCopy,       OpType::kCopy,
        OpType::kRead,  OpType::kWriteZeroes, OpType::kDeallocate, OpType::kFlush};
    auto op = std::make_shared<Operation>();
    op->type = kTypes[random_.Below(std::size(kTypes))];
    const uint64_t count = 1 + random_.Below(6);
    op->range = Blocks(random_.Below(kBlocks - count), count);
    const uint64_t from = random_.Below(kBlocks - count);
    if (op->type == OpType::kFlush) op->range = {};
    for (DeviceBlock b = op->range.start; b < op->range.end(); ++b)
      if (taken->contains(b.value())) return;
    if (op->type == OpType::kCopy) {
      for (uint64_t b = from; b < from + count; ++b)
        if (taken->contains(b) || op->range.contains(DeviceBlock(b))) return;
      for (uint64_t b = from; b < from + count; ++b) taken->insert(b);
    }
    for (DeviceBlock b = op->range.start; b < op->range.end(); ++b)
      taken->insert(b.value());
    Submit(*op, from, [op](const OpResult& r) {
      op->status = r.status;
      op->done = true;
    });
    operations_.push_back(op);
  }

  void Submit(Operation& op, uint64_t from, OpDone done) {
    const uint64_t count = op.range.count.value();
    op.buffer = AlignedBuffer(std::max<uint64_t>(1, count) * kBlockBytes);
    absl::Status status;
    switch (op.type) {
      case OpType::kWrite:
        for (uint64_t i = 0; i < count; ++i) {
          op.after.push_back(++last_value_);
          for (size_t at = 0; at < kBlockBytes; at += sizeof(uint64_t))
            std::memcpy(op.buffer.data() + i * kBlockBytes + at, &last_value_,
                        sizeof(uint64_t));
        }
        status = queue_->Write(op.range, op.buffer.data(), {}, std::move(done));
        break;
      case OpType::kCopy:
        for (uint64_t i = 0; i < count; ++i) op.after.push_back(now_[from + i]);
        status = queue_->Copy({Blocks(from, count)}, op.range.start, {}, std::move(done));
        break;
      case OpType::kWriteZeroes:
        op.after.assign(count, 0);
        status = queue_->WriteZeroes(op.range, std::move(done));
        break;
      case OpType::kDeallocate:
        op.after.assign(count, 0);  // as mem does
        status = queue_->Deallocate(op.range, std::move(done));
        break;
      case OpType::kFlush:
        status = queue_->Flush(std::move(done));
        break;
      default:
        status = queue_->Read(op.range, op.buffer.data(), std::move(done));
    }
    ASSERT_THAT(status, IsOk());
  }

  // Behind the faults. What a cut has left is on the media.
  void Compare(bool cut, Seen* seen) {
    const std::string contents = Contents(*mem_, 0, kBlocks);
    for (uint64_t b = 0; b < kBlocks; ++b) {
      uint64_t first, last;
      std::memcpy(&first, &contents[b * kBlockBytes], sizeof(first));
      std::memcpy(&last, &contents[(b + 1) * kBlockBytes - sizeof(last)], sizeof(last));
      EXPECT_EQ(first, last);
      if (cut ? !allowed_[b].contains(first) : first != now_[b])
        wrong_ = absl::StrCat("block ", b, " holds ", first, cut ? " after a cut" : "");
      if (cut && allowed_[b].size() > 1) ++(first == now_[b] ? seen->kept : seen->undone);
      now_[b] = first;
      if (cut) allowed_[b] = {first};
    }
  }

  Random random_;
  const bool forgets_;
  MemDevice* mem_;
  std::unique_ptr<Device> device_;
  Device* faulty_;
  std::unique_ptr<IoQueue> queue_;
  std::vector<std::shared_ptr<Operation>> operations_;
  std::vector<std::set<uint64_t>> allowed_;  // since the last flush, or cut
  std::vector<uint64_t> now_;
  uint64_t last_value_ = 0;
  std::string wrong_;
};

FaultModel Losing(uint64_t seed) { return {.seed = seed, .lost = 0.03}; }

TEST(FaultyLossesTest, ACutUndoesNothingThatAFlushCovered) {
  Seen seen;
  for (uint64_t seed = 0; seed < 400 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    EXPECT_EQ(LockStep(seed, Losing(seed), false).Run(200, &seen), "");
  }
  EXPECT_GT(seen.cuts, 3000);
  EXPECT_GT(seen.flushes, 10000);
  EXPECT_GT(seen.undone, 5000);
  EXPECT_GT(seen.kept, 5000);
}

// The model has teeth.
TEST(FaultyLossesTest, ADeviceThatForgetsToFlushIsCaught) {
  Seen seen;
  int caught = 0;
  for (uint64_t seed = 0; seed < 50; ++seed)
    caught += !LockStep(seed, Losing(seed), true).Run(200, &seen).empty();
  EXPECT_GE(caught, 45);
}

TEST(FaultyLossesTest, TheSameSeedLosesTheSame) {
  const auto run = [](uint64_t seed) {
    Seen seen;
    LockStep(3, Losing(seed), false).Run(300, &seen);
    return std::vector<int>{seen.cuts, seen.undone, seen.kept};
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

// A cut fails what is in flight in other queues, too, and is counted.
TEST(FaultyLossesTest, AllQueuesLoseWhatIsInFlight) {
  auto device = *MakeFaultyDevice(Mem(kBlocks, kBlockBytes), {.lost = 1});
  auto one = *device->OpenQueue(4), other = *device->OpenQueue(4);
  AlignedBuffer buffer(kBlockBytes);
  absl::Status statuses[2];
  const auto into = [&statuses](int i) {
    return [&statuses, i](const OpResult& r) { statuses[i] = r.status; };
  };
  ASSERT_THAT(one->Flush(into(0)), IsOk());
  ASSERT_THAT(other->Read(Blocks(0, 1), buffer.data(), into(1)), IsOk());
  EXPECT_EQ(device->losses(), 0u);
  ASSERT_THAT(one->Wait(), IsOk());
  const uint64_t losses = device->losses();
  EXPECT_GT(losses, 0u);
  ASSERT_THAT(other->Wait(), IsOk());
  for (const absl::Status& status : statuses)
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
}

TEST(FaultyLossesTest, NotOnZones) {
  EXPECT_THAT(MakeFaultyDevice(Mem(kBlocks, kBlockBytes, 16), {.lost = 0.1}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// A cache that is full is written out: of what came before nothing is undone.
TEST(FaultyLossesTest, TheCacheIsBounded) {
  constexpr uint32_t kLarge = 65536;
  constexpr uint64_t kFit = kMostUnflushedBytes / kLarge;
  int cuts = 0;
  for (uint64_t seed = 0; seed < 12; ++seed) {
    auto mem = Mem(2 * kFit, kLarge);
    MemDevice& behind = *mem;
    auto device = *MakeFaultyDevice(std::move(mem), {.seed = seed, .lost = 0.1});
    AlignedBuffer ones(256 * kLarge);
    std::fill_n(ones.data(), ones.size(), '\1');
    uint64_t written = 0;
    for (; written < 2 * kFit; written += 256)
      if (!WriteBlocks(*device, Blocks(written, 256), ones.data()).ok()) break;
    cuts += written < 2 * kFit;
    if (written <= kFit) continue;
    const std::string contents = Contents(behind, 0, kFit);
    EXPECT_EQ(std::count(contents.begin(), contents.end(), '\1'),
              static_cast<ptrdiff_t>(contents.size()))
        << seed;
  }
  EXPECT_GT(cuts, 0);
}

}  // namespace
}  // namespace gleaner::testing
