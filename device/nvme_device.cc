#include "device/nvme_device.h"

#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "device/aligned_buffer.h"
#include "device/errno_status.h"
#include "device/exclusive_open.h"
#include "device/nvme_admin.h"
#include "device/nvme_encoding.h"
#include "device/nvme_node.h"
#include "device/nvme_queue.h"

namespace gleaner {
namespace {

// Where the kernel does not say what a transfer may have: what every driver allows.
constexpr uint64_t kUnknownTransferBytes = 128 << 10;

enum class Transport : uint8_t { kRing, kIoctl };

// The nodes of one namespace, as far as they are open. What is open for writing is held.
struct NvmeHandles {
  FileDescriptor block;    // of the whole namespace or the partition
  FileDescriptor generic;  // of the whole namespace
  int io() const { return generic.is_open() ? generic.get() : block.get(); }
};

// All zones that overlap `range`, which is not empty.
absl::StatusOr<std::vector<ZoneInfo>> ReportNvmeZones(const std::string& name, int fd,
                                                      const NvmeNamespace& space,
                                                      DeviceBlockCount zone_size,
                                                      DeviceRange range) {
  constexpr size_t kZonesAtOnce = 127;  // 8 KiB, the least that MDTS can say
  AlignedBuffer report(ZoneReportBytes(kZonesAtOnce));
  std::vector<ZoneInfo> zones;
  DeviceBlock next = range.start;
  while (next < range.end()) {
    uint16_t field = 0;
    uint64_t result = 0;
    const int error = RunNvmeCommand(
        fd, EncodeZoneReport(space, next, {report.data(), report.size()}), field, result);
    const std::string what = absl::StrCat(name, ": zone report at block ", next.value());
    if (error != 0) return ErrnoStatus(error, what);
    if (field != 0) {
      const NvmeStatus status = DecodeStatus(field);
      return absl::Status(StatusCodeOf(status),
                          absl::StrCat(what, ": ", DescribeStatus(status)));
    }
    const std::vector<ZoneInfo> some =
        DecodeZoneReport(space, {report.data(), report.size()});
    const uint64_t zone_start = next.value() - next.value() % zone_size.value();
    if (some.empty() || some.front().start != DeviceBlock(zone_start)) {
      return absl::InternalError(
          absl::StrCat(what, ": the device reports other zones than asked for"));
    }
    for (const ZoneInfo& zone : some) {
      if (zone.start < range.end()) zones.push_back(zone);
    }
    next = some.back().start + zone_size;
  }
  return zones;
}

// Which controller has the namespace, and whether it copies from its others.
struct NvmeCopyReach {
  std::string controller;
  bool across = false;
};

class NvmeDevice : public NvmeSource {
 public:
  NvmeDevice(std::string name, Access access, const Geometry& geometry,
             const CopyLimits& limits, NvmeHandles handles, Transport transport,
             const NvmeIo& io, NvmeCopyReach reach)
      : NvmeSource(std::move(name), access, geometry, limits),
        handles_(std::move(handles)),
        latches_(geometry),
        transport_(transport),
        io_(io),
        reach_(std::move(reach)) {
    io_.fd = handles_.io();
    if (geometry.zoned()) io_.latches = &latches_;
  }

  const NvmeNamespace& space() const override { return io_.space; }

 protected:
  absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int depth) override {
    if (transport_ == Transport::kRing) return OpenNvmeRingQueue(this, io_, depth);
    return OpenNvmeIoctlQueue(this, io_, depth);
  }
  absl::StatusOr<std::vector<ZoneInfo>> DoReportZones(DeviceRange range) override {
    return ReportNvmeZones(name(), io_.fd, io_.space, geometry().zone_size, range);
  }
  absl::StatusOr<HostTraffic> DoReportHostTraffic() override {
    return ReadNvmeHostTraffic(io_.fd, name());
  }
  bool DoCopiesFrom(const Device& source) const override {
    const auto* const other = dynamic_cast<const NvmeDevice*>(&source);
    return other != nullptr && reach_.across && !reach_.controller.empty() &&
           other->reach_.controller == reach_.controller &&
           other->io_.space.nsid != io_.space.nsid;
  }

