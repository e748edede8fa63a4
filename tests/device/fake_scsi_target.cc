#include "tests/device/fake_scsi_target.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "absl/strings/escaping.h"

namespace gleaner::testing {
namespace {

constexpr uint8_t kCheckCondition = 0x02;

// Big-endian.
uint64_t Get(const uint8_t* at, int n) {
  uint64_t value = 0;
  for (int i = 0; i < n; ++i) value = value * 256 + at[i];
  return value;
}

void Put(uint8_t* at, uint64_t value, int n) {
  for (int i = n - 1; i >= 0; --i, value /= 256) at[i] = static_cast<uint8_t>(value);
}

char* DataOf(const sg_io_hdr_t& header) { return static_cast<char*>(header.dxferp); }
const uint8_t* ListOf(const sg_io_hdr_t& header) {
  return static_cast<const uint8_t*>(header.dxferp);
}

}  // namespace

FakeScsiTarget::FakeScsiTarget(const FakeScsiOptions& options)
    : options_(options), memory_(options.blocks * options.block_bytes) {}

FakeScsiTarget::Answer FakeScsiTarget::Refuse(uint8_t key, uint8_t asc, uint8_t ascq,
                                              uint16_t segment) const {
  Bytes sense(options_.descriptor_sense ? 20 : 18);
  if (options_.descriptor_sense) {
    sense = {0x72, key, asc, ascq, 0, 0, 0, 12, 0x01, 10};
    sense.resize(20);
    Put(&sense[14], segment, 2);  // bytes 2 and 3 of the field, which begins at 12
  } else {
    sense[0] = 0x70;
    sense[2] = key;
    sense[7] = 10;
    Put(&sense[10], segment, 2);
    sense[12] = asc;
    sense[13] = ascq;
  }
  return {kCheckCondition, std::string(sense.begin(), sense.end())};
}

// A copy stays in flight long enough for others to come.
bool FakeScsiTarget::BeginCopy(const sg_io_hdr_t& header) {
  if (header.cmdp[0] != 0x83 || header.dxfer_len == 0) return true;
  const bool has_id = (ListOf(header)[1] & 0x18) != 0x18;
  {
    MutexLock lock(&mu_);
    if (has_id && copies_.count(ListOf(header)[0]) != 0) return false;
    copies_.insert(ListOf(header)[0]);
    most_copies_ = std::max(most_copies_, copies_.size());
  }
  for (int i = 0; i < 200; ++i) std::this_thread::yield();
  return true;
}

void FakeScsiTarget::EndCopy(const sg_io_hdr_t& header) {
  if (header.cmdp[0] != 0x83 || header.dxfer_len == 0) return;
  MutexLock lock(&mu_);
  copies_.erase(copies_.find(ListOf(header)[0]));
}

int FakeScsiTarget::Execute(sg_io_hdr_t& header) {
  Answer answer = Refuse(0x5, 0x00, 0x16);  // operation in progress
  int error = 0;
  if (BeginCopy(header)) {
    error = ExecuteOrFail(header, answer);
    EndCopy(header);
  }
  if (error != 0) {
    errno = error;
    return -1;
  }
  header.status = answer.status;
  header.sb_len_wr = static_cast<uint8_t>(answer.sense.size());
  if (!answer.sense.empty()) {
    std::memcpy(header.sbp, answer.sense.data(), answer.sense.size());
    header.driver_status = 0x08;
  }
  return 0;
}

int FakeScsiTarget::ExecuteOrFail(sg_io_hdr_t& header, Answer& answer) {
  MutexLock lock(&mu_);
  Seen seen;
  seen.cdb.assign(reinterpret_cast<const char*>(header.cmdp), header.cmd_len);
  if (header.dxfer_direction == SG_DXFER_TO_DEV)
    seen.data.assign(DataOf(header), header.dxfer_len);
  seen_.push_back(seen);
  const auto fault = std::find_if(faults_.begin(), faults_.end(), [&](const Fault& f) {
    return f.opcode == header.cmdp[0];
  });
  if (fault == faults_.end()) {
    answer = Dispatch(header);
    return 0;
  }
  header.host_status = fault->host;
  header.resid = fault->resid;
  answer = {fault->status, absl::HexStringToBytes(fault->sense)};
  const int error = fault->error;
  if (--fault->times == 0) faults_.erase(fault);
  return error;
}

FakeScsiTarget::Answer FakeScsiTarget::Dispatch(sg_io_hdr_t& header) {
  const uint8_t* cdb = header.cmdp;
  switch (cdb[0]) {
    case 0x12:
      return Inquiry(header);
    case 0x1a:
      return ModeSense(header, false);
    case 0x5a:
      return ModeSense(header, true);
    case 0x9e:
      return ReadCapacity(header);
    case 0x84:
      return CopyParameters(header);
    case 0x88:
      return ReadOrWrite(header, false);
    case 0x8a:
      return ReadOrWrite(header, true);
    case 0x93:
      return WriteSame(header);
    case 0x42:
      return Unmap(header);
    case 0x83:
      return Copy(header);
    case 0x91:
      return {};
    default:
      return Refuse(0x5, 0x20, 0x00);
  }
}

// ---- Answers ----

FakeScsiTarget::Answer FakeScsiTarget::Reply(sg_io_hdr_t& header, const Bytes& bytes,
                                             size_t allocated) const {
  if (header.dxfer_direction != SG_DXFER_FROM_DEV || header.dxfer_len != allocated)
    return Refuse(0xb, 0x4b, 0x00);  // data phase error
  const size_t n = std::min(bytes.size(), allocated);
  std::memcpy(DataOf(header), bytes.data(), n);
  header.resid = static_cast<int>(allocated - n);
  return {};
}

FakeScsiTarget::Answer FakeScsiTarget::Inquiry(sg_io_hdr_t& header) const {
  const uint8_t* cdb = header.cmdp;
  const size_t allocated = Get(cdb + 3, 2);
  if (cdb[1] == 0x01) {
    Bytes page = VitalPage(cdb[2]);
    if (page.empty()) return Refuse(0x5, 0x24, 0x00);
    page[0] = options_.peripheral;
    page[1] = cdb[2];
    Put(&page[2], page.size() - 4, 2);
    return Reply(header, page, allocated);
  }
  Bytes data(36, ' ');
  data[0] = options_.peripheral;
  data[5] = options_.third_party_copy ? 0x08 : 0x00;
  const std::string words = "GLEANER FAKE DISK       0001";
  std::copy(words.begin(), words.end(), data.begin() + 8);
  return Reply(header, data, allocated);
}

FakeScsiTarget::Bytes FakeScsiTarget::VitalPage(uint8_t page) const {
  Bytes data(4);
  if (!options_.has_vital_pages) return {};
  switch (page) {
    case 0x00:
      data.insert(data.end(), {0x00, 0x80, 0x83, 0xb0, 0xb2});
      return data;
    case 0x80:
      data.insert(data.end(), {'1', '2', '3'});
      return data;
    case 0x83: {
      const std::string list = absl::HexStringToBytes(options_.designators);
      data.insert(data.end(), list.begin(), list.end());
      return data;
    }
    case 0xb0:
      data.resize(64);
      Put(&data[8], options_.max_transfer_blocks, 4);
      Put(&data[20], options_.max_unmap_blocks, 4);
      Put(&data[24], 1, 4);
      Put(&data[36], options_.max_write_same_blocks, 8);
      return data;
    case 0xb2:
      data.resize(8);
      data[5] = options_.unmaps ? 0x80 : 0x00;
      return data;
    default:
      return {};
  }
}

FakeScsiTarget::Answer FakeScsiTarget::ReadCapacity(sg_io_hdr_t& header) const {
  if (header.cmdp[1] != 0x10) return Refuse(0x5, 0x24, 0x00);
  Bytes data(32);
  Put(&data[0], options_.blocks - 1, 8);
  Put(&data[8], options_.block_bytes, 4);
  data[14] = options_.unmaps ? 0x80 : 0x00;
  return Reply(header, data, Get(header.cmdp + 10, 4));
}

// With a block descriptor, as a device may return it even if asked not to.
FakeScsiTarget::Answer FakeScsiTarget::ModeSense(sg_io_hdr_t& header, bool ten) const {
  if (!(ten ? options_.has_mode_sense_10 : options_.has_mode_sense_6))
    return Refuse(0x5, 0x20, 0x00);
  if (header.cmdp[2] != 0x08) return Refuse(0x5, 0x24, 0x00);
  Bytes data(ten ? 8 : 4);
  data[ten ? 3 : 2] = options_.write_protected ? 0x80 : 0x00;
  data[ten ? 7 : 3] = 8;
  data.resize(data.size() + 8);
  const uint8_t caching[] = {0x88, 0x12,
                             options_.write_cache ? uint8_t{0x04} : uint8_t{}};
  data.insert(data.end(), caching, caching + 3);
  data.resize(data.size() + 17);
  return Reply(header, data, ten ? Get(header.cmdp + 7, 2) : header.cmdp[4]);
}

FakeScsiTarget::Answer FakeScsiTarget::CopyParameters(sg_io_hdr_t& header) const {
  if (!options_.tells_copy_parameters) return Refuse(0x5, 0x20, 0x00);
  if (header.cmdp[1] != 0x03) return Refuse(0x5, 0x24, 0x00);
  const std::string types = absl::HexStringToBytes(options_.descriptor_types);
  Bytes data(44);
  Put(&data[0], 40 + types.size(), 4);
  data[4] = options_.needs_no_list_id ? 0x01 : 0x00;
  Put(&data[8], options_.max_targets, 2);
  Put(&data[10], options_.max_segments, 2);
  Put(&data[12], options_.max_list_bytes, 4);
  Put(&data[16], options_.max_segment_bytes, 4);
  data[36] = options_.max_concurrent;
  data[37] = options_.granularity_log2;
  data[43] = static_cast<uint8_t>(types.size());
  data.insert(data.end(), types.begin(), types.end());
  return Reply(header, data, Get(header.cmdp + 10, 4));
}

// ---- Blocks ----

FakeScsiTarget::Answer FakeScsiTarget::ReadOrWrite(sg_io_hdr_t& header, bool write) {
  const uint64_t lba = Get(header.cmdp + 2, 8);
  const uint64_t blocks = Get(header.cmdp + 10, 4);
  if (blocks > options_.max_transfer_blocks) return Refuse(0x5, 0x24, 0x00);
  if (!Fits(lba, blocks)) return Refuse(0x5, 0x21, 0x00);
  if (header.dxfer_len != blocks * options_.block_bytes ||
      header.dxfer_direction != (write ? SG_DXFER_TO_DEV : SG_DXFER_FROM_DEV))
    return Refuse(0xb, 0x4b, 0x00);
  if (write && options_.write_protected) return Refuse(0x7, 0x27, 0x00);
  for (uint64_t block = lba; !write && block < lba + blocks; ++block) {
    if (damaged_.count(block) != 0) return Refuse(0x3, 0x11, 0x00);
  }
  if (write)
    std::memcpy(At(lba), DataOf(header), header.dxfer_len);
  else
    std::memcpy(DataOf(header), At(lba), header.dxfer_len);
  return {};
}

FakeScsiTarget::Answer FakeScsiTarget::WriteSame(sg_io_hdr_t& header) {
  if (!options_.has_write_same) return Refuse(0x5, 0x20, 0x00);
  const uint64_t lba = Get(header.cmdp + 2, 8);
  const uint64_t blocks = Get(header.cmdp + 10, 4);
  if (header.cmdp[1] != 0 || blocks == 0 || blocks > options_.max_write_same_blocks)
    return Refuse(0x5, 0x24, 0x00);
  if (!Fits(lba, blocks)) return Refuse(0x5, 0x21, 0x00);
  if (header.dxfer_len != options_.block_bytes) return Refuse(0xb, 0x4b, 0x00);
  for (uint64_t i = 0; i < blocks; ++i)
    std::memcpy(At(lba + i), DataOf(header), header.dxfer_len);
  return {};
}

FakeScsiTarget::Answer FakeScsiTarget::Unmap(sg_io_hdr_t& header) {
  if (!options_.unmaps) return Refuse(0x5, 0x20, 0x00);
  const uint8_t* list = ListOf(header);
  if (header.dxfer_len != 24 || Get(header.cmdp + 7, 2) != 24 || Get(list, 2) != 22 ||
      Get(list + 2, 2) != 16)
    return Refuse(0x5, 0x26, 0x00);
  const uint64_t lba = Get(list + 8, 8);
  const uint64_t blocks = Get(list + 16, 4);
  if (blocks > options_.max_unmap_blocks) return Refuse(0x5, 0x26, 0x00);
  if (!Fits(lba, blocks)) return Refuse(0x5, 0x21, 0x00);
  std::memset(At(lba), 0xdd, blocks * options_.block_bytes);
  return {};
}

// ---- EXTENDED COPY ----

FakeScsiTarget::Answer FakeScsiTarget::Copy(const sg_io_hdr_t& header) {
  const uint8_t* list = ListOf(header);
  if (header.cmdp[1] != 0x00) return Refuse(0x5, 0x20, 0x00);
  const uint64_t targets = Get(list + 2, 2);
  const uint64_t segments = Get(list + 8, 4);
  if (header.dxfer_len != 16 + targets + segments ||
      Get(header.cmdp + 10, 4) != header.dxfer_len || Get(list + 12, 4) != 0 ||
      targets + segments > options_.max_list_bytes)
    return Refuse(0x5, 0x1a, 0x00);
  const uint8_t usage = list[1] >> 3 & 3;
  const bool has_id = usage == 0 || usage == 2;
  if (!has_id && (usage != 3 || !options_.needs_no_list_id || list[0] != 0))
    return Refuse(0x5, 0x26, 0x00);
  if (targets / 32 > options_.max_targets) return Refuse(0x5, 0x26, 0x06);
  const uint16_t most = options_.real_max_segments != 0 ? options_.real_max_segments
                                                        : options_.max_segments;
  if (segments / 28 > most) return Refuse(0x5, 0x26, 0x08);
  if (targets != 32 || segments == 0 || segments % 28 != 0)
    return Refuse(0x5, 0x26, 0x00);
  const uint8_t* disk = list + 16;
  std::string name = {static_cast<char>(disk[4]), static_cast<char>(disk[5])};
  name.append(reinterpret_cast<const char*>(disk + 8), std::min<size_t>(disk[7], 20));
  if (disk[0] != 0xe4) return Refuse(0x5, 0x26, 0x07);
  if (name != absl::HexStringToBytes(options_.name) ||
      Get(disk + 29, 3) != options_.block_bytes)
    return Refuse(0xa, 0x0d, 0x02);
  for (uint16_t number = 0; number < segments / 28; ++number) {
    Answer answer = CopySegment(disk + 32 + number * 28, number);
    if (answer.status != 0) return answer;
  }
  return {};
}

FakeScsiTarget::Answer FakeScsiTarget::CopySegment(const uint8_t* segment,
                                                   uint16_t number) {
  const uint64_t blocks = Get(segment + 10, 2);
  const uint64_t from = Get(segment + 12, 8);
  const uint64_t to = Get(segment + 20, 8);
  const uint64_t bytes = blocks * options_.block_bytes;
  if (segment[0] != 0x02 || segment[1] != 0 || Get(segment + 2, 2) != 24)
    return Refuse(0xa, 0x26, 0x09, number);
  if (Get(segment + 4, 4) != 0) return Refuse(0xa, 0x26, 0x00, number);
  if (options_.max_segment_bytes != 0 && bytes > options_.max_segment_bytes)
    return Refuse(0xa, 0x26, 0x00, number);
  if (bytes % (uint64_t{1} << options_.granularity_log2) != 0)
    return Refuse(0xa, 0x26, 0x0d, number);
  if (!Fits(from, blocks) || !Fits(to, blocks)) return Refuse(0xa, 0x21, 0x00, number);
  for (uint64_t block = from; block < from + blocks; ++block) {
    if (damaged_.count(block) != 0) return Refuse(0xa, 0x11, 0x00, number);
  }
  std::memmove(At(to), At(from), bytes);
  return {};
}

// ---- For tests ----

void FakeScsiTarget::FailNext(const Fault& fault) {
  MutexLock lock(&mu_);
  faults_.push_back(fault);
}

void FakeScsiTarget::Damage(uint64_t lba) {
  MutexLock lock(&mu_);
  damaged_.insert(lba);
}

std::vector<FakeScsiTarget::Seen> FakeScsiTarget::seen(uint8_t opcode) const {
  MutexLock lock(&mu_);
  std::vector<Seen> chosen;
  for (const Seen& command : seen_) {
    if (static_cast<uint8_t>(command.cdb[0]) == opcode) chosen.push_back(command);
  }
  return chosen;
}

std::string FakeScsiTarget::Contents(uint64_t lba, uint64_t blocks) const {
  MutexLock lock(&mu_);
  return {memory_.data() + lba * options_.block_bytes, blocks * options_.block_bytes};
}

int FakeScsiTarget::most_copies() const {
  MutexLock lock(&mu_);
  return static_cast<int>(most_copies_);
}

}  // namespace gleaner::testing
