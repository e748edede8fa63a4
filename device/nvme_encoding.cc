#include "device/nvme_encoding.h"

#include <algorithm>
#include <bit>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"

namespace gleaner {
namespace {

using Code = absl::StatusCode;

// What MDTS and its kin count in: the smallest page that a controller can have (CAP.MPSMIN),
// so that a limit is never taken for larger than it is.
constexpr uint64_t kPageBytes = 4096;

// ---- Little-endian fields ----

template <typename Bytes>
uint64_t Load(const Bytes& bytes, size_t at, size_t n) {
  uint64_t value = 0;
  for (size_t i = n; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

void Store(char* at, uint64_t value, size_t n) {
  for (size_t i = 0; i < n; ++i, value >>= 8) at[i] = static_cast<char>(value);
}

// 2^`exponent` pages; 0 for 0, which is "no limit". An exponent beyond all sense is none either.
uint64_t PagesToBytes(uint64_t exponent) {
  return exponent == 0 || exponent > 48 ? 0 : kPageBytes << exponent;
}

// ---- Commands ----

NvmeCommand Make(const NvmeNamespace& space, uint8_t opcode) {
  NvmeCommand command;
  command.opcode = opcode;
  command.nsid = space.nsid;
  return command;
}

// SLBA, in CDW10 and 11.
void SetStart(const NvmeNamespace& space, DeviceBlock start, NvmeCommand& command) {
  const uint64_t lba = space.first_block.value() + start.value();
  command.cdw10 = static_cast<uint32_t>(lba);
  command.cdw11 = static_cast<uint32_t>(lba >> 32);
}

// SLBA, and NLB in CDW12 15:0, zero-based.
NvmeCommand MakeBlocks(const NvmeNamespace& space, uint8_t opcode, DeviceRange range) {
  GLEANER_CHECK(range.count.value() >= 1 && range.count.value() <= kNvmeMaxBlocks);
  NvmeCommand command = Make(space, opcode);
  SetStart(space, range.start, command);
  command.cdw12 = static_cast<uint32_t>(range.count.value() - 1);
  return command;
}

NvmeCommand MakeTransfer(const NvmeNamespace& space, uint8_t opcode, DeviceRange range,
                         char* data) {
  NvmeCommand command = MakeBlocks(space, opcode, range);
  command.data = data;
  command.data_bytes = static_cast<uint32_t>(range.count.value() * space.block_bytes);
  return command;
}

// DTYPE in CDW12 23:20, DSPEC in CDW13 31:16: of writes, appends and copies alike.
void SetHint(PlacementHint hint, NvmeCommand& command) {
  command.cdw12 |= uint32_t{hint.dtype & 0xfu} << 20;
  command.cdw13 |= uint32_t{hint.dspec} << 16;
}

void SetData(std::vector<char>& list, NvmeCommand& command) {
  command.data = list.data();
  command.data_bytes = static_cast<uint32_t>(list.size());
}

// With the list of ranges in descriptor format 0h.
NvmeCommand MakeCopy(const NvmeNamespace& space, const NvmeNamespace& from,
                     absl::Span<const DeviceRange> sources, DeviceBlock target,
                     PlacementHint hint, std::vector<char>& list) {
  GLEANER_CHECK(!sources.empty() && sources.size() <= kNvmeMaxRanges);
  list.assign(sources.size() * kNvmeCopyEntryBytes, '\0');
  char* entry = list.data();
  for (const DeviceRange& source : sources) {
    GLEANER_CHECK(source.count.value() >= 1 && source.count.value() <= kNvmeMaxBlocks);
    Store(entry + 8, from.first_block.value() + source.start.value(), 8);
    Store(entry + 16, source.count.value() - 1, 2);
    entry += kNvmeCopyEntryBytes;
  }
  NvmeCommand command = Make(space, 0x19);
  SetStart(space, target, command);
  command.cdw12 = static_cast<uint32_t>(sources.size() - 1);  // NR; descriptor format 0h
  SetHint(hint, command);
  SetData(list, command);
  return command;
}

// ---- Statuses ----

struct StatusRow {
  uint8_t type;
  uint8_t code;
  Code status;
  const char* name;
};

constexpr StatusRow kStatuses[] = {
    {0, 0x00, Code::kOk, "success"},
    {0, 0x01, Code::kUnimplemented, "invalid command opcode"},
    {0, 0x02, Code::kInvalidArgument, "invalid field in command"},
    {0, 0x04, Code::kUnavailable, "data transfer error"},
    {0, 0x05, Code::kUnavailable, "aborted because of power loss"},
    {0, 0x06, Code::kUnavailable, "internal error"},
    {0, 0x07, Code::kUnavailable, "abort requested"},
    {0, 0x0b, Code::kUnavailable, "invalid namespace or format"},
    {0, 0x1c, Code::kUnavailable, "sanitize failed"},
    {0, 0x1d, Code::kUnavailable, "sanitize in progress"},
    {0, 0x20, Code::kPermissionDenied, "namespace is write protected"},
    {0, 0x21, Code::kUnavailable, "command interrupted"},
    {0, 0x22, Code::kUnavailable, "transient transport error"},
    {0, 0x23, Code::kPermissionDenied, "prohibited by lockdown"},
    {0, 0x80, Code::kOutOfRange, "LBA out of range"},
    {0, 0x81, Code::kResourceExhausted, "capacity exceeded"},
    {0, 0x82, Code::kUnavailable, "namespace not ready"},
    {0, 0x83, Code::kPermissionDenied, "reservation conflict"},
    {0, 0x84, Code::kUnavailable, "format in progress"},
    {1, 0x80, Code::kInvalidArgument, "conflicting attributes"},
    {1, 0x81, Code::kInvalidArgument, "invalid protection information"},
    {1, 0x82, Code::kPermissionDenied, "write to a read only range"},
    {1, 0x83, Code::kInvalidArgument, "command size limit exceeded"},
    {1, 0x85, Code::kUnimplemented, "incompatible namespace or format"},
    {1, 0x86, Code::kUnimplemented, "fast copy not possible"},
    {1, 0x87, Code::kInvalidArgument, "overlapping I/O range"},
    {1, 0x88, Code::kUnavailable, "namespace not reachable"},
    {1, 0x89, Code::kUnavailable, "insufficient resources"},
    {1, 0xb8, Code::kFailedPrecondition, "zone boundary error"},
    {1, 0xb9, Code::kFailedPrecondition, "zone is full"},
    {1, 0xba, Code::kFailedPrecondition, "zone is read only"},
    {1, 0xbb, Code::kFailedPrecondition, "zone is offline"},
    {1, 0xbc, Code::kFailedPrecondition, "zone invalid write"},
    {1, 0xbd, Code::kFailedPrecondition, "too many active zones"},
    {1, 0xbe, Code::kFailedPrecondition, "too many open zones"},
    {1, 0xbf, Code::kFailedPrecondition, "invalid zone state transition"},
    {2, 0x80, Code::kDataLoss, "write fault"},
    {2, 0x81, Code::kDataLoss, "unrecovered read error"},
    {2, 0x82, Code::kDataLoss, "guard check error"},
    {2, 0x83, Code::kDataLoss, "application tag check error"},
    {2, 0x84, Code::kDataLoss, "reference tag check error"},
    {2, 0x86, Code::kPermissionDenied, "access denied"},
    {2, 0x87, Code::kDataLoss, "deallocated or unwritten block"},
    {3, 0x00, Code::kUnavailable, "internal path error"},
    {3, 0x01, Code::kUnavailable, "namespace persistently inaccessible on this path"},
    {3, 0x02, Code::kUnavailable, "namespace inaccessible on this path"},
    {3, 0x03, Code::kUnavailable, "path in transition"},
    {3, 0x60, Code::kUnavailable, "controller path error"},
    {3, 0x70, Code::kUnavailable, "host path error"},
    {3, 0x71, Code::kUnavailable, "aborted by the host"},
};

const StatusRow* FindStatus(NvmeStatus status) {
  for (const StatusRow& row : kStatuses) {
    if (row.type == status.type && row.code == status.code) return &row;
  }
  return nullptr;
}

// ---- Zones ----

ZoneState DecodeZoneState(uint8_t state) {
  switch (state) {
    case 0x1:
      return ZoneState::kEmpty;
    case 0x2:  // implicitly
    case 0x3:  // explicitly
      return ZoneState::kOpen;
    case 0x4:
      return ZoneState::kClosed;
    case 0xd:
      return ZoneState::kReadOnly;
    case 0xe:
      return ZoneState::kFull;
    default:  // 0xf, and what no specification knows: not to be used
      return ZoneState::kOffline;
  }
}

// MAR and MOR are zero-based, and all ones where there is no limit.
uint32_t ZoneLimit(uint64_t field) { return static_cast<uint32_t>(field + 1); }

// ---- Identify data ----

// VID; SN and MN; CNTLID; SUBNQN.
std::string IdentityOf(const NvmePage& page) {
  const auto bytes = [&page](size_t at, size_t n) {
    return std::string(page.begin() + static_cast<ptrdiff_t>(at),
                       page.begin() + static_cast<ptrdiff_t>(at + n));
  };
  const std::string names = bytes(4, 20) + bytes(768, 256);
  if (names.find_first_not_of(std::string(" \0", 2)) == std::string::npos) return "";
  return bytes(0, 2) + names + bytes(24, 40) + bytes(78, 2);
}

}  // namespace

NvmeCommand EncodeRead(const NvmeNamespace& space, DeviceRange range, char* data) {
  return MakeTransfer(space, 0x02, range, data);
}

NvmeCommand EncodeWrite(const NvmeNamespace& space, DeviceRange range, char* data,
                        PlacementHint hint) {
  NvmeCommand command = MakeTransfer(space, 0x01, range, data);
  SetHint(hint, command);
  return command;
}

NvmeCommand EncodeAppend(const NvmeNamespace& space, DeviceRange range, char* data,
                         PlacementHint hint) {
  NvmeCommand command = MakeTransfer(space, 0x7d, range, data);
  SetHint(hint, command);
  return command;
}

NvmeCommand EncodeWriteZeroes(const NvmeNamespace& space, DeviceRange range) {
  return MakeBlocks(space, 0x08, range);
}

NvmeCommand EncodeCopy(const NvmeNamespace& space, absl::Span<const DeviceRange> sources,
                       DeviceBlock target, PlacementHint hint, std::vector<char>& list) {
  return MakeCopy(space, space, sources, target, hint, list);
}

NvmeCommand EncodeCopyFrom(const NvmeNamespace& space, const NvmeNamespace& from,
                           absl::Span<const DeviceRange> sources, DeviceBlock target,
                           PlacementHint hint, std::vector<char>& list) {
  NvmeCommand command = MakeCopy(space, from, sources, target, hint, list);
  command.cdw12 |= 2 << 8;  // descriptor format; its entries are those of 0h, and name
  for (size_t at = 0; at < list.size(); at += kNvmeCopyEntryBytes)
    Store(&list[at], from.nsid, 4);  // the source's namespace
  return command;
}

NvmeCommand EncodeDeallocate(const NvmeNamespace& space, DeviceRange range,
                             std::vector<char>& list) {
  GLEANER_CHECK(range.count.value() >= 1 && range.count.value() <= 0xffffffffu);
  list.assign(kNvmeDeallocateEntryBytes, '\0');
  Store(list.data() + 4, range.count.value(), 4);  // one-based, unlike all others
  Store(list.data() + 8, space.first_block.value() + range.start.value(), 8);
  NvmeCommand command = Make(space, 0x09);
  command.cdw10 = 0;       // NR
  command.cdw11 = 1 << 2;  // AD
  SetData(list, command);
  return command;
}

NvmeCommand EncodeFlush(const NvmeNamespace& space) { return Make(space, 0x00); }

NvmeCommand EncodeZoneOperation(const NvmeNamespace& space, OpType type,
                                DeviceBlock zone) {
  NvmeCommand command = Make(space, 0x79);
  SetStart(space, zone, command);
  switch (type) {
    case OpType::kZoneClose:
      command.cdw13 = 0x1;
      break;
    case OpType::kZoneFinish:
      command.cdw13 = 0x2;
      break;
    case OpType::kZoneOpen:
      command.cdw13 = 0x3;
      break;
    case OpType::kZoneReset:
      command.cdw13 = 0x4;
      break;
    default:
      GLEANER_CHECK(false);
  }
  return command;
}

NvmeCommand EncodeZoneReport(const NvmeNamespace& space, DeviceBlock block,
                             absl::Span<char> report) {
  NvmeCommand command = Make(space, 0x7a);
  SetStart(space, block, command);
  command.cdw12 = static_cast<uint32_t>(report.size() / 4 - 1);  // NUMD, zero-based
  command.cdw13 = 1 << 16;  // partial: the header counts what the report holds
  command.data = report.data();
  command.data_bytes = static_cast<uint32_t>(report.size());
  return command;
}

NvmeStatus DecodeStatus(uint16_t field) {
  NvmeStatus status;
  status.code = static_cast<uint8_t>(field & 0xff);
  status.type = static_cast<uint8_t>(field >> 8 & 0x7);
  status.do_not_retry = (field >> 14 & 1) != 0;
  return status;
}

absl::StatusCode StatusCodeOf(NvmeStatus status) {
  const StatusRow* row = FindStatus(status);
  if (row != nullptr) return row->status;
  return status.type == 2 ? Code::kDataLoss : Code::kUnavailable;
}

std::string DescribeStatus(NvmeStatus status) {
  const StatusRow* row = FindStatus(status);
  return absl::StrFormat("%s (NVMe status %xh/%02xh%s)",
                         row != nullptr ? row->name : "error", status.type, status.code,
                         status.do_not_retry ? ", do not retry" : "");
}

NvmeController DecodeController(const NvmePage& page) {
  const uint64_t oncs = Load(page, 520, 2);
  const uint64_t formats =
      Load(page, 534, 2);  // OCFS; zero in NVMe 1.4, which has only 0h
  NvmeController controller;
  controller.max_transfer_bytes = PagesToBytes(Load(page, 77, 1));
  controller.atomic_write_blocks = Load(page, 528, 2) + 1;
  controller.copy = (oncs >> 8 & 1) != 0 && (formats == 0 || (formats & 1) != 0);
  controller.copy_across = controller.copy && (formats >> 2 & 1) != 0;
  controller.identity = IdentityOf(page);
  controller.write_zeroes = (oncs >> 3 & 1) != 0;
  controller.deallocate = (oncs >> 2 & 1) != 0;
  controller.directives = (Load(page, 256, 2) >> 5 & 1) != 0;
  controller.volatile_write_cache = (Load(page, 525, 1) & 1) != 0;
  return controller;
}

NvmeNamespaceData DecodeNamespace(const NvmePage& page) {
  NvmeNamespaceData data;
  data.capacity = DeviceBlockCount(Load(page, 0, 8));
  const uint64_t flbas = Load(page, 26, 1);
  data.format = static_cast<uint8_t>((flbas & 0xf) | (flbas >> 5 & 0x3) << 4);
  const size_t format_at = 128 + 4 * size_t{data.format};
  data.metadata_bytes = static_cast<uint32_t>(Load(page, format_at, 2));
  const uint64_t shift = Load(page, format_at + 2, 1);
  data.block_shift = shift >= 9 && shift <= 16 ? static_cast<uint32_t>(shift) : 0;
  data.protection = static_cast<uint8_t>(Load(page, 29, 1) & 0x7);
  data.write_protected = (Load(page, 99, 1) & 1) != 0;
  const bool own_atomicity = (Load(page, 24, 1) >> 1 & 1) != 0;
  const uint64_t nabspf = Load(page, 44, 2);
  if (own_atomicity) data.atomic_write_blocks = Load(page, 36, 2) + 1;
  if (nabspf != 0) data.atomic_boundary_blocks = nabspf + 1;
  data.atomic_boundary_offset = Load(page, 42, 2);
  data.copy_limits.max_range_blocks = Load(page, 74, 2);
  data.copy_limits.max_copy_blocks = Load(page, 76, 4);
  data.copy_limits.max_copy_ranges = static_cast<uint32_t>(Load(page, 80, 1)) + 1;
  return data;
}

NvmeCommandSet DecodeCommandSet(const NvmePage& page) {
  // Descriptors: type, length of the value, two bytes reserved, the value.
  for (size_t at = 0; at + 4 < page.size() && page[at] != 0; at += 4 + page[at + 1]) {
    if (page[at] == 4) return static_cast<NvmeCommandSet>(page[at + 4]);
  }
  return NvmeCommandSet::kNvm;
}

NvmeCommandLimits DecodeCommandLimits(const NvmePage& page) {
  NvmeCommandLimits limits;
  limits.max_zeroes_bytes = PagesToBytes(Load(page, 1, 1));
  limits.max_deallocate_blocks = Load(page, 4, 4);
  const uint64_t total = Load(page, 8, 8);
  if (total != 0 &&
      (limits.max_deallocate_blocks == 0 || total < limits.max_deallocate_blocks)) {
    limits.max_deallocate_blocks = total;
  }
  return limits;
}

NvmeZonedData DecodeZonedNamespace(const NvmePage& page, uint8_t format) {
  NvmeZonedData data;
  data.zone_size = DeviceBlockCount(Load(page, 2816 + 16 * size_t{format}, 8));
  data.max_active_zones = ZoneLimit(Load(page, 4, 4));
  data.max_open_zones = ZoneLimit(Load(page, 8, 4));
  return data;
}

uint64_t DecodeMaxAppendBytes(const NvmePage& page) {
  return PagesToBytes(Load(page, 0, 1));
}

bool SetCopyAcross(NvmeHostBehavior& behavior) {
  constexpr size_t kFormats = 4;  // CDFE, bytes 4 and 5: bit n for descriptor format n
  if ((behavior[kFormats] >> 2 & 1) != 0) return false;
  behavior[kFormats] |= 1 << 2;
  return true;
}

bool DecodeDirectiveEnabled(const NvmePage& page, uint8_t dtype) {
  return (Load(page, size_t{32} + dtype / 8, 1) >> dtype % 8 & 1) != 0;
}

HostTraffic DecodeHostTraffic(const NvmePage& log) {
  constexpr uint64_t kDataUnitBytes = uint64_t{1000} * 512;
  // Fields of 16 bytes, of which 8 will do for the next million years.
  return {.bytes_read = Load(log, 32, 8) * kDataUnitBytes,
          .bytes_written = Load(log, 48, 8) * kDataUnitBytes};
}

std::vector<ZoneInfo> DecodeZoneReport(const NvmeNamespace& space,
                                       absl::Span<const char> report) {
  std::vector<ZoneInfo> zones;
  if (report.size() < ZoneReportBytes(0)) return zones;
  const uint64_t count =
      std::min<uint64_t>(Load(report, 0, 8), (report.size() - ZoneReportBytes(0)) / 64);
  for (uint64_t i = 0; i < count; ++i) {
    const size_t at = ZoneReportBytes(i);
    ZoneInfo zone;
    zone.state = DecodeZoneState(static_cast<uint8_t>(Load(report, at + 1, 1) >> 4));
    zone.capacity = DeviceBlockCount(Load(report, at + 8, 8));
    zone.start = DeviceBlock(Load(report, at + 16, 8) - space.first_block.value());
    zone.write_pointer =
        DeviceBlock(Load(report, at + 24, 8) - space.first_block.value());
    // Elsewhere the write pointer means nothing: no block can be written.
    if (zone.state == ZoneState::kFull || zone.state == ZoneState::kReadOnly ||
        zone.state == ZoneState::kOffline) {
      zone.write_pointer = zone.start + zone.capacity;
    }
    zones.push_back(zone);
  }
  return zones;
}

DeviceBlockCount AtomicWrite(const NvmeController& controller,
                             const NvmeNamespaceData& data, DeviceBlock first_block) {
  uint64_t unit =
      std::bit_floor(data.atomic_write_blocks != 0 ? data.atomic_write_blocks
                                                   : controller.atomic_write_blocks);
  if (data.atomic_boundary_blocks != 0) {
    // No multiple of the unit may lie across a boundary.
    if (data.atomic_boundary_offset != 0) return DeviceBlockCount(1);
    unit =
        std::min(unit, data.atomic_boundary_blocks & (~data.atomic_boundary_blocks + 1));
    if (first_block.value() % unit != 0) return DeviceBlockCount(1);
  }
  return DeviceBlockCount(unit);
}

}  // namespace gleaner
