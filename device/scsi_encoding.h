// SCSI's own bytes: command descriptor blocks, parameter lists, inquiry and mode pages, sense data,
// to and from the words of the Device contract. The one place that knows where a field lies; it
// performs no I/O and includes no SCSI header.
//
//   ScsiDisk disk{.block_bytes = 512};
//   ScsiCommand read = EncodeRead(disk, {DeviceBlock(8), DeviceBlockCount(2)}, data);
//   read.cdb;                                  // READ(16): 88h ... LBA 8, 2 blocks
//   DecodeSense(bytes);                        // key 5h, ASC 26h, ASCQ 08h
//   CopyLimitsOf(DecodeCopyParameters(page), disk.block_bytes, transfer_bytes);
//
// Sources: SPC-4 (commands of all devices, sense data, EXTENDED COPY of LID1), SBC-3 (blocks).
// Thread-safe: pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "base/types.h"
#include "device/geometry.h"

namespace gleaner {

enum class ScsiTransfer : uint8_t { kNone, kToDevice, kFromDevice };

// One command, but for what the transport adds.
struct ScsiCommand {
  std::array<uint8_t, 16> cdb = {};
  uint8_t cdb_bytes = 16;
  ScsiTransfer transfer = ScsiTransfer::kNone;
  char* data =
      nullptr;  // the caller's, until completion; to the device: not to be changed
  uint32_t data_bytes = 0;
  // Whether less than data_bytes from the device is no error: of what describes it, not of blocks.
  bool may_be_short = false;
  uint32_t timeout_ms = 30'000;
};

// Which part of which disk a device's blocks are.
struct ScsiDisk {
  uint32_t block_bytes = 0;
  // Of a partition: where it begins. Commands know no partitions, so it is added to every block.
  DeviceBlock first_block = DeviceBlock(0);
};

// How the disk is called in a copy: one of the designators of its device identification page.
struct ScsiDesignator {
  uint8_t code_set = 0;
  uint8_t type = 0;  // 1h T10 vendor, 2h EUI-64, 3h NAA
  std::string bytes;
  friend bool operator==(const ScsiDesignator&, const ScsiDesignator&) = default;
};

// Whether a copy has a list identifier (LIST ID USAGE 10b; 0 until it is set) or none (11b).
enum class ScsiListIds : uint8_t { kNone, kOne };

// ---- Commands for blocks. Ranges are not empty, and have less than 2^32 blocks. ----

// What a segment descriptor counts its blocks with: 16 bits.
inline constexpr uint64_t kScsiMaxSegmentBlocks = 65535;
// What zeroing and unmapping count with: 32 bits.
inline constexpr uint64_t kScsiMaxBlocks = 0xffffffff;

ScsiCommand EncodeRead(const ScsiDisk& disk, DeviceRange range, char* data);
ScsiCommand EncodeWrite(const ScsiDisk& disk, DeviceRange range, char* data);
// WRITE SAME(16) of `block`, which has one block's bytes.
ScsiCommand EncodeWriteSame(const ScsiDisk& disk, DeviceRange range, char* block);
// UNMAP of one range. Writes the list to `list`, which the command then refers to.
ScsiCommand EncodeUnmap(const ScsiDisk& disk, DeviceRange range, std::vector<char>& list);
// SYNCHRONIZE CACHE(16) of the whole disk.
ScsiCommand EncodeSynchronizeCache();
// EXTENDED COPY(LID1) within the disk, with one segment descriptor (02h) for each source.
ScsiCommand EncodeExtendedCopy(const ScsiDisk& disk, const ScsiDesignator& designator,
                               absl::Span<const DeviceRange> sources, DeviceBlock target,
                               ScsiListIds list_ids, std::vector<char>& list);
// In such a list. No two copies in flight to a device may have the same.
void SetListId(uint8_t id, std::vector<char>& list);

// ---- Commands that ask. Each fills at most `page`, which is zeroes before. ----

using ScsiPage = std::array<char, 1024>;

enum class ScsiVitalPage : uint8_t {
  kSupported = 0x00,
  kSerialNumber = 0x80,
  kIdentification = 0x83,
  kBlockLimits = 0xb0,
  kProvisioning = 0xb2,
};

ScsiCommand EncodeInquiry(ScsiPage& page);
ScsiCommand EncodeVitalPage(ScsiVitalPage which, ScsiPage& page);
ScsiCommand EncodeReadCapacity(ScsiPage& page);
// The caching mode page, without block descriptors, by the longer or the shorter command.
ScsiCommand EncodeModeSense10(ScsiPage& page);
ScsiCommand EncodeModeSense6(ScsiPage& page);
// RECEIVE COPY OPERATING PARAMETERS.
ScsiCommand EncodeReceiveCopyParameters(ScsiPage& page);

// ---- Answers ----

enum class ScsiDeviceType : uint8_t { kDisk = 0x00, kZonedDisk = 0x14 };

struct ScsiInquiry {
  uint8_t qualifier = 0;  // 0: a device is there
  uint8_t type = 0;       // a ScsiDeviceType, or something else
  bool third_party_copy = false;
  std::string vendor;
  std::string product;
};
ScsiInquiry DecodeInquiry(const ScsiPage& page);

// Of the page of supported pages.
bool HasVitalPage(const ScsiPage& supported, ScsiVitalPage which);
std::string DecodeSerialNumber(const ScsiPage& page);
// That by which copies are to name the disk: the most unambiguous one of the logical unit that a
// descriptor has room for. nullopt: there is none.
std::optional<ScsiDesignator> DecodeDesignator(const ScsiPage& page);

struct ScsiCapacity {
  DeviceBlockCount blocks;
  uint32_t block_bytes = 0;
  bool provisioned = false;  // LBPME: blocks can be unmapped
};
ScsiCapacity DecodeCapacity(const ScsiPage& page);

struct ScsiBlockLimits {  // in blocks; 0: not told
  uint64_t max_transfer = 0;
  uint64_t max_unmap = 0;
  uint32_t max_unmap_ranges = 0;
  uint64_t max_write_same = 0;
};
ScsiBlockLimits DecodeBlockLimits(const ScsiPage& page);

struct ScsiProvisioning {
  bool unmap = false;       // LBPU
  bool write_same = false;  // LBPWS: WRITE SAME(16) that unmaps
};
ScsiProvisioning DecodeProvisioning(const ScsiPage& page);

struct ScsiMode {
  bool write_protected = false;
  bool write_cache = true;  // enabled, or not told
};
ScsiMode DecodeModeSense10(const ScsiPage& page);
ScsiMode DecodeModeSense6(const ScsiPage& page);

struct ScsiCopyParameters {
  bool needs_no_list_id = false;  // SNLID
  uint16_t max_targets = 0;
  uint16_t max_segments = 0;
  uint32_t max_list_bytes = 0;     // of descriptors of both kinds; 0: no limit
  uint32_t max_segment_bytes = 0;  // 0: no limit
  uint8_t max_concurrent = 0;      // copies at a time; 0: not told
  uint64_t granularity_bytes = 1;  // each segment is a multiple of it
  // Whether descriptors of both types that we send are implemented (or none is listed).
  bool has_descriptors = true;
};
ScsiCopyParameters DecodeCopyParameters(const ScsiPage& page);

// Zeroes if a copy cannot have a target, a segment and whole blocks. `max_transfer_bytes` is for
// the list of descriptors.
CopyLimits CopyLimitsOf(const ScsiCopyParameters& parameters, uint32_t block_bytes,
                        uint64_t max_transfer_bytes);

// ---- Sense data ----

enum class ScsiSenseKey : uint8_t {
  kNoSense = 0x0,
  kRecoveredError = 0x1,
  kNotReady = 0x2,
  kMediumError = 0x3,
  kHardwareError = 0x4,
  kIllegalRequest = 0x5,
  kUnitAttention = 0x6,
  kDataProtect = 0x7,
  kCopyAborted = 0xa,
  kAbortedCommand = 0xb,
  kMiscompare = 0xe,
};

struct ScsiSense {
  bool valid = false;     // false: there is none, or nothing that we know
  bool deferred = false;  // about an earlier command
  ScsiSenseKey key = ScsiSenseKey::kNoSense;
  uint8_t asc = 0;
  uint8_t ascq = 0;
  // Of an aborted copy: the number of the segment descriptor that was being processed.
  uint16_t segment = 0;
};
// Fixed (70h, 71h) or descriptor format (72h, 73h), as far as it was returned.
ScsiSense DecodeSense(absl::Span<const uint8_t> bytes);

}  // namespace gleaner
