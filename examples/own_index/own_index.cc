// A small log-structured key-value store that keeps an index of its own, a hash table, and has
// its segments cleaned by Gleaner. The program fills it, overwrites and deletes until everything
// has been cleaned many times over, then checks every value.
//
//   own_index [SPEC]      by default mem:size=64M
//
// A value takes one block. The index is in memory only, so the data does not outlive the process.
// A device that holds anything is refused.
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "base/types.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "device/device.h"
#include "device/device_factory.h"
#include "extent_map/extent.h"
#include "extent_map/segment_geometry.h"
#include "extent_map/segment_liveness.h"
#include "gc/block_layout.h"
#include "gc/cleaner.h"
#include "gc/open_logs.h"
#include "gc/placement.h"
#include "gc/relocation_sink.h"
#include "gc/relocator.h"
#include "gc/segment_table.h"
#include "gc/victim_policy.h"

namespace gleaner {
namespace {

constexpr uint32_t kBlockBytes = 4096;
constexpr uint32_t kSegmentBlocks = 256;
constexpr ClassId kUserLog(0);
constexpr BlockCount kOne(1);
constexpr uint64_t kLeastSegments = 8;
// Put copies at most so many blocks in the background once fewer segments are spare.
constexpr uint64_t kBackgroundBlocks = 16;
constexpr uint32_t kBackgroundSpare = 3;

class OwnIndexStore final : private RelocationSink {
 public:
  // Uses the whole device, which must outlive the store.
  static absl::StatusOr<std::unique_ptr<OwnIndexStore>> Create(Device* device);

  absl::Status Put(const std::string& key, const std::string& value);
  absl::StatusOr<std::string> Get(const std::string& key);
  absl::Status Delete(const std::string& key);
  uint64_t capacity_blocks() const { return handles_.size(); }
  void PrintCounters() const;

 private:
  // What the index points to. Its place in records_ is its handle: the cleaner's "lba".
  struct Record {
    PhysicalBlock block;  // invalid: gone
    uint32_t bytes = 0;
  };

  OwnIndexStore(Device* device, uint32_t segments);

  // RelocationSink: what the cleaner asks and tells.
  void LiveExtents(SegmentId victim, std::vector<Extent>* extents, Done done) override;
  absl::StatusOr<PhysicalRange> Reserve(const Reservation& r) override {
    return logs_.Reserve(r.log_class, r.at_most, r.modified_at_blocks);
  }
  BlockCount RoomInOpenSegment(ClassId log_class) const override {
    return logs_.room(log_class);
  }
  void Commit(absl::Span<const Move> moves, Done done) override;
  void Settle(PhysicalRange reserved) override { logs_.Settle(reserved, now_blocks_); }
  void MakeDurable(Done done) override;

  absl::Status MakeRoom();
  absl::Status CleanInBackground();
  void MarkLive(PhysicalBlock block, Lba handle);
  void MarkStale(PhysicalBlock block) {
    table_.OnStale(liveness_.MarkStale(block), 1, now_blocks_);
  }
  void Drop(Lba handle);