 private:
  const NvmeHandles handles_;
  ZoneLatches latches_;
  const Transport transport_;
  NvmeIo io_;
  const NvmeCopyReach reach_;
};

absl::StatusOr<NvmeHandles> OpenHandles(const NvmeNode& node,
                                        const NvmeDeviceOptions& options,
                                        std::string& why_no_ring) {
  const bool writes = options.access == Access::kReadWrite;
  NvmeHandles handles;
  if (S_ISBLK(node.type)) {
    GLEANER_ASSIGN_OR_RETURN(handles.block,
                             OpenExclusively(node.path, S_IFBLK, options.access));
  } else if (writes && !node.block_path.empty()) {
    // Only the block node knows who else has mounted or holds the namespace.
    GLEANER_ASSIGN_OR_RETURN(
        handles.block, OpenExclusively(node.block_path, S_IFBLK, Access::kReadWrite));
  }
  const std::string& generic = S_ISCHR(node.type) ? node.path : node.generic_path;
  if (generic.empty()) {
    why_no_ring = "the namespace has no generic node";
    return handles;
  }
  absl::StatusOr<FileDescriptor> opened =
      OpenExclusively(generic, S_IFCHR, options.access);
  if (opened.ok()) {
    handles.generic = *std::move(opened);
  } else if (S_ISCHR(node.type)) {
    return opened.status();
  } else {
    why_no_ring = std::string(opened.status().message());
    return handles;
  }
  // Partitions share the generic node: there the block node alone tells their users apart.
  if (writes && !node.partition.has_value()) {
    GLEANER_RETURN_IF_ERROR(LockExclusively(handles.generic.get(), generic));
  }
  return handles;
}

absl::Status CheckUsable(const NvmeNode& node, const NvmeIdentity& identity,
                         Access access) {
  const NvmeNamespaceData& data = identity.data;
  if (data.block_shift == 0) {
    return absl::UnimplementedError(
        absl::StrCat(node.path, " has blocks that are not of 512 to 65536 bytes"));
  }
  if (data.metadata_bytes != 0 || data.protection != 0) {
    return absl::UnimplementedError(
        absl::StrCat(node.path, " is formatted with ", data.metadata_bytes,
                     " bytes of metadata a block (protection type ", data.protection,
                     "), which Gleaner cannot keep; `nvme format` makes one without"));
  }
  if (data.capacity.value() == 0)
    return absl::UnavailableError(absl::StrCat(node.path, " has no capacity"));
  if (access == Access::kReadWrite && (data.write_protected || node.read_only)) {
    return absl::PermissionDeniedError(absl::StrCat(
        node.path, " is write-protected; ",
        data.write_protected ? "lift that with `nvme ns-set-wp` or feature 84h"
                             : "`blockdev --setrw` lifts that"));
  }
  if (node.partition.has_value() && identity.command_set == NvmeCommandSet::kZoned) {
    return absl::UnimplementedError(
        absl::StrCat(node.path, " is a partition of a zoned namespace"));
  }
  return absl::OkStatus();
}

// Where the device lies in the namespace, and how much of it there is.
absl::Status Place(const NvmeNode& node, const NvmeIdentity& identity,
                   NvmeNamespace& space, DeviceBlockCount& capacity) {
  space.nsid = identity.nsid;
  space.block_bytes = uint32_t{1} << identity.data.block_shift;
  capacity = identity.data.capacity;
  if (!node.partition.has_value()) return absl::OkStatus();
  GLEANER_ASSIGN_OR_RETURN(const DeviceRange place,
                           PartitionBlocks(node.path, *node.partition, space.block_bytes,
                                           capacity, "namespace"));
  space.first_block = place.start;
  capacity = place.count;
  return absl::OkStatus();
}

DeviceBlockCount MaxTransfer(const NvmeNode& node, const NvmeIdentity& identity) {
  uint64_t bytes =
      node.max_transfer_bytes == 0 ? kUnknownTransferBytes : node.max_transfer_bytes;
  // An append is a transfer too, and is not split: where it is limited further, all are.
  for (uint64_t limit :
       {identity.controller.max_transfer_bytes, identity.max_append_bytes}) {
    if (limit != 0) bytes = std::min(bytes, limit);
  }
  const uint64_t blocks = bytes >> identity.data.block_shift;
  return DeviceBlockCount(std::clamp<uint64_t>(blocks, 1, kNvmeMaxBlocks));
}

// The size of zones from the namespace, their capacity from the zones themselves.
absl::Status AddZones(const std::string& path, int fd, const NvmeNamespace& space,
                      const NvmeZonedData& zoned, Geometry& geometry) {
  const uint64_t size = zoned.zone_size.value();
  if (size == 0 || geometry.capacity.value() < size) {
    return absl::UnimplementedError(absl::StrCat(path, ": a zone size of ", size,
                                                 " blocks, of ",
                                                 geometry.capacity.value(), " in all"));
  }
  geometry.capacity = DeviceBlockCount(geometry.capacity.value() / size * size);
  geometry.zone_size = zoned.zone_size;
  geometry.max_open_zones = zoned.max_open_zones;
  geometry.max_active_zones = zoned.max_active_zones;
  GLEANER_ASSIGN_OR_RETURN(const std::vector<ZoneInfo> zones,
                           ReportNvmeZones(path, fd, space, geometry.zone_size,
                                           {DeviceBlock(0), geometry.capacity}));
  for (const ZoneInfo& zone : zones) {
    if (zone.state == ZoneState::kOffline) continue;
    if (geometry.zone_capacity.value() == 0) geometry.zone_capacity = zone.capacity;
    if (zone.capacity == geometry.zone_capacity) continue;
    return absl::UnimplementedError(absl::StrCat(
        path, " has zones of unlike capacity: ", geometry.zone_capacity.value(),
        " blocks, and ", zone.capacity.value(), " at block ", zone.start.value()));
  }
  if (geometry.zone_capacity.value() == 0 ||
      geometry.zone_capacity > geometry.zone_size) {
    return absl::UnavailableError(absl::StrCat(path, " has no usable zone"));
  }
  return absl::OkStatus();
}

// As the device says. Where it advertises Copy with limits of zero, they are not its limits; then
// MSRC, which is zero-based, says something only if it is not zero either.
CopyLimits HardwareCopyLimits(const NvmeIdentity& identity) {
  CopyLimits limits;
  limits.copy_offload = identity.controller.copy;
  if (!identity.controller.copy) return limits;
  limits = identity.data.copy_limits;
  limits.unknown = limits.max_copy_blocks == 0 || limits.max_range_blocks == 0;
  if (limits.unknown && limits.max_copy_ranges == 1) limits.max_copy_ranges = 0;
  return limits;
}

NvmeIo MakeIo(const NvmeIdentity& identity, const NvmeNamespace& space) {
  NvmeIo io;
  io.space = space;
  io.placement_types = identity.placement_types;
  if (identity.controller.write_zeroes) {
    const uint64_t bytes = identity.limits.max_zeroes_bytes;
    io.max_zeroes_blocks =
        bytes == 0 ? kNvmeMaxBlocks
                   : std::clamp<uint64_t>(bytes / space.block_bytes, 1, kNvmeMaxBlocks);
  }
  if (identity.controller.deallocate) {
    const uint64_t blocks = identity.limits.max_deallocate_blocks;
    io.max_deallocate_blocks =
        std::min<uint64_t>(blocks == 0 ? 0xffffffff : blocks, 0xffffffff);
  }
  return io;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> OpenNvmeDevice(const std::string& path,
                                                       const NvmeDeviceOptions& options) {
  const auto tell = [&](absl::string_view what) {
    if (options.message) options.message(absl::StrCat(path, ": ", what));
  };
  GLEANER_ASSIGN_OR_RETURN(
      const NvmeNode node,
      FindNvmeNode(path, {options.dev_directory, options.sys_directory}));
  std::string why_no_ring;
  GLEANER_ASSIGN_OR_RETURN(NvmeHandles handles, OpenHandles(node, options, why_no_ring));
  GLEANER_ASSIGN_OR_RETURN(const NvmeIdentity identity, IdentifyNvme(handles.io(), path));
  GLEANER_RETURN_IF_ERROR(CheckUsable(node, identity, options.access));

  NvmeNamespace space;
  Geometry geometry;
  GLEANER_RETURN_IF_ERROR(Place(node, identity, space, geometry.capacity));
  geometry.block_bytes = space.block_bytes;
  geometry.max_transfer = MaxTransfer(node, identity);
  // Still a power of two: what is atomic is so at multiples of itself.
  geometry.atomic_write = DeviceBlockCount(std::bit_floor(
      std::min(AtomicWrite(identity.controller, identity.data, space.first_block),
               geometry.max_transfer)
          .value()));
  geometry.volatile_write_cache = identity.controller.volatile_write_cache;
  if (identity.command_set == NvmeCommandSet::kZoned) {
    GLEANER_RETURN_IF_ERROR(
        AddZones(path, handles.io(), space, identity.zoned, geometry));
  }
  if (handles.generic.is_open()) {
    const int error = ProbeNvmeRing(handles.generic.get(), space);
    if (error != 0) why_no_ring = std::generic_category().message(error);
  }
  if (!why_no_ring.empty())
    tell(absl::StrCat("no io_uring passthrough (", why_no_ring,
                      "); using the slower ioctl"));
  NvmeCopyReach reach{.controller = identity.controller.identity};
  if (options.access == Access::kReadWrite && identity.controller.copy_across)
    reach.across = EnableNvmeCopyAcross(handles.io());
  return std::make_unique<NvmeDevice>(
      absl::StrCat("nvme:", path), options.access, geometry, HardwareCopyLimits(identity),
      std::move(handles), why_no_ring.empty() ? Transport::kRing : Transport::kIoctl,
      MakeIo(identity, space), std::move(reach));
}

}  // namespace gleaner
