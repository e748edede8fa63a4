#include "device/scsi_device.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "device/exclusive_open.h"
#include "device/scsi_command.h"
#include "device/scsi_encoding.h"
#include "device/scsi_node.h"
#include "device/scsi_queue.h"

namespace gleaner {
namespace {

// Where the kernel does not say what a transfer may have: what every driver allows.
constexpr uint64_t kUnknownTransferBytes = 128 << 10;
// What is zeroed by one command where a disk that has it does not say how much.
constexpr uint64_t kUnknownZeroesBlocks = 65535;

// The nodes of one disk, as far as they are open. What is open for writing is held.
struct ScsiHandles {
  FileDescriptor commands;  // of the node that was named
  FileDescriptor block;     // of the disk, if that was a generic one
};

class ScsiDevice : public Device {
 public:
  ScsiDevice(std::string name, Access access, const Geometry& geometry,
             const CopyLimits& limits, ScsiHandles handles, const ScsiIo& io,
             uint8_t copies)
      : Device(std::move(name), access, geometry, limits),
        handles_(std::move(handles)),
        copy_slots_(copies),
        io_(io) {
    io_.fd = handles_.commands.get();
    io_.copy_slots = &copy_slots_;
    io_.no_write_same = &no_write_same_;
  }

 protected:
  absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int depth) override {
    return OpenScsiQueue(this, io_, depth);
  }

 private:
  const ScsiHandles handles_;
  ScsiCopySlots copy_slots_;
  std::atomic<bool> no_write_same_{false};
  ScsiIo io_;
};

absl::StatusOr<ScsiHandles> OpenHandles(const ScsiNode& node, Access access) {
  ScsiHandles handles;
  if (S_ISCHR(node.type) && access == Access::kReadWrite && !node.block_path.empty()) {
    // Only the block node knows who else has mounted or holds the disk.
    GLEANER_ASSIGN_OR_RETURN(handles.block,
                             OpenExclusively(node.block_path, S_IFBLK, access));
  }
  GLEANER_ASSIGN_OR_RETURN(handles.commands,
                           OpenExclusively(node.path, node.type, access));
  if (S_ISCHR(node.type) && access == Access::kReadWrite) {
    GLEANER_RETURN_IF_ERROR(LockExclusively(handles.commands.get(), node.path));
  }
  return handles;
}

absl::Status CheckUsable(const ScsiNode& node, const ScsiIdentity& identity,
                         Access access) {
  const uint32_t block_bytes = identity.capacity.block_bytes;
  if (!std::has_single_bit(block_bytes) || block_bytes < 512 || block_bytes > 65536) {
    return absl::UnimplementedError(
        absl::StrCat(node.path, " has blocks of ", block_bytes,
                     " bytes, which is no power of two from 512 to 65536"));
  }
  if (identity.capacity.blocks.value() == 0)
    return absl::UnavailableError(absl::StrCat(node.path, " has no capacity"));
  if (access == Access::kReadWrite && (identity.mode.write_protected || node.read_only)) {
    return absl::PermissionDeniedError(absl::StrCat(
        node.path, " is write-protected",
        identity.mode.write_protected ? "" : "; `blockdev --setrw` lifts that"));
  }
  return absl::OkStatus();
}

// Where the device lies on the disk, and how much of it there is.
absl::Status Place(const ScsiNode& node, const ScsiIdentity& identity, ScsiDisk& disk,
                   DeviceBlockCount& capacity) {
  disk.block_bytes = identity.capacity.block_bytes;
  capacity = identity.capacity.blocks;
  if (!node.partition.has_value()) return absl::OkStatus();
  GLEANER_ASSIGN_OR_RETURN(
      const DeviceRange place,
      PartitionBlocks(node.path, *node.partition, disk.block_bytes, capacity, "disk"));
  disk.first_block = place.start;
  capacity = place.count;
  return absl::OkStatus();
}

uint64_t MaxTransferBytesOf(const ScsiNode& node) {
  return node.max_transfer_bytes == 0 ? kUnknownTransferBytes : node.max_transfer_bytes;
}

DeviceBlockCount MaxTransfer(const ScsiNode& node, const ScsiIdentity& identity) {
  uint64_t blocks = MaxTransferBytesOf(node) / identity.capacity.block_bytes;
  if (identity.limits.max_transfer != 0)
    blocks = std::min(blocks, identity.limits.max_transfer);
  return DeviceBlockCount(std::max<uint64_t>(blocks, 1));
}

ScsiIo MakeIo(const ScsiIdentity& identity, const ScsiDisk& disk) {
  ScsiIo io;
  io.disk = disk;
  if (identity.designator.has_value()) io.designator = *identity.designator;
  io.list_ids = identity.copy.needs_no_list_id ? ScsiListIds::kNone : ScsiListIds::kOne;
  const ScsiBlockLimits& limits = identity.limits;
  io.max_zeroes_blocks = std::min(limits.max_write_same, kScsiMaxBlocks);
  if (io.max_zeroes_blocks == 0 && identity.provisioning.write_same)
    io.max_zeroes_blocks = kUnknownZeroesBlocks;
  if (identity.capacity.provisioned && identity.provisioning.unmap &&
      limits.max_unmap_ranges != 0)
    io.max_unmap_blocks = std::min(limits.max_unmap, kScsiMaxBlocks);
  return io;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> OpenScsiDevice(const std::string& path,
                                                       const ScsiDeviceOptions& options) {
  GLEANER_ASSIGN_OR_RETURN(
      const ScsiNode node,
      FindScsiNode(path, {options.dev_directory, options.sys_directory}));
  GLEANER_ASSIGN_OR_RETURN(ScsiHandles handles, OpenHandles(node, options.access));
  GLEANER_ASSIGN_OR_RETURN(const ScsiIdentity identity,
                           IdentifyScsi(handles.commands.get(), path));
  GLEANER_RETURN_IF_ERROR(CheckUsable(node, identity, options.access));

  ScsiDisk disk;
  Geometry geometry;
  GLEANER_RETURN_IF_ERROR(Place(node, identity, disk, geometry.capacity));
  geometry.block_bytes = disk.block_bytes;
  geometry.max_transfer = MaxTransfer(node, identity);
  geometry.volatile_write_cache = identity.mode.write_cache;
  CopyLimits limits;
  std::string why_no_copy = identity.why_no_copy;
  limits.copy_offload = identity.designator.has_value();
  if (limits.copy_offload) {
    limits = CopyLimitsOf(identity.copy, disk.block_bytes, MaxTransferBytesOf(node));
    if (!limits.can_copy()) why_no_copy = "its limits leave no room for one";
  }
  if (!why_no_copy.empty() && options.message)
    options.message(absl::StrCat(path, ": no native copy: ", why_no_copy));
  return std::make_unique<ScsiDevice>(
      absl::StrCat("scsi:", path), options.access, geometry, limits, std::move(handles),
      MakeIo(identity, disk), identity.copy.max_concurrent);
}

}  // namespace gleaner