  const BlockLayout layout_;
  const SegmentGeometry geometry_;
  const std::unique_ptr<VictimPolicy> policy_ = MakeCostBenefitPolicy();
  const std::unique_ptr<Placement> placement_ = MakeGcLogPlacement();
  SegmentTable table_;
  OpenLogs logs_;
  SegmentLiveness liveness_;
  absl::flat_hash_map<std::string, Lba> index_;
  std::vector<Record> records_;  // by handle
  std::vector<Lba> free_handles_;
  std::vector<Lba> handles_;  // by physical block: whose it is, while it is live
  AlignedBuffer buffer_{kBlockBytes};
  uint64_t now_blocks_ = 0;        // user blocks written: the cleaner's time
  uint64_t overtaken_blocks_ = 0;  // overwritten or deleted while they were being copied
  std::unique_ptr<Cleaner> cleaner_;
  // Destroyed before the cleaner, whose callbacks they hold.
  std::unique_ptr<IoQueue> queue_;
  std::unique_ptr<Relocator> relocator_;
};

absl::StatusOr<std::unique_ptr<OwnIndexStore>> OwnIndexStore::Create(Device* device) {
  const Geometry& g = device->geometry();
  if (g.zoned()) return absl::UnimplementedError("own_index does not reset zones");
  if (g.block_bytes > kBlockBytes)
    return absl::InvalidArgumentError(
        absl::StrCat("device blocks of ", g.block_bytes, " bytes"));
  const uint64_t segments =
      g.capacity.value() * g.block_bytes / kBlockBytes / kSegmentBlocks;
  if (segments < kLeastSegments || segments > UINT32_MAX)
    return absl::OutOfRangeError(absl::StrCat(segments, " segments of 1 MiB"));
  std::unique_ptr<OwnIndexStore> s(
      new OwnIndexStore(device, static_cast<uint32_t>(segments)));
  GLEANER_ASSIGN_OR_RETURN(s->queue_, device->OpenQueue(/*depth=*/8));
  GLEANER_ASSIGN_OR_RETURN(s->relocator_,
                           MakeDeviceRelocator(device, s->layout_, {}, Clock::Real()));
  s->cleaner_ = std::make_unique<Cleaner>(
      Cleaner::Parts{&s->table_, s.get(), s->relocator_.get(), s->policy_.get(),
                     /*foreground_policy=*/nullptr, s->placement_.get()},
      CleanerOptions{});
  return s;
}

OwnIndexStore::OwnIndexStore(Device* device, uint32_t segments)
    : layout_({.first = DeviceBlock(0),
               .device_blocks_per_block = kBlockBytes / device->geometry().block_bytes}),
      geometry_(BlockCount(kSegmentBlocks)),
      table_({.segments = segments, .capacity_blocks = kSegmentBlocks}),
      logs_(&table_, geometry_,
            {.classes = placement_->classes(),
             .reserved_segments = placement_->relocation_classes()}),
      liveness_(geometry_, segments),
      handles_(uint64_t{segments} * kSegmentBlocks) {}

// -- The store --------------------------------------------------------------------------------

absl::Status OwnIndexStore::Put(const std::string& key, const std::string& value) {
  if (value.size() > kBlockBytes)
    return absl::InvalidArgumentError("the value is too long");
  GLEANER_RETURN_IF_ERROR(MakeRoom());
  GLEANER_ASSIGN_OR_RETURN(const PhysicalRange run,
                           logs_.Append(kUserLog, kOne, now_blocks_));
  ++now_blocks_;
  std::memset(buffer_.data(), 0, buffer_.size());
  std::memcpy(buffer_.data(), value.data(), value.size());
  const absl::Status written =
      WriteBlocks(*queue_, layout_.ToDevice(run), buffer_.data());
  if (written.ok()) {
    if (free_handles_.empty()) {
      free_handles_.push_back(Lba(records_.size()));
      records_.emplace_back();
    }
    const Lba handle = free_handles_.back();
    free_handles_.pop_back();
    records_[handle.value()].bytes = static_cast<uint32_t>(value.size());
    MarkLive(run.start, handle);
    const auto [entry, is_new] = index_.try_emplace(key, handle);
    if (!is_new) Drop(std::exchange(entry->second, handle));
  }
  // After a failed write, too: the block is then garbage. A full segment becomes a candidate.
  logs_.SealIfFull(run, now_blocks_);
  GLEANER_RETURN_IF_ERROR(written);
  return CleanInBackground();
}

absl::StatusOr<std::string> OwnIndexStore::Get(const std::string& key) {
  const auto entry = index_.find(key);
  if (entry == index_.end()) return absl::NotFoundError(key);
  const Record& record = records_[entry->second.value()];
  GLEANER_RETURN_IF_ERROR(
      ReadBlocks(*queue_, layout_.ToDevice({record.block, kOne}), buffer_.data()));
  return std::string(buffer_.data(), record.bytes);
}

absl::Status OwnIndexStore::Delete(const std::string& key) {
  const auto entry = index_.find(key);
  if (entry == index_.end()) return absl::NotFoundError(key);
  Drop(entry->second);
  index_.erase(entry);
  return absl::OkStatus();
}

void OwnIndexStore::MarkLive(PhysicalBlock block, Lba handle) {
  records_[handle.value()].block = block;
  handles_[block.value()] = handle;
  table_.OnLive(liveness_.MarkLive(block), 1);
}

// The handle can be used again at once: its next block lies elsewhere, and Commit compares.
void OwnIndexStore::Drop(Lba handle) {
  MarkStale(records_[handle.value()].block);
  records_[handle.value()] = Record();
  free_handles_.push_back(handle);
}

// -- When to clean ----------------------------------------------------------------------------

// A bounded step that waits for nothing; a round stays under way from one Put to the next.
absl::Status OwnIndexStore::CleanInBackground() {
  relocator_->Poll();
  queue_->Poll();
  const Cleaner::StepResult step =
      cleaner_->Step({.spare_segments = kBackgroundSpare},
                     {.now_blocks = now_blocks_, .max_blocks = kBackgroundBlocks});
  return step.state == Cleaner::State::kFailed ? step.status : absl::OkStatus();
}

// Waits, but only where the log has no block left for the user.
absl::Status OwnIndexStore::MakeRoom() {
  const Cleaner::Goal goal{.spare_segments = logs_.reserved_segments() + 1,
                           .free_segments = 1};
  while (!logs_.CanAppend(kUserLog)) {
    const Cleaner::StepResult step = cleaner_->Step(goal, {.now_blocks = now_blocks_});
    switch (step.state) {
      case Cleaner::State::kWaitsForCopy:
        GLEANER_RETURN_IF_ERROR(relocator_->Wait());
        break;
      case Cleaner::State::kWaitsForDurable:
        GLEANER_RETURN_IF_ERROR(queue_->Wait());
        break;
      case Cleaner::State::kNothingToCollect:
      case Cleaner::State::kNoRoom:
        return absl::ResourceExhaustedError(
            absl::StrCat("the store is full: ", table_.live_blocks(), " live blocks"));
      default:
        GLEANER_RETURN_IF_ERROR(step.status);
    }
  }
  return absl::OkStatus();
}

// -- RelocationSink ---------------------------------------------------------------------------

void OwnIndexStore::LiveExtents(SegmentId victim, std::vector<Extent>* extents,
                                Done done) {
  // Put has waited for its write, so every live block can be read.
  liveness_.ForEachLiveRun(victim, [&](PhysicalRange run) {
    for (PhysicalBlock block = run.start; block < run.end(); ++block)
      extents->push_back({handles_[block.value()], block, kOne});
  });
  done(absl::OkStatus());
}

void OwnIndexStore::Commit(absl::Span<const Move> moves, Done done) {
  for (const Move& move : moves) {
    for (BlockCount i; i < move.count; i += kOne) {
      const Lba handle = move.lba + i;
      if (records_[handle.value()].block != move.from + i) {
        ++overtaken_blocks_;  // the user was faster: the copy is garbage, not the new value
        continue;
      }
      MarkStale(move.from + i);
      MarkLive(move.to + i, handle);
    }
  }
  done(absl::OkStatus());
}

void OwnIndexStore::MakeDurable(Done done) {
  // A store that survives its process also makes its index durable here. Only when `done` has
  // run are released segments written again.
  auto shared = std::make_shared<Done>(std::move(done));
  const absl::Status accepted =
      queue_->Flush([shared](const OpResult& result) { (*shared)(result.status); });
  if (!accepted.ok()) (*shared)(accepted);
}

// -- The program ------------------------------------------------------------------------------

void OwnIndexStore::PrintCounters() const {
  const uint64_t relocated = cleaner_->counters().relocated_blocks;
  const RelocationCounters copies = relocator_->counters();
  std::cout << "write amplification  "
            << 1 + static_cast<double>(relocated) / static_cast<double>(now_blocks_)
            << "\nuser blocks          " << now_blocks_ << "\nrelocated blocks     "
            << relocated << " (" << overtaken_blocks_ << " overtaken by the user)"
            << "\ncopied natively      " << copies.native_blocks << " in "
            << copies.copy_commands << " commands\ncopied by the host   "
            << copies.emulated_blocks << "\n";
}

// What version `n` of a key reads as: 1 to 4096 bytes.
std::string ValueOf(uint64_t key, uint64_t n) {
  Random random(Mix64(key << 40 | n));
  std::string value(1 + random.Below(kBlockBytes), '\0');
  for (char& c : value) c = static_cast<char>(random.Next());
  return value;
}

absl::Status CheckAll(OwnIndexStore& store, const std::vector<uint64_t>& versions) {
  for (uint64_t key = 0; key < versions.size(); ++key) {
    const absl::StatusOr<std::string> value = store.Get(absl::StrCat("key", key));
    if (versions[key] == 0 && absl::IsNotFound(value.status())) continue;
    GLEANER_RETURN_IF_ERROR(value.status());
    if (versions[key] == 0 || *value != ValueOf(key, versions[key]))
      return absl::DataLossError(absl::StrCat("key", key, " has a wrong value"));
  }
  return absl::OkStatus();
}

absl::Status Run(absl::string_view spec) {
  GLEANER_ASSIGN_OR_RETURN(auto device, OpenDevice(spec));
  GLEANER_ASSIGN_OR_RETURN(auto store, OwnIndexStore::Create(device.get()));
  std::vector<uint64_t> versions(store->capacity_blocks() * 3 / 4);  // 0: no such key
  Random random(/*seed=*/1);
  for (uint64_t n = 1; n <= 10 * versions.size(); ++n) {
    // All keys once; then four in five operations on a fifth of them, one in ten a deletion.
    const uint64_t hot = random.Below(5) > 0 ? versions.size() / 5 : versions.size();
    const uint64_t key = n <= versions.size() ? n - 1 : random.Below(hot);
    const std::string name = absl::StrCat("key", key);
    const bool deletes = versions[key] > 0 && random.Below(10) == 0;
    versions[key] = deletes ? 0 : n;
    GLEANER_RETURN_IF_ERROR(deletes ? store->Delete(name)
                                    : store->Put(name, ValueOf(key, n)));
  }
  GLEANER_RETURN_IF_ERROR(CheckAll(*store, versions));
  store->PrintCounters();
  std::cout << "all values are right: " << versions.size() << " keys\n";
  return absl::OkStatus();
}

}  // namespace
}  // namespace gleaner

int main(int argc, char** argv) {
  const absl::Status status = gleaner::Run(argc > 1 ? argv[1] : "mem:size=64M");
  if (status.ok()) return 0;
  std::cerr << "own_index: " << status.message() << "\n";
  return 1;
}
