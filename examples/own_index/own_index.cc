// A small log-structured key-value store that keeps an index of its own, a hash table, and has
// its segments cleaned by Gleaner. The program fills it, overwrites and deletes until everything
// has been cleaned many times over, then checks every value.
//
//   own_index [SPEC [--force]]      by default mem:size=64M
//
// A value takes one block. The index is in memory only, so the data does not outlive the process.
// A device that holds anything is overwritten only with --force.
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
// A Put copies at most so many blocks in the background once fewer segments are spare.
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
  // A key's place in records_ is its handle: what the cleaner calls an lba. It keeps it when it
  // is deleted.
  struct Record {
    PhysicalBlock block;  // invalid: deleted
    uint32_t bytes = 0;
  };

  // What is live in the victim. Put has waited for its write, so every live block can be read.
  void LiveExtents(SegmentId victim, std::vector<Extent>* extents, Done done) override {
    liveness_.ForEachLiveRun(victim, [&](PhysicalRange run) {
      for (PhysicalBlock block = run.start; block < run.end(); ++block)
        extents->push_back({handles_[block.value()], block, kOne});
    });
    done(absl::OkStatus());
  }

  // Where survivors may go.
  absl::StatusOr<PhysicalRange> Reserve(const Reservation& r) override {
    return logs_.Reserve(r.log_class, r.at_most, r.modified_at_blocks);
  }
  BlockCount RoomInOpenSegment(ClassId log_class) const override {
    return logs_.room(log_class);
  }
  void Settle(PhysicalRange reserved) override { logs_.Settle(reserved, now_blocks_); }

  // They have been copied: the index follows, but not where the user was faster.
  void Commit(absl::Span<const Move> moves, Done done) override {
    for (const Move& move : moves) {
      for (BlockCount i; i < move.count; i += kOne) {
        const Lba handle = move.lba + i;
        if (records_[handle.value()].block == move.from + i) {
          PointTo(handle, move.to + i);
        } else {
          ++overtaken_blocks_;
        }
      }
    }
    done(absl::OkStatus());
  }

  // Only afterwards are cleaned segments written again.
  void MakeDurable(Done done) override {
    auto shared = std::make_shared<Done>(std::move(done));
    const absl::Status accepted =
        queue_->Flush([shared](const OpResult& result) { (*shared)(result.status); });
    if (!accepted.ok()) (*shared)(accepted);
  }

  OwnIndexStore(Device* device, uint32_t segments);
  absl::Status MakeRoom();
  void PointTo(Lba handle, PhysicalBlock block);

  const BlockLayout layout_;
  const SegmentGeometry geometry_;
  const std::unique_ptr<VictimPolicy> policy_ = MakeCostBenefitPolicy();
  const std::unique_ptr<Placement> placement_ = MakeGcLogPlacement();
  SegmentTable table_;
  OpenLogs logs_;
  SegmentLiveness liveness_;
  absl::flat_hash_map<std::string, Lba> index_;
  std::vector<Record> records_;  // by handle
  std::vector<Lba> handles_;     // by physical block: whose it is, while it is live
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
  if (g.zoned() || g.block_bytes > kBlockBytes)
    return absl::UnimplementedError("only blocks of up to 4096 bytes, and no zones");
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

absl::Status OwnIndexStore::Put(const std::string& key, const std::string& value) {
  if (value.size() > kBlockBytes) return absl::OutOfRangeError("value too long");
  GLEANER_RETURN_IF_ERROR(MakeRoom());
  GLEANER_ASSIGN_OR_RETURN(const PhysicalRange run,
                           logs_.Append(kUserLog, kOne, now_blocks_));
  ++now_blocks_;
  value.copy(buffer_.data(), value.size());
  absl::Status written = WriteBlocks(*queue_, layout_.ToDevice(run), buffer_.data());
  if (written.ok()) {
    const Lba handle = index_.try_emplace(key, Lba(records_.size())).first->second;
    if (handle == Lba(records_.size())) records_.emplace_back();
    records_[handle.value()].bytes = static_cast<uint32_t>(value.size());
    PointTo(handle, run.start);
  }
  // After a failed write, too: the block is then garbage. A full segment becomes a candidate.
  logs_.SealIfFull(run, now_blocks_);
  return written;
}

absl::StatusOr<std::string> OwnIndexStore::Get(const std::string& key) {
  const auto entry = index_.find(key);
  const Record record =
      entry == index_.end() ? Record() : records_[entry->second.value()];
  if (!record.block.valid()) return absl::NotFoundError(key);
  GLEANER_RETURN_IF_ERROR(
      ReadBlocks(*queue_, layout_.ToDevice({record.block, kOne}), buffer_.data()));
  return std::string(buffer_.data(), record.bytes);
}

absl::Status OwnIndexStore::Delete(const std::string& key) {
  const auto entry = index_.find(key);
  if (entry == index_.end()) return absl::NotFoundError(key);
  PointTo(entry->second, PhysicalBlock());
  return absl::OkStatus();
}

// The one place that changes where a record is; an invalid block: nowhere.
void OwnIndexStore::PointTo(Lba handle, PhysicalBlock block) {
  const PhysicalBlock old = std::exchange(records_[handle.value()].block, block);
  if (old.valid()) table_.OnStale(liveness_.MarkStale(old), 1, now_blocks_);
  if (!block.valid()) return;
  handles_[block.value()] = handle;
  table_.OnLive(liveness_.MarkLive(block), 1);
}

// A bounded step that waits for nothing: a round stays under way from one Put to the next. Only
// where the log has no block left for the user are there more steps, and waiting.
absl::Status OwnIndexStore::MakeRoom() {
  relocator_->Poll();
  queue_->Poll();
  Cleaner::StepResult step =
      cleaner_->Step({.spare_segments = kBackgroundSpare},
                     {.now_blocks = now_blocks_, .max_blocks = kBackgroundBlocks});
  while (step.state != Cleaner::State::kFailed && !logs_.CanAppend(kUserLog)) {
    step = cleaner_->Step(
        {.spare_segments = logs_.reserved_segments() + 1, .free_segments = 1},
        {.now_blocks = now_blocks_});
    if (step.state == Cleaner::State::kWaitsForCopy) {
      GLEANER_RETURN_IF_ERROR(relocator_->Wait());
    } else if (step.state == Cleaner::State::kWaitsForDurable) {
      GLEANER_RETURN_IF_ERROR(queue_->Wait());
    } else if (step.state == Cleaner::State::kNothingToCollect ||
               step.state == Cleaner::State::kNoRoom) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the store is full: ", table_.live_blocks(), " live blocks"));
    }
  }
  return step.state == Cleaner::State::kFailed ? step.status : absl::OkStatus();
}

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

absl::Status Run(const std::string& spec, const OpenOptions& options) {
  GLEANER_ASSIGN_OR_RETURN(auto device, OpenDevice(spec, options));
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
  const std::string spec = argc > 1 ? argv[1] : "mem:size=64M";
  const bool force = argc > 2 && std::string(argv[2]) == "--force";
  const absl::Status status = gleaner::Run(spec, {.force = force, .message = {}});
  if (status.ok()) return 0;
  std::cerr << "own_index: " << status.message() << "\n";
  return 1;
}
