// NVMe's own numbers: commands, identify data, zone reports and statuses, to and from those
// of the Device contract. The one place that knows which counts are zero-based, where a
// field lies and what a code means; it performs no I/O and includes no NVMe header.
//
//   NvmeNamespace space{.nsid = 1, .block_bytes = 4096};
//   NvmeCommand read = EncodeRead(space, {DeviceBlock(8), DeviceBlockCount(2)}, data);
//   read.cdw12;                                 // 1: NLB is zero-based
//   NvmeStatus status = DecodeStatus(0x4281);   // type 2h, code 81h, do not retry
//   StatusCodeOf(status);                       // kDataLoss
//
// Sources: NVM Express Base, NVM Command Set, Zoned Namespace Command Set specifications.
// Thread-safe: pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/types.h"
#include "device/device.h"
#include "device/geometry.h"

namespace gleaner {

// One command, but for what the transport adds.
struct NvmeCommand {
  uint8_t opcode = 0;
  uint32_t nsid = 0;
  char* data = nullptr;  // the caller's, until completion; of a write: not to be changed
  uint32_t data_bytes = 0;
  uint32_t cdw10 = 0;
  uint32_t cdw11 = 0;
  uint32_t cdw12 = 0;
  uint32_t cdw13 = 0;
};

// Which part of which namespace a device's blocks are.
struct NvmeNamespace {
  uint32_t nsid = 0;
  uint32_t block_bytes = 0;
  // Of a partition: where it begins. Commands know no partitions, so it is added to every
  // block that an encoder is given.
  DeviceBlock first_block = DeviceBlock(0);
};

// ---- Commands. Ranges are not empty, and within the limits below. ----

// NLB has 16 bits: what one read, write, append or write-zeroes may cover.
inline constexpr uint64_t kNvmeMaxBlocks = 65536;
// NR has 8 bits: source ranges of a copy, ranges of a deallocation.
inline constexpr uint32_t kNvmeMaxRanges = 256;
// The lengths of the lists that EncodeCopy and EncodeDeallocate write.
inline constexpr size_t kNvmeCopyEntryBytes = 32;
inline constexpr size_t kNvmeDeallocateEntryBytes = 16;

NvmeCommand EncodeRead(const NvmeNamespace& space, DeviceRange range, char* data);
NvmeCommand EncodeWrite(const NvmeNamespace& space, DeviceRange range, char* data,
                        PlacementHint hint);
// To the zone that starts at range.start.
NvmeCommand EncodeAppend(const NvmeNamespace& space, DeviceRange range, char* data,
                         PlacementHint hint);
NvmeCommand EncodeWriteZeroes(const NvmeNamespace& space, DeviceRange range);
// Descriptor format 0h. Writes the list of ranges to `list`, which the command then refers to.
NvmeCommand EncodeCopy(const NvmeNamespace& space, absl::Span<const DeviceRange> sources,
                       DeviceBlock target, PlacementHint hint, std::vector<char>& list);
// Descriptor format 2h: the same from another namespace of the controller, `from`.
NvmeCommand EncodeCopyFrom(const NvmeNamespace& space, const NvmeNamespace& from,
                           absl::Span<const DeviceRange> sources, DeviceBlock target,
                           PlacementHint hint, std::vector<char>& list);
// One range, of at most 2^32 - 1 blocks.
NvmeCommand EncodeDeallocate(const NvmeNamespace& space, DeviceRange range,
                             std::vector<char>& list);
NvmeCommand EncodeFlush(const NvmeNamespace& space);
// `type` is one of the zone operations.
NvmeCommand EncodeZoneOperation(const NvmeNamespace& space, OpType type,
                                DeviceBlock zone);
// Fills `report` with the zones from the one that holds `block` on; a multiple of 4 bytes.
NvmeCommand EncodeZoneReport(const NvmeNamespace& space, DeviceBlock block,
                             absl::Span<char> report);

// ---- Completions ----

// `field` is the status as Linux returns it: the completion's status field without the phase.
NvmeStatus DecodeStatus(uint16_t field);
// As OpResult says. kOk for the status of a success.
absl::StatusCode StatusCodeOf(NvmeStatus status);
// "unrecovered read error (NVMe status 2h/81h, do not retry)".
std::string DescribeStatus(NvmeStatus status);
// Dword 0 of a failed copy.
inline uint32_t DecodeRangesCopied(uint64_t result) {
  return static_cast<uint32_t>(result);
}
// Dwords 0 and 1 of an append.
inline DeviceBlock DecodeAppendedAt(const NvmeNamespace& space, uint64_t result) {
  return DeviceBlock(result - space.first_block.value());
}

// ---- Identify data ----

using NvmePage = std::array<uint8_t, 4096>;

enum class NvmeCommandSet : uint8_t { kNvm = 0, kKeyValue = 1, kZoned = 2 };

// Identify Controller (CNS 01h).
struct NvmeController {
  uint64_t max_transfer_bytes = 0;   // 0: no limit
  uint64_t atomic_write_blocks = 1;  // AWUPF, of any namespace
  bool copy = false;                 // ONCS advertises it, with descriptor format 0h
  bool copy_across = false;          // and with format 2h, once that is enabled
  // Vendor, serial number, model, controller number, subsystem: of two namespaces the same
  // bytes if one controller has both. Empty where they name none.
  std::string identity;
  bool write_zeroes = false;
  bool deallocate = false;
  bool directives = false;
  bool volatile_write_cache = false;
};
NvmeController DecodeController(const NvmePage& page);

// Identify Namespace (CNS 00h).
struct NvmeNamespaceData {
  DeviceBlockCount capacity;
  uint32_t block_shift = 0;  // log2 of the block's bytes; 0: the format is unknown
  uint32_t metadata_bytes = 0;
  uint8_t protection = 0;  // type of the protection information, 0: none
  uint8_t format = 0;      // index of the LBA format in use
  bool write_protected = false;
  // 0: as the controller says.
  uint64_t atomic_write_blocks = 0;
  uint64_t atomic_boundary_blocks = 0;  // 0: none
  uint64_t atomic_boundary_offset = 0;
  // MCL, MSRC + 1 and MSSRL as reported; copy_offload is for the controller to say.
  CopyLimits copy_limits;
};
NvmeNamespaceData DecodeNamespace(const NvmePage& page);

// The I/O command set in a Namespace Identification Descriptor list (CNS 03h); kNvm where it
// says nothing.
NvmeCommandSet DecodeCommandSet(const NvmePage& page);

// What commands of the NVM command set are limited to (CNS 06h, CSI 00h), in bytes and blocks;
// 0: no limit of its own.
struct NvmeCommandLimits {
  uint64_t max_zeroes_bytes = 0;
  uint64_t max_deallocate_blocks = 0;  // by one range
};
NvmeCommandLimits DecodeCommandLimits(const NvmePage& page);

// Identify Namespace for zones (CNS 05h, CSI 02h).
struct NvmeZonedData {
  DeviceBlockCount zone_size;
  uint32_t max_open_zones = 0;    // 0: no limit
  uint32_t max_active_zones = 0;  // 0: no limit
};
NvmeZonedData DecodeZonedNamespace(const NvmePage& page, uint8_t format);
// Identify Controller for zones (CNS 06h, CSI 02h): the most that one append writes; 0: as any
// transfer.
uint64_t DecodeMaxAppendBytes(const NvmePage& page);

// The data of Host Behavior Support (feature 16h). Sets its bit for copy descriptor format 2h;
// false if that was set already.
using NvmeHostBehavior = std::array<uint8_t, 512>;
bool SetCopyAcross(NvmeHostBehavior& behavior);

// Whether DTYPE `dtype` is enabled, of the parameters that the Identify directive returns.
bool DecodeDirectiveEnabled(const NvmePage& page, uint8_t dtype);

// The data units of a SMART / Health Information log (log page 02h), in bytes.
HostTraffic DecodeHostTraffic(const NvmePage& log);

// The zones in a report; those that its header counts, as far as they are in it.
std::vector<ZoneInfo> DecodeZoneReport(const NvmeNamespace& space,
                                       absl::Span<const char> report);
// The length of a report of `zones` zones.
inline constexpr size_t ZoneReportBytes(size_t zones) { return 64 + 64 * zones; }

// The largest power of two of blocks that is written whole at every multiple of itself, counted
// from `first_block`.
DeviceBlockCount AtomicWrite(const NvmeController& controller,
                             const NvmeNamespaceData& data, DeviceBlock first_block);

}  // namespace gleaner
