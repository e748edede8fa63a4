#include "device/mem_device.h"

#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "device/sparse_memory.h"
#include "device/zone_table.h"

namespace gleaner {
namespace {

class MemDeviceImpl;

class MemQueue : public IoQueue {
 public:
  MemQueue(MemDeviceImpl* device, int depth);
  ~MemQueue() override;

 protected:
  void DoStart(uint32_t id, const Piece& piece) override;
  void DoReap(ReapMode mode) override;

 private:
  friend class MemDeviceImpl;  // for the type Piece

  struct Pending {
    uint32_t id;
    absl::Status refused;       // at submission, by the zone rules
    uint64_t completed_before;  // how many operations had completed at submission
  };

  MemDeviceImpl& mem_;
  std::vector<Pending> pending_;
};

class MemDeviceImpl : public MemDevice {
 public:
  MemDeviceImpl(const MemDeviceOptions& options, const Geometry& geometry,
                SparseMemory memory)
      : MemDevice(options.name, options.access, geometry, options.copy_limits),
        memory_(std::move(memory)) {
    if (geometry.zoned()) zones_.emplace(options.name, geometry);
  }

  absl::Status DropUnflushed() override;
  absl::Status CorruptBlock(DeviceBlock block) override;

  // A piece enters the device: takes its zone, notes how many operations completed
  // before.
  absl::Status Begin(const MemQueue::Piece& piece, uint64_t& completed_before);
  // Its zone is free again, whether it was executed or not.
  void Abandon(const MemQueue::Piece& piece);
  OpResult Execute(const MemQueue::Piece& piece, uint64_t completed_before);

 protected:
  absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int depth) override {
    return std::make_unique<MemQueue>(this, depth);
  }
  absl::StatusOr<std::vector<ZoneInfo>> DoReportZones(DeviceRange range) override {
    MutexLock lock(&mu_);
    return zones_->Report(range);
  }

 private:
  // What a block was before its first write that no flush has covered.
  struct Undo {
    std::unique_ptr<char[]> contents;
    uint64_t first_write;  // the number of that operation
  };

