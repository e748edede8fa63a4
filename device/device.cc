#include "device/device.h"

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace gleaner {

absl::string_view OpName(OpType type) {
  switch (type) {
    case OpType::kRead:
      return "read";
    case OpType::kWrite:
      return "write";
    case OpType::kAppend:
      return "append";
    case OpType::kWriteZeroes:
      return "write zeroes";
    case OpType::kCopy:
      return "copy";
    case OpType::kDeallocate:
      return "deallocate";
    case OpType::kFlush:
      return "flush";
    case OpType::kZoneOpen:
      return "zone open";
    case OpType::kZoneClose:
      return "zone close";
    case OpType::kZoneFinish:
      return "zone finish";
    case OpType::kZoneReset:
      return "zone reset";
  }
  return "unknown operation";
}

Device::Device(std::string name, Access access, const Geometry& geometry,
               const CopyLimits& hardware)
    : name_(std::move(name)),
      access_(access),
      geometry_(geometry),
      hardware_copy_limits_(hardware),
      copy_limits_(WithCaps(hardware)) {
  GLEANER_CHECK(geometry.block_bytes >= 512 &&
                (geometry.block_bytes & (geometry.block_bytes - 1)) == 0);
  GLEANER_CHECK(geometry.capacity.value() > 0 && geometry.max_transfer.value() > 0);
  GLEANER_CHECK(geometry.buffer_alignment > 0 &&
                geometry.block_bytes % geometry.buffer_alignment == 0);
  GLEANER_CHECK(!geometry.zoned() ||
                (geometry.capacity.value() % geometry.zone_size.value() == 0 &&
                 geometry.zone_capacity.value() > 0 &&
                 geometry.zone_capacity <= geometry.zone_size));
}

CopyLimits Device::copy_limits() const {
  MutexLock lock(&mu_);
  return copy_limits_;
}

void Device::LowerCopyLimits(const CopyLimits& wish) {
  MutexLock lock(&mu_);
  wished_copy_limits_ = wish;
  UpdateCopyLimits();
}

void Device::LearnCopyLimits(const CopyLimits& learned) {
  MutexLock lock(&mu_);
  const CopyLimits& before = learned_copy_limits_;
  // A limit that was not learned before is zero, which Lowered takes for a value.
  CopyLimits known = learned;
  if (known.max_copy_blocks == 0) known.max_copy_blocks = before.max_copy_blocks;
  if (known.max_copy_ranges == 0) known.max_copy_ranges = before.max_copy_ranges;
  if (known.max_range_blocks == 0) known.max_range_blocks = before.max_range_blocks;
  learned_copy_limits_ = Lowered(known, before);
  UpdateCopyLimits();
}

CopyLimits Device::copy_limits_from(const Device& source) const {
  CopyLimits limits = copy_limits();
  if (&source == this) return limits;
  limits.copy_offload = limits.copy_offload &&
                        source.geometry().block_bytes == geometry_.block_bytes &&
                        DoCopiesFrom(source);
  // A range is limited by where it is read, a command by where it writes.
  const CopyLimits& there = source.hardware_copy_limits();
  limits.unknown = limits.unknown || there.unknown;
  return Lowered(limits, {.max_range_blocks = WithCaps(there).max_range_blocks});
}

CopyWindow Device::DoCopyWindow(DeviceBlock block) const {
  if (!geometry_.zoned()) return {{DeviceBlock(0), geometry_.capacity}, this};
  return {{geometry_.ZoneStart(block), geometry_.zone_size}, this};
}

bool Device::DoCopiesFrom(const Device&) const { return false; }

void Device::UpdateCopyLimits() {
  copy_limits_ = Lowered(Lowered(WithCaps(hardware_copy_limits_), wished_copy_limits_),
                         learned_copy_limits_);
}

absl::StatusOr<std::unique_ptr<IoQueue>> Device::OpenQueue(int depth) {
  if (depth < 1 || depth > 4096) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": a queue depth of ", depth, " is not in 1 to 4096"));
  }
  return DoOpenQueue(depth);
}

absl::StatusOr<std::vector<ZoneInfo>> Device::ReportZones(DeviceRange range) {
  if (!geometry_.zoned()) {
    return absl::UnimplementedError(absl::StrCat(name_, " is not zoned"));
  }
  if (!InBounds(range, geometry_.capacity)) {
    return absl::OutOfRangeError(
        absl::StrCat(name_, ": no zones past block ", geometry_.capacity.value()));
  }
  return DoReportZones(range);
}

absl::StatusOr<std::vector<ZoneInfo>> Device::DoReportZones(DeviceRange) {
  return absl::UnimplementedError(absl::StrCat(name_, " cannot report its zones"));
}

absl::StatusOr<HostTraffic> Device::DoReportHostTraffic() {
  return absl::UnimplementedError(
      absl::StrCat(name_, " keeps no statistics of host traffic"));
}

void Device::Count(OpType type, uint64_t blocks, uint64_t ranges) {
  const int i = static_cast<int>(type);
  operations_[i].fetch_add(1, std::memory_order_relaxed);
  blocks_[i].fetch_add(blocks, std::memory_order_relaxed);
  copy_ranges_.fetch_add(ranges, std::memory_order_relaxed);
}

DeviceCounters Device::counters() const {
  const auto operations = [this](OpType type) {
    return operations_[static_cast<int>(type)].load(std::memory_order_relaxed);
  };
  const auto blocks = [this](OpType type) {
    return DeviceBlockCount(
        blocks_[static_cast<int>(type)].load(std::memory_order_relaxed));
  };
  DeviceCounters c;
  c.reads = operations(OpType::kRead);
  c.writes = operations(OpType::kWrite) + operations(OpType::kAppend);
  c.write_zeroes = operations(OpType::kWriteZeroes);
  c.copies = operations(OpType::kCopy);
  c.copy_ranges = copy_ranges_.load(std::memory_order_relaxed);
  c.deallocates = operations(OpType::kDeallocate);
  c.flushes = operations(OpType::kFlush);
  c.zone_operations = operations(OpType::kZoneOpen) + operations(OpType::kZoneClose) +
                      operations(OpType::kZoneFinish) + operations(OpType::kZoneReset);
  c.blocks_read = blocks(OpType::kRead);
  c.blocks_written = blocks(OpType::kWrite) + blocks(OpType::kAppend);
  c.blocks_zeroed = blocks(OpType::kWriteZeroes);
  c.blocks_copied = blocks(OpType::kCopy);
  c.blocks_deallocated = blocks(OpType::kDeallocate);
  c.bytes_read = c.blocks_read.value() * geometry_.block_bytes;
  c.bytes_written = c.blocks_written.value() * geometry_.block_bytes;
  return c;
}

}  // namespace gleaner
