#include "tests/device/fake_nvme_controller.h"

#include <algorithm>
#include <cstring>

namespace gleaner::testing {
namespace {

using Command = nvme_passthru_cmd64;

// Status fields: do not retry, type, code.
constexpr uint16_t kOk = 0;
constexpr uint16_t kInvalidOpcode = 0x4001;
constexpr uint16_t kInvalidField = 0x4002;
constexpr uint16_t kInvalidNamespace = 0x400b;
constexpr uint16_t kOutOfRange = 0x4080;
constexpr uint16_t kSizeLimit = 0x4183;
constexpr uint16_t kIncompatible = 0x4185;
constexpr uint16_t kOverlap = 0x4187;
constexpr uint16_t kZoneBoundary = 0x41b8;
constexpr uint16_t kZoneFull = 0x41b9;
constexpr uint16_t kZoneReadOnly = 0x41ba;
constexpr uint16_t kZoneOffline = 0x41bb;
constexpr uint16_t kZoneInvalidWrite = 0x41bc;
constexpr uint16_t kTooManyActive = 0x41bd;
constexpr uint16_t kTooManyOpen = 0x41be;
constexpr uint16_t kZoneTransition = 0x41bf;

// Zone states.
constexpr uint8_t kEmpty = 0x1;
constexpr uint8_t kImplicitlyOpen = 0x2;
constexpr uint8_t kExplicitlyOpen = 0x3;
constexpr uint8_t kClosed = 0x4;
constexpr uint8_t kReadOnlyZone = 0xd;
constexpr uint8_t kFullZone = 0xe;
constexpr uint8_t kOfflineZone = 0xf;

bool IsOpen(uint8_t state) {
  return state == kImplicitlyOpen || state == kExplicitlyOpen;
}

template <typename T, typename Bytes>
T Get(const Bytes* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

template <typename T>
void Put(std::vector<uint8_t>& page, size_t at, T value) {
  std::memcpy(page.data() + at, &value, sizeof(value));
}

const char* DataOf(const Command& c) { return reinterpret_cast<const char*>(c.addr); }
char* BufferOf(const Command& c) { return reinterpret_cast<char*>(c.addr); }
uint64_t Slba(const Command& c) { return uint64_t{c.cdw11} << 32 | c.cdw10; }
uint64_t Nlb(const Command& c) { return (c.cdw12 & 0xffff) + 1; }

}  // namespace

FakeNvmeController::FakeNvmeController(const FakeNvmeOptions& options)
    : options_(options), memory_(options.blocks * options.block_bytes) {
  if (!zoned()) return;
  zones_.resize(options.blocks / options.zone_blocks);
  for (size_t i = 0; i < zones_.size(); ++i) {
    zones_[i].capacity = options.zone_capacity;
    zones_[i].write_pointer = i * options.zone_blocks;
  }
}

// ---- Admin ----

uint16_t FakeNvmeController::Admin(Command& command) {
  command.result = 0;
  if (command.opcode == 0x09 || command.opcode == 0x0a) return Feature(command);
  Page page(4096);
  uint16_t status = kInvalidOpcode;
  if (command.opcode == 0x06) {
    status = Identify(command, page);
  } else if (command.opcode == 0x02 && (command.cdw10 & 0xff) == 0x02) {
    // Get Log Page: SMART, of which only what was read and written.
    Put(page, 32, options_.data_units_read);
    Put(page, 48, options_.data_units_written);
    status = kOk;
  } else if (command.opcode == 0x1a && options_.enabled_directives != 0) {
    // Directive Receive: of the Identify directive, its parameters.
    const bool parameters = (command.cdw11 & 0xffff) == 0x0001;
    if (command.nsid != options_.nsid || !parameters) return kInvalidField;
    const uint16_t bits = options_.enabled_directives | 1;
    Put(page, 0, bits);
    Put(page, 32, bits);
    status = kOk;
  }
  if (status == kOk)
    std::memcpy(BufferOf(command), page.data(),
                std::min<size_t>(command.data_len, page.size()));
  return status;
}

// Set and Get Features: of Host Behavior Support.
uint16_t FakeNvmeController::Feature(Command& command) {
  if ((command.cdw10 & 0xff) != 0x16 || command.data_len != 512) return kInvalidField;
  MutexLock lock(&mu_);
  if (command.opcode == 0x09) {
    host_behavior_.assign(DataOf(command), DataOf(command) + 512);
  } else {
    std::memcpy(BufferOf(command), host_behavior_.data(), 512);
  }
  return kOk;
}

uint16_t FakeNvmeController::Identify(const Command& command, Page& page) const {
  const uint32_t cns = command.cdw10 & 0xff;
  const uint32_t csi = command.cdw11 >> 24;
  const bool ours = command.nsid == options_.nsid;
  switch (cns) {
    case 0x00:
      if (!ours) return kInvalidNamespace;
      IdentifyNamespace(page);
      return kOk;
    case 0x01:
      IdentifyController(page);
      return kOk;
    case 0x03:
      if (!ours) return kInvalidNamespace;
      page[0] = 0x03;  // a UUID first
      page[1] = 16;
      page[20] = 0x04;
      page[21] = 1;
      page[24] = zoned() ? 2 : options_.csi;
      return kOk;
    case 0x05:
      if (!ours || csi != 2 || !zoned()) return kInvalidField;
      Put(page, 4, options_.mar_0);
      Put(page, 8, options_.mor_0);
      Put(page, 2816 + 16, options_.zone_blocks);  // of the second format
      return kOk;
    case 0x06:
      if (csi == 0) {
        page[1] = options_.wzsl;
        Put(page, 4, options_.dmrsl);
        return kOk;
      }
      if (csi != 2 || !zoned()) return kInvalidField;
      page[0] = options_.zasl;
      return kOk;
    default:
      return kInvalidField;
  }
}

void FakeNvmeController::IdentifyController(Page& page) const {
  std::fill_n(page.begin() + 4, 20, ' ');
  std::copy(options_.serial.begin(), options_.serial.end(), page.begin() + 4);
  page[77] = options_.mdts;
  Put(page, 256, uint16_t(options_.enabled_directives != 0 ? 1 << 5 : 0));
  Put(page, 520, options_.oncs);
  page[525] = options_.vwc;
  Put(page, 528, options_.awupf_0);
  Put(page, 534, options_.ocfs);
}

void FakeNvmeController::IdentifyNamespace(Page& page) const {
  Put(page, 0, options_.blocks);
  Put(page, 8, options_.blocks);
  page[25] = 1;  // two formats, of which the second is in use
  page[26] = 1;
  page[29] = options_.dps;
  if (!options_.hides_copy_limits) {
    Put(page, 74, options_.mssrl);
    Put(page, 76, options_.mcl);
    page[80] = options_.msrc_0;
  }
  page[99] = options_.nsattr;
  page[130] = 14;
  Put(page, 132, options_.metadata_bytes);
  uint8_t shift = 0;
  while (uint64_t{1} << shift < options_.block_bytes) ++shift;
  page[134] = shift;
}

// ---- I/O ----

uint16_t FakeNvmeController::Io(Command& command) {
  MutexLock lock(&mu_);
  command.result = 0;
  Seen seen{command, ""};
  if (command.opcode == 0x09 || command.opcode == 0x19)
    seen.list.assign(DataOf(command), command.data_len);
  seen_.push_back(std::move(seen));
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (fault->opcode != command.opcode) continue;
    const Fault found = *fault;
    faults_.erase(fault);
    command.result = found.result;
    return found.status;
  }
  if (command.nsid != options_.nsid) return kInvalidNamespace;
  return Execute(command);
}

uint16_t FakeNvmeController::Execute(Command& c) {
  const auto has = [this](int bit) { return (options_.oncs >> bit & 1) != 0; };
  switch (c.opcode) {
    case 0x00:
      return kOk;
    case 0x01:
      return Write(c);
    case 0x02:
      return Read(c);
    case 0x08:
      return has(3) ? WriteZeroes(c) : kInvalidOpcode;
    case 0x09:
      return has(2) ? Deallocate(c) : kInvalidOpcode;
    case 0x19:
      return has(8) ? Copy(c) : kInvalidOpcode;
    case 0x79:
      return zoned() ? ZoneSend(c) : kInvalidOpcode;
    case 0x7a:
      return zoned() ? ZoneReceive(c) : kInvalidOpcode;
    case 0x7d:
      return zoned() ? Write(c) : kInvalidOpcode;
    default:
      return kInvalidOpcode;
  }
}

uint16_t FakeNvmeController::CheckTransfer(const Command& c, uint64_t bytes) const {
  if (c.data_len != bytes) return kInvalidField;
  if (options_.mdts != 0 && bytes > uint64_t{4096} << options_.mdts) return kInvalidField;
  return kOk;
}

uint16_t FakeNvmeController::CheckDirective(const Command& c) const {
  const uint32_t dtype = c.cdw12 >> 20 & 0xf;
  if (dtype == 0) return c.cdw13 == 0 ? kOk : kInvalidField;
  return (options_.enabled_directives >> dtype & 1) != 0 ? kOk : kInvalidField;
}

uint16_t FakeNvmeController::Read(const Command& c) {
  const uint64_t bytes = Nlb(c) * options_.block_bytes;
  if (uint16_t status = CheckTransfer(c, bytes); status != kOk) return status;
  if (!Fits(Slba(c), Nlb(c))) return kOutOfRange;
  if (zoned() &&
      Slba(c) / options_.zone_blocks != (Slba(c) + Nlb(c) - 1) / options_.zone_blocks)
    return kZoneBoundary;
  std::memcpy(BufferOf(c), At(Slba(c)), bytes);
  return kOk;
}

uint16_t FakeNvmeController::Write(Command& c) {
  const uint64_t bytes = Nlb(c) * options_.block_bytes;
  if (uint16_t status = CheckTransfer(c, bytes); status != kOk) return status;
  if (uint16_t status = CheckDirective(c); status != kOk) return status;
  uint64_t lba = Slba(c);
  if (c.opcode == 0x7d) {
    if (lba % options_.zone_blocks != 0 || !Fits(lba, 1)) return kInvalidField;
    if (options_.zasl != 0 && bytes > uint64_t{4096} << options_.zasl)
      return kInvalidField;
    lba = zones_[lba / options_.zone_blocks].write_pointer;
    c.result = lba;
  }
  if (!Fits(lba, Nlb(c))) return c.opcode == 0x7d ? kZoneFull : kOutOfRange;
  if (uint16_t status = Advance(lba, Nlb(c)); status != kOk) return status;
  std::memcpy(At(lba), DataOf(c), bytes);
  return kOk;
}

uint16_t FakeNvmeController::WriteZeroes(const Command& c) {
  const uint64_t bytes = Nlb(c) * options_.block_bytes;
  if (options_.wzsl != 0 && bytes > uint64_t{4096} << options_.wzsl) return kInvalidField;
  if (!Fits(Slba(c), Nlb(c))) return kOutOfRange;
  if (uint16_t status = Advance(Slba(c), Nlb(c)); status != kOk) return status;
  std::memset(At(Slba(c)), 0, bytes);
  return kOk;
}

uint16_t FakeNvmeController::Deallocate(const Command& c) {
  const size_t ranges = (c.cdw10 & 0xff) + 1;
  if ((c.cdw11 & 4) == 0 || c.data_len != 16 * ranges) return kInvalidField;
  for (size_t i = 0; i < ranges; ++i) {
    const uint32_t blocks = Get<uint32_t>(DataOf(c) + 16 * i + 4);
    const uint64_t lba = Get<uint64_t>(DataOf(c) + 16 * i + 8);
    if (options_.dmrsl != 0 && blocks > options_.dmrsl) return kSizeLimit;
    if (!Fits(lba, blocks)) return kOutOfRange;
    std::memset(At(lba), 0xdd, uint64_t{blocks} * options_.block_bytes);
  }
  return kOk;
}

uint16_t FakeNvmeController::CheckSource(uint32_t nsid, uint64_t lba,
                                         uint64_t blocks) const {
  const bool ours = nsid == options_.nsid;
  if (!ours && (sibling_ == nullptr || nsid != sibling_->options_.nsid))
    return kInvalidNamespace;
  const FakeNvmeController& source = ours ? *this : *sibling_;
  if (source.options_.block_bytes != options_.block_bytes) return kIncompatible;
  if (blocks > source.options_.mssrl) return kSizeLimit;
  return source.Fits(lba, blocks) ? kOk : kOutOfRange;
}

uint16_t FakeNvmeController::Copy(Command& c) {
  const uint32_t ranges = (c.cdw12 & 0xff) + 1;
  const uint32_t format = c.cdw12 >> 8 & 0xf;
  const bool across =
      format == 2 && (options_.ocfs >> 2 & 1) != 0 && (host_behavior_[4] >> 2 & 1) != 0;
  if ((format != 0 && !across) || c.data_len != 32 * ranges) return kInvalidField;
  if (uint16_t status = CheckDirective(c); status != kOk) return status;
  if (ranges > options_.msrc_0 + 1u) return kSizeLimit;
  uint64_t total = 0;
  for (uint32_t i = 0; i < ranges; ++i)
    total += Get<uint16_t>(DataOf(c) + 32 * i + 16) + uint64_t{1};
  uint64_t copied = 0;
  for (uint32_t i = 0; i < ranges; ++i) {
    c.result = i;
    const char* const entry = DataOf(c) + 32 * i;
    const uint32_t nsid = across ? Get<uint32_t>(entry) : options_.nsid;
    const uint64_t source = Get<uint64_t>(entry + 8);
    const uint64_t blocks = Get<uint16_t>(entry + 16) + uint64_t{1};
    const uint64_t target = Slba(c) + copied;
    if (copied + blocks > options_.mcl) return kSizeLimit;
    if (uint16_t status = CheckSource(nsid, source, blocks); status != kOk) return status;
    if (!Fits(target, blocks)) return kOutOfRange;
    const bool ours = nsid == options_.nsid;
    if (ours && source < Slba(c) + total && Slba(c) < source + blocks) return kOverlap;
    if (uint16_t status = Advance(target, blocks); status != kOk) return status;
    const size_t bytes = blocks * options_.block_bytes;
    if (ours) {
      std::memmove(At(target), At(source), bytes);
    } else {
      std::memcpy(At(target), sibling_->Contents(source, blocks).data(), bytes);
    }
    copied += blocks;
  }
  c.result = 0;
  return kOk;
}

// ---- Zones ----

uint16_t FakeNvmeController::OpenZone(Zone& zone, uint8_t state) {
  if (zone.state == kFullZone) return kZoneFull;
  if (zone.state == kReadOnlyZone) return kZoneReadOnly;
  if (zone.state == kOfflineZone) return kZoneOffline;
  if (!IsOpen(zone.state)) {
    uint64_t open = 0;
    uint64_t active = 0;
    for (const Zone& z : zones_) {
      open += IsOpen(z.state) ? 1 : 0;
      active += IsOpen(z.state) || z.state == kClosed ? 1 : 0;
    }
    if (zone.state == kEmpty && active == options_.mar_0 + uint64_t{1})
      return kTooManyActive;
    if (open == options_.mor_0 + uint64_t{1}) return kTooManyOpen;
  }
  if (zone.state != kExplicitlyOpen) zone.state = state;
  return kOk;
}

uint16_t FakeNvmeController::Advance(uint64_t lba, uint64_t blocks) {
  if (!zoned()) return kOk;
  const uint64_t start = lba / options_.zone_blocks * options_.zone_blocks;
  Zone& zone = zones_[lba / options_.zone_blocks];
  if (zone.state == kFullZone) return kZoneFull;
  if (lba + blocks > start + zone.capacity) return kZoneBoundary;
  if (lba != zone.write_pointer) return kZoneInvalidWrite;
  if (uint16_t status = OpenZone(zone, kImplicitlyOpen); status != kOk) return status;
  zone.write_pointer += blocks;
  if (zone.write_pointer == start + zone.capacity) zone.state = kFullZone;
  return kOk;
}

uint16_t FakeNvmeController::ZoneSend(const Command& c) {
  if (Slba(c) % options_.zone_blocks != 0 || !Fits(Slba(c), 1)) return kInvalidField;
  Zone& zone = zones_[Slba(c) / options_.zone_blocks];
  if (zone.state == kReadOnlyZone || zone.state == kOfflineZone) return kZoneTransition;
  switch (c.cdw13 & 0x1ff) {  // without Select All
    case 1:
      if (!IsOpen(zone.state) && zone.state != kClosed) return kZoneTransition;
      zone.state = kClosed;
      return kOk;
    case 2:
      zone.state = kFullZone;
      return kOk;
    case 3:
      if (zone.state == kFullZone) return kZoneTransition;
      return OpenZone(zone, kExplicitlyOpen);
    case 4:
      zone.state = kEmpty;
      zone.write_pointer = Slba(c);
      std::memset(At(Slba(c)), 0, options_.zone_blocks * options_.block_bytes);
      return kOk;
    default:
      return kInvalidField;
  }
}

uint16_t FakeNvmeController::ZoneReceive(const Command& c) {
  const uint64_t bytes = (uint64_t{c.cdw12} + 1) * 4;
  if (uint16_t status = CheckTransfer(c, bytes); status != kOk) return status;
  if ((c.cdw13 & 0xffff) != 0 || bytes < 64) return kInvalidField;
  if (!Fits(Slba(c), 1)) return kOutOfRange;
  Page report(bytes);
  uint64_t told = 0;
  for (size_t i = Slba(c) / options_.zone_blocks;
       i < zones_.size() && 64 * (told + 2) <= bytes; ++i, ++told) {
    const size_t at = 64 * (told + 1);
    report[at] = 0x2;
    report[at + 1] = static_cast<uint8_t>(zones_[i].state << 4);
    Put(report, at + 8, zones_[i].capacity);
    Put(report, at + 16, i * options_.zone_blocks);
    // A full zone's write pointer means nothing.
    Put(report, at + 24,
        zones_[i].state == kFullZone ? ~uint64_t{0} : zones_[i].write_pointer);
  }
  const bool partial = (c.cdw13 >> 16 & 1) != 0;
  Put(report, 0, partial ? told : uint64_t{zones_.size()});
  std::memcpy(BufferOf(c), report.data(), bytes);
  return kOk;
}

// ---- What tests ask ----

uint8_t FakeNvmeController::host_behavior(size_t at) const {
  MutexLock lock(&mu_);
  return host_behavior_[at];
}

void FakeNvmeController::SetHostBehavior(size_t at, uint8_t value) {
  MutexLock lock(&mu_);
  host_behavior_[at] = value;
}

void FakeNvmeController::FailNext(uint8_t opcode, uint16_t status, uint64_t result) {
  MutexLock lock(&mu_);
  faults_.push_back({opcode, status, result});
}

void FakeNvmeController::SetZoneCapacity(size_t zone, uint64_t blocks) {
  MutexLock lock(&mu_);
  zones_[zone].capacity = blocks;
}

void FakeNvmeController::SetZoneState(size_t zone, uint8_t state) {
  MutexLock lock(&mu_);
  zones_[zone].state = state;
}

std::vector<FakeNvmeController::Seen> FakeNvmeController::seen() const {
  MutexLock lock(&mu_);
  return seen_;
}

std::vector<FakeNvmeController::Seen> FakeNvmeController::seen(uint8_t opcode) const {
  std::vector<Seen> fitting;
  for (const Seen& one : seen())
    if (one.command.opcode == opcode) fitting.push_back(one);
  return fitting;
}

std::string FakeNvmeController::Contents(uint64_t lba, uint64_t blocks) const {
  MutexLock lock(&mu_);
  return std::string(memory_.data() + lba * options_.block_bytes,
                     blocks * options_.block_bytes);
}

}  // namespace gleaner::testing