  static bool TakesZone(OpType type) {
    return type == OpType::kWrite || type == OpType::kWriteZeroes ||
           type == OpType::kCopy;
  }
  char* At(DeviceBlock block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return memory_.data() + block.value() * geometry().block_bytes;
  }
  uint64_t Bytes(DeviceBlockCount count) const {
    return count.value() * geometry().block_bytes;
  }
  void ExecuteLocked(const MemQueue::Piece& piece, uint64_t completed_before,
                     OpResult& result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Advance(DeviceRange range) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Put(DeviceRange range, const char* data) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutZeroes(DeviceRange range) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Discard(DeviceRange range) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CopyRanges(absl::Span<const DeviceRange> sources, DeviceBlock target)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SaveUndo(DeviceRange range) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Mutex mu_;
  SparseMemory memory_ ABSL_GUARDED_BY(mu_);
  std::optional<ZoneTable> zones_ ABSL_GUARDED_BY(mu_);
  uint64_t completed_ ABSL_GUARDED_BY(mu_) = 0;
  absl::flat_hash_map<uint64_t, Undo> unflushed_ ABSL_GUARDED_BY(mu_);
};

absl::Status MemDeviceImpl::Begin(const MemQueue::Piece& piece,
                                  uint64_t& completed_before) {
  MutexLock lock(&mu_);
  completed_before = completed_;
  if (!zones_.has_value() || !TakesZone(piece.type)) return absl::OkStatus();
  return zones_->BeginWrite(piece.range.start);
}

void MemDeviceImpl::Abandon(const MemQueue::Piece& piece) {
  MutexLock lock(&mu_);
  if (zones_.has_value() && TakesZone(piece.type)) zones_->EndWrite(piece.range.start);
}

OpResult MemDeviceImpl::Execute(const MemQueue::Piece& piece, uint64_t completed_before) {
  OpResult result;
  MutexLock lock(&mu_);
  ++completed_;
  if (zones_.has_value() && TakesZone(piece.type)) zones_->EndWrite(piece.range.start);
  ExecuteLocked(piece, completed_before, result);
  return result;
}

void MemDeviceImpl::ExecuteLocked(const MemQueue::Piece& piece, uint64_t completed_before,
                                  OpResult& result) {
  switch (piece.type) {
    case OpType::kRead:
      std::memcpy(piece.data, At(piece.range.start), Bytes(piece.range.count));
      return;
    case OpType::kWrite:
      result.status = Advance(piece.range);
      if (result.status.ok()) Put(piece.range, piece.data);
      return;
    case OpType::kAppend: {
      const auto at = zones_->Append(piece.range.start, piece.range.count);
      result.status = at.status();
      if (!at.ok()) return;
      result.written_at = *at;
      Put({*at, piece.range.count}, piece.data);
      return;
    }
    case OpType::kWriteZeroes:
      result.status = Advance(piece.range);
      if (result.status.ok()) PutZeroes(piece.range);
      return;
    case OpType::kCopy:
      result.status = Advance(piece.range);
      if (result.status.ok()) CopyRanges(piece.sources, piece.range.start);
      return;
    case OpType::kDeallocate:
      Discard(piece.range);
      return;
    case OpType::kFlush:
      absl::erase_if(unflushed_, [completed_before](const auto& entry) {
        return entry.second.first_write <= completed_before;
      });
      return;
    case OpType::kZoneOpen:
      result.status = zones_->Open(piece.range.start);
      return;
    case OpType::kZoneClose:
      result.status = zones_->Close(piece.range.start);
      return;
    case OpType::kZoneFinish:
      result.status = zones_->Finish(piece.range.start);
      return;
    case OpType::kZoneReset:
      result.status = zones_->Reset(piece.range.start);
      Discard({piece.range.start, geometry().zone_size});
      return;
  }
}

absl::Status MemDeviceImpl::Advance(DeviceRange range) {
  return zones_.has_value() ? zones_->Write(range) : absl::OkStatus();
}

void MemDeviceImpl::Put(DeviceRange range, const char* data) {
  SaveUndo(range);
  std::memcpy(At(range.start), data, Bytes(range.count));
}

void MemDeviceImpl::PutZeroes(DeviceRange range) {
  SaveUndo(range);
  memory_.Zero(Bytes(range.start - DeviceBlock(0)), Bytes(range.count));
}

// At once and for good: a user that still needed the old contents is caught by a power
// cut.
void MemDeviceImpl::Discard(DeviceRange range) {
  memory_.Zero(Bytes(range.start - DeviceBlock(0)), Bytes(range.count));
  if (unflushed_.empty()) return;
  absl::erase_if(unflushed_, [range](const auto& entry) {
    return range.contains(DeviceBlock(entry.first));
  });
}

void MemDeviceImpl::CopyRanges(absl::Span<const DeviceRange> sources,
                               DeviceBlock target) {
  for (const DeviceRange& source : sources) {
    Put({target, source.count}, At(source.start));
    target += source.count;
  }
}

void MemDeviceImpl::SaveUndo(DeviceRange range) {
  if (!geometry().volatile_write_cache) return;
  for (DeviceBlock block = range.start; block < range.end(); ++block) {
    const auto [it, inserted] = unflushed_.try_emplace(block.value());
    if (!inserted) continue;
    it->second.first_write = completed_;
    it->second.contents = std::make_unique<char[]>(geometry().block_bytes);
    std::memcpy(it->second.contents.get(), At(block), geometry().block_bytes);
  }
}

absl::Status MemDeviceImpl::DropUnflushed() {
  if (!geometry().volatile_write_cache) {
    return absl::FailedPreconditionError(absl::StrCat(name(), " has no volatile cache"));
  }
  MutexLock lock(&mu_);
  for (const auto& [block, undo] : unflushed_) {
    std::memcpy(At(DeviceBlock(block)), undo.contents.get(), geometry().block_bytes);
    if (zones_.has_value()) zones_->LoseFrom(DeviceBlock(block));
  }
  unflushed_.clear();
  if (zones_.has_value()) zones_->PowerCycle();
  return absl::OkStatus();
}

absl::Status MemDeviceImpl::CorruptBlock(DeviceBlock block) {
  if (block >= DeviceBlock(geometry().capacity.value())) {
    return absl::OutOfRangeError(absl::StrCat(name(), " has no block ", block.value()));
  }
  MutexLock lock(&mu_);
  At(block)[geometry().block_bytes / 2] ^= 1;
  return absl::OkStatus();
}

MemQueue::MemQueue(MemDeviceImpl* device, int depth)
    : IoQueue(device, depth), mem_(*device) {}

MemQueue::~MemQueue() {
  for (const Pending& pending : pending_) {
    if (pending.refused.ok()) mem_.Abandon(piece(pending.id));
  }
}

void MemQueue::DoStart(uint32_t id, const Piece& piece) {
  Pending pending{id, absl::OkStatus(), 0};
  pending.refused = mem_.Begin(piece, pending.completed_before);
  pending_.push_back(std::move(pending));
}

void MemQueue::DoReap(ReapMode) {
  // Finish starts nothing: pending_ does not change meanwhile.
  for (const Pending& pending : pending_) {
    OpResult result;
    if (pending.refused.ok()) {
      result = mem_.Execute(piece(pending.id), pending.completed_before);
    } else {
      result.status = pending.refused;
    }
    Finish(pending.id, result);
  }
  pending_.clear();
}

absl::Status Validate(const MemDeviceOptions& o) {
  const auto invalid = [&o](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(o.name, ": ", what));
  };
  if (o.block_bytes < 512 || o.block_bytes > 65536 ||
      (o.block_bytes & (o.block_bytes - 1)) != 0) {
    return invalid("the block must be a power of two from 512 to 65536 bytes");
  }
  // More than a process can address.
  constexpr uint64_t kMaxBytes = uint64_t{1} << 47;
  if (o.capacity.value() == 0) return invalid("a capacity of zero");
  if (o.capacity.value() > kMaxBytes / o.block_bytes)
    return invalid("larger than 128 TiB");
  if (o.max_transfer.value() == 0) return invalid("a transfer limit of zero");
  if (o.zone_size.value() == 0) {
    if (o.zone_capacity.value() != 0 || o.max_open_zones != 0 ||
        o.max_active_zones != 0) {
      return invalid("zone limits without a zone size");
    }
    return absl::OkStatus();
  }
  if (o.capacity.value() % o.zone_size.value() != 0) {
    return invalid("the capacity is not a multiple of the zone size");
  }
  if (o.zone_capacity > o.zone_size)
    return invalid("the zone capacity exceeds the zone size");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<MemDevice>> MemDevice::Create(
    const MemDeviceOptions& options) {
  GLEANER_RETURN_IF_ERROR(Validate(options));
  Geometry geometry;
  geometry.block_bytes = options.block_bytes;
  geometry.capacity = options.capacity;
  geometry.zone_size = options.zone_size;
  geometry.zone_capacity =
      options.zone_capacity.value() == 0 ? options.zone_size : options.zone_capacity;
  geometry.max_open_zones = options.max_open_zones;
  geometry.max_active_zones = options.max_active_zones;
  geometry.max_transfer = options.max_transfer;
  geometry.volatile_write_cache = options.volatile_cache;
  GLEANER_ASSIGN_OR_RETURN(
      SparseMemory memory,
      SparseMemory::Create(options.capacity.value() * options.block_bytes));
  return std::make_unique<MemDeviceImpl>(options, geometry, std::move(memory));
}

}  // namespace gleaner
