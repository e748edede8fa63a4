#include "device/scsi_encoding.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "base/check.h"

namespace gleaner {
namespace {

// Operation codes.
constexpr uint8_t kInquiry = 0x12;
constexpr uint8_t kModeSense6 = 0x1a;
constexpr uint8_t kUnmap = 0x42;
constexpr uint8_t kModeSense10 = 0x5a;
constexpr uint8_t kExtendedCopy = 0x83;
constexpr uint8_t kReceiveCopyResults = 0x84;
constexpr uint8_t kRead16 = 0x88;
constexpr uint8_t kWrite16 = 0x8a;
constexpr uint8_t kSynchronizeCache16 = 0x91;
constexpr uint8_t kWriteSame16 = 0x93;
constexpr uint8_t kServiceActionIn16 = 0x9e;

// Of an EXTENDED COPY's parameter list.
constexpr size_t kCopyHeaderBytes = 16;
constexpr size_t kTargetBytes = 32;
constexpr size_t kSegmentBytes = 28;
constexpr uint8_t kIdentificationTarget = 0xe4;
constexpr uint8_t kBlockToBlockSegment = 0x02;
constexpr size_t kMaxDesignatorBytes = 20;

// A command may take its time; a copy or zeroing this many bytes a millisecond at least.
constexpr uint32_t kLongTimeoutMs = 60'000;
constexpr uint64_t kSlowBytesPerMs = 4096;

// ---- Big-endian fields ----

template <typename Bytes>
uint64_t Load(const Bytes& bytes, size_t at, size_t n) {
  uint64_t value = 0;
  for (size_t i = 0; i < n; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

template <typename Byte>
void Store(Byte* at, uint64_t value, size_t n) {
  for (size_t i = n; i-- > 0; value >>= 8) at[i] = static_cast<Byte>(value);
}

template <typename Bytes>
bool Bit(const Bytes& bytes, size_t at, int bit) {
  return (static_cast<uint8_t>(bytes[at]) >> bit & 1) != 0;
}

// ---- Commands ----

uint64_t AddressOf(const ScsiDisk& disk, DeviceBlock block) {
  return disk.first_block.value() + block.value();
}

uint32_t TimeoutFor(const ScsiDisk& disk, uint64_t blocks) {
  const uint64_t ms = kLongTimeoutMs + blocks * disk.block_bytes / kSlowBytesPerMs;
  return static_cast<uint32_t>(std::min<uint64_t>(ms, 0x7fffffff));
}

// LBA in bytes 2 to 9, a number of blocks in 10 to 13.
ScsiCommand MakeBlocks(const ScsiDisk& disk, uint8_t opcode, DeviceRange range) {
  GLEANER_CHECK(range.count.value() >= 1 && range.count.value() <= kScsiMaxBlocks);
  ScsiCommand command;
  command.cdb[0] = opcode;
  Store(&command.cdb[2], AddressOf(disk, range.start), 8);
  Store(&command.cdb[10], range.count.value(), 4);
  return command;
}

ScsiCommand MakeTransfer(const ScsiDisk& disk, uint8_t opcode, DeviceRange range,
                         ScsiTransfer transfer, char* data) {
  ScsiCommand command = MakeBlocks(disk, opcode, range);
  command.transfer = transfer;
  command.data = data;
  command.data_bytes = static_cast<uint32_t>(range.count.value() * disk.block_bytes);
  return command;
}

void SetData(ScsiTransfer transfer, char* data, size_t bytes, ScsiCommand& command) {
  command.transfer = transfer;
  command.data = data;
  command.data_bytes = static_cast<uint32_t>(bytes);
  command.may_be_short = transfer == ScsiTransfer::kFromDevice;
}

// A command that asks for `bytes`, which it says in the `n` bytes of its block from `at` on.
ScsiCommand MakeQuestion(uint8_t opcode, uint8_t cdb_bytes, size_t bytes, size_t at,
                         size_t n, ScsiPage& page) {
  ScsiCommand command;
  command.cdb[0] = opcode;
  command.cdb_bytes = cdb_bytes;
  Store(&command.cdb[at], bytes, n);
  SetData(ScsiTransfer::kFromDevice, page.data(), bytes, command);
  return command;
}

// DBD, and the current values of the caching page.
void SetCachingPage(ScsiCommand& command) {
  command.cdb[1] = 0x08;
  command.cdb[2] = 0x08;
}

// ---- Answers ----

std::string Text(const ScsiPage& page, size_t at, size_t n) {
  return std::string(absl::StripAsciiWhitespace({page.data() + at, n}));
}

// The end of a vital product data page, or of what we have of it.
size_t VitalPageEnd(const ScsiPage& page) {
  return std::min<size_t>(4 + Load(page, 2, 2), page.size());
}

// How little a designator leaves to doubt; 0: it cannot be used.
int Worth(const ScsiDesignator& designator) {
  if (designator.bytes.empty() || designator.bytes.size() > kMaxDesignatorBytes) return 0;
  switch (designator.type) {
    case 0x3:  // NAA
      return designator.bytes.size() == 16 ? 4 : 3;
    case 0x2:  // EUI-64
      return 2;
    case 0x1:  // T10 vendor
      return 1;
    default:
      return 0;
  }
}

// The mode parameter header says what is write-protected; the page follows, at `at`.
ScsiMode DecodeMode(const ScsiPage& page, uint8_t device_specific, size_t at) {
  ScsiMode mode;
  mode.write_protected = (device_specific & 0x80) != 0;
  const bool is_caching =
      at + 3 <= page.size() && (static_cast<uint8_t>(page[at]) & 0x3f) == 0x08;
  if (is_caching) mode.write_cache = Bit(page, at + 2, 2);
  return mode;
}

}  // namespace

ScsiCommand EncodeRead(const ScsiDisk& disk, DeviceRange range, char* data) {
  return MakeTransfer(disk, kRead16, range, ScsiTransfer::kFromDevice, data);
}

ScsiCommand EncodeWrite(const ScsiDisk& disk, DeviceRange range, char* data) {
  return MakeTransfer(disk, kWrite16, range, ScsiTransfer::kToDevice, data);
}

ScsiCommand EncodeWriteSame(const ScsiDisk& disk, DeviceRange range, char* block) {
  ScsiCommand command = MakeBlocks(disk, kWriteSame16, range);
  SetData(ScsiTransfer::kToDevice, block, disk.block_bytes, command);
  command.timeout_ms = TimeoutFor(disk, range.count.value());
  return command;
}

ScsiCommand EncodeUnmap(const ScsiDisk& disk, DeviceRange range,
                        std::vector<char>& list) {
  GLEANER_CHECK(range.count.value() >= 1 && range.count.value() <= kScsiMaxBlocks);
  list.assign(24, 0);
  Store(&list[0], 22, 2);  // what follows this field
  Store(&list[2], 16, 2);  // one descriptor
  Store(&list[8], AddressOf(disk, range.start), 8);
  Store(&list[16], range.count.value(), 4);
  ScsiCommand command;
  command.cdb[0] = kUnmap;
  command.cdb_bytes = 10;
  Store(&command.cdb[7], list.size(), 2);
  SetData(ScsiTransfer::kToDevice, list.data(), list.size(), command);
  command.timeout_ms = kLongTimeoutMs;
  return command;
}

ScsiCommand EncodeSynchronizeCache() {
  ScsiCommand command;
  command.cdb[0] = kSynchronizeCache16;  // of zero blocks: all
  command.timeout_ms = 2 * kLongTimeoutMs;
  return command;
}

ScsiCommand EncodeExtendedCopy(const ScsiDisk& disk, const ScsiDesignator& designator,
                               absl::Span<const DeviceRange> sources, DeviceBlock target,
                               ScsiListIds list_ids, std::vector<char>& list) {
  GLEANER_CHECK(!sources.empty() && designator.bytes.size() <= kMaxDesignatorBytes);
  list.assign(kCopyHeaderBytes + kTargetBytes + sources.size() * kSegmentBytes, 0);
  list[1] = list_ids == ScsiListIds::kOne ? 0x10 : 0x18;  // LIST ID USAGE; priority 0
  Store(&list[2], kTargetBytes, 2);
  Store(&list[8], sources.size() * kSegmentBytes, 4);

  char* const disk_at = &list[kCopyHeaderBytes];
  Store(disk_at, kIdentificationTarget, 1);
  disk_at[4] = static_cast<char>(designator.code_set);
  disk_at[5] = static_cast<char>(designator.type);  // association 0: the logical unit
  disk_at[7] = static_cast<char>(designator.bytes.size());
  std::copy(designator.bytes.begin(), designator.bytes.end(), disk_at + 8);
  Store(disk_at + 29, disk.block_bytes, 3);

  // The disk is source and destination: both identifiers of each segment are 0.
  char* at = disk_at + kTargetBytes;
  uint64_t blocks = 0;
  for (const DeviceRange& source : sources) {
    GLEANER_CHECK(source.count.value() >= 1 &&
                  source.count.value() <= kScsiMaxSegmentBlocks);
    Store(at, kBlockToBlockSegment, 1);
    Store(at + 2, kSegmentBytes - 4, 2);
    Store(at + 10, source.count.value(), 2);
    Store(at + 12, AddressOf(disk, source.start), 8);
    Store(at + 20, AddressOf(disk, target + DeviceBlockCount(blocks)), 8);
    at += kSegmentBytes;
    blocks += source.count.value();
  }
  ScsiCommand command;
  command.cdb[0] = kExtendedCopy;
  Store(&command.cdb[10], list.size(), 4);
  SetData(ScsiTransfer::kToDevice, list.data(), list.size(), command);
  command.timeout_ms = TimeoutFor(disk, blocks);
  return command;
}

void SetListId(uint8_t id, std::vector<char>& list) { list[0] = static_cast<char>(id); }

ScsiCommand EncodeInquiry(ScsiPage& page) {
  return MakeQuestion(kInquiry, 6, 36, 3, 2, page);
}

ScsiCommand EncodeVitalPage(ScsiVitalPage which, ScsiPage& page) {
  ScsiCommand command = MakeQuestion(kInquiry, 6, page.size(), 3, 2, page);
  command.cdb[1] = 0x01;  // EVPD
  command.cdb[2] = static_cast<uint8_t>(which);
  return command;
}

ScsiCommand EncodeReadCapacity(ScsiPage& page) {
  ScsiCommand command = MakeQuestion(kServiceActionIn16, 16, 32, 10, 4, page);
  command.cdb[1] = 0x10;
  return command;
}

ScsiCommand EncodeModeSense10(ScsiPage& page) {
  ScsiCommand command = MakeQuestion(kModeSense10, 10, 128, 7, 2, page);
  SetCachingPage(command);
  return command;
}

ScsiCommand EncodeModeSense6(ScsiPage& page) {
  ScsiCommand command = MakeQuestion(kModeSense6, 6, 128, 4, 1, page);
  SetCachingPage(command);
  return command;
}

ScsiCommand EncodeReceiveCopyParameters(ScsiPage& page) {
  ScsiCommand command = MakeQuestion(kReceiveCopyResults, 16, page.size(), 10, 4, page);
  command.cdb[1] = 0x03;
  return command;
}

ScsiInquiry DecodeInquiry(const ScsiPage& page) {
  ScsiInquiry inquiry;
  inquiry.qualifier = static_cast<uint8_t>(page[0]) >> 5;
  inquiry.type = static_cast<uint8_t>(page[0]) & 0x1f;
  inquiry.third_party_copy = Bit(page, 5, 3);
  inquiry.vendor = Text(page, 8, 8);
  inquiry.product = Text(page, 16, 16);
  return inquiry;
}

bool HasVitalPage(const ScsiPage& supported, ScsiVitalPage which) {
  const auto end = supported.begin() + static_cast<ptrdiff_t>(VitalPageEnd(supported));
  return std::find(supported.begin() + 4, end, static_cast<char>(which)) != end;
}

std::string DecodeSerialNumber(const ScsiPage& page) {
  return Text(page, 4, VitalPageEnd(page) - 4);
}

std::optional<ScsiDesignator> DecodeDesignator(const ScsiPage& page) {
  std::optional<ScsiDesignator> best;
  const size_t end = VitalPageEnd(page);
  for (size_t at = 4; at + 4 <= end;) {
    const size_t length = Load(page, at + 3, 1);
    if (at + 4 + length > end) break;  // cut off
    const ScsiDesignator designator = {static_cast<uint8_t>(page[at] & 0xf),
                                       static_cast<uint8_t>(page[at + 1] & 0xf),
                                       std::string(page.data() + at + 4, length)};
    const bool is_of_unit = (page[at + 1] & 0x30) == 0;
    if (is_of_unit && Worth(designator) > (best ? Worth(*best) : 0)) best = designator;
    at += 4 + length;
  }
  return best;
}

ScsiCapacity DecodeCapacity(const ScsiPage& page) {
  ScsiCapacity capacity;
  capacity.blocks = DeviceBlockCount(Load(page, 0, 8) + 1);
  capacity.block_bytes = static_cast<uint32_t>(Load(page, 8, 4));
  capacity.provisioned = Bit(page, 14, 7);
  return capacity;
}

ScsiBlockLimits DecodeBlockLimits(const ScsiPage& page) {
  ScsiBlockLimits limits;
  limits.max_transfer = Load(page, 8, 4);
  limits.max_unmap = Load(page, 20, 4);
  limits.max_unmap_ranges = static_cast<uint32_t>(Load(page, 24, 4));
  limits.max_write_same = Load(page, 36, 8);
  return limits;
}

ScsiProvisioning DecodeProvisioning(const ScsiPage& page) {
  return {.unmap = Bit(page, 5, 7), .write_same = Bit(page, 5, 6)};
}

ScsiMode DecodeModeSense10(const ScsiPage& page) {
  return DecodeMode(page, static_cast<uint8_t>(page[3]), 8 + Load(page, 6, 2));
}

ScsiMode DecodeModeSense6(const ScsiPage& page) {
  return DecodeMode(page, static_cast<uint8_t>(page[2]), 4 + Load(page, 3, 1));
}

ScsiCopyParameters DecodeCopyParameters(const ScsiPage& page) {
  ScsiCopyParameters p;
  p.needs_no_list_id = Bit(page, 4, 0);
  p.max_targets = static_cast<uint16_t>(Load(page, 8, 2));
  p.max_segments = static_cast<uint16_t>(Load(page, 10, 2));
  p.max_list_bytes = static_cast<uint32_t>(Load(page, 12, 4));
  p.max_segment_bytes = static_cast<uint32_t>(Load(page, 16, 4));
  p.max_concurrent = static_cast<uint8_t>(page[36]);
  p.granularity_bytes = uint64_t{1} << std::min<uint64_t>(Load(page, 37, 1), 63);
  const size_t listed = std::min<size_t>(Load(page, 43, 1), page.size() - 44);
  const absl::string_view types(page.data() + 44, listed);
  p.has_descriptors =
      types.empty() ||
      (types.find(static_cast<char>(kIdentificationTarget)) != types.npos &&
       types.find(static_cast<char>(kBlockToBlockSegment)) != types.npos);
  return p;
}

CopyLimits CopyLimitsOf(const ScsiCopyParameters& parameters, uint32_t block_bytes,
                        uint64_t max_transfer_bytes) {
  CopyLimits limits;
  const bool whole_blocks = block_bytes % parameters.granularity_bytes == 0;
  if (parameters.max_targets == 0 || !parameters.has_descriptors || !whole_blocks)
    return limits;
  uint64_t list_bytes =
      max_transfer_bytes - std::min(max_transfer_bytes, kCopyHeaderBytes);
  if (parameters.max_list_bytes != 0)
    list_bytes = std::min<uint64_t>(list_bytes, parameters.max_list_bytes);
  const uint64_t room = (list_bytes - std::min(list_bytes, kTargetBytes)) / kSegmentBytes;
  uint64_t range_blocks = kScsiMaxSegmentBlocks;
  if (parameters.max_segment_bytes != 0)
    range_blocks =
        std::min<uint64_t>(range_blocks, parameters.max_segment_bytes / block_bytes);
  limits.max_copy_ranges =
      static_cast<uint32_t>(std::min<uint64_t>(parameters.max_segments, room));
  limits.max_range_blocks = range_blocks;
  limits.max_copy_blocks = limits.max_copy_ranges * range_blocks;
  return limits;
}

ScsiSense DecodeSense(absl::Span<const uint8_t> bytes) {
  ScsiSense sense;
  const auto load = [&](size_t at, size_t n) {
    return at + n <= bytes.size() ? Load(bytes, at, n) : 0;
  };
  const uint8_t format = load(0, 1) & 0x7f;
  const bool has_descriptors = format == 0x72 || format == 0x73;
  if (!has_descriptors && format != 0x70 && format != 0x71) return sense;
  sense.valid = bytes.size() >= 3;
  sense.deferred = (format & 1) != 0;
  if (!has_descriptors) {
    sense.key = static_cast<ScsiSenseKey>(load(2, 1) & 0xf);
    sense.asc = static_cast<uint8_t>(load(12, 1));
    sense.ascq = static_cast<uint8_t>(load(13, 1));
    // The third and fourth bytes of the command-specific information.
    sense.segment = static_cast<uint16_t>(load(10, 2));
  } else {
    sense.key = static_cast<ScsiSenseKey>(load(1, 1) & 0xf);
    sense.asc = static_cast<uint8_t>(load(2, 1));
    sense.ascq = static_cast<uint8_t>(load(3, 1));
    const size_t end = std::min<size_t>(8 + load(7, 1), bytes.size());
    for (size_t at = 8; at + 2 <= end; at += 2 + load(at + 1, 1)) {
      if (load(at, 1) == 0x01) sense.segment = static_cast<uint16_t>(load(at + 6, 2));
    }
  }
  if (sense.key != ScsiSenseKey::kCopyAborted) sense.segment = 0;
  return sense;
}

}  // namespace gleaner
