// An NVMe controller with one namespace in memory, for tests: takes commands as Linux passes
// them on, decodes them on its own, from the specifications, and holds the sender to every limit
// that it reports.
//
//   FakeNvmeController controller({.blocks = 1024, .mcl = 16});
//   nvme_passthru_cmd64 flush = {};
//   flush.nsid = 1;
//   uint16_t status = controller.Io(flush);
//
// A copy is executed range by range, as QEMU does: a range that breaks a limit fails after those
// before it are on media. Thread-safe.
#pragma once

#include <linux/nvme_ioctl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/mutex.h"

namespace gleaner::testing {

// Fields as they stand on the wire: a trailing _0 says that one is zero-based.
struct FakeNvmeOptions {
  uint32_t block_bytes = 4096;
  uint64_t blocks = 512;
  uint32_t nsid = 1;
  // Zoned if zone_blocks is not zero.
  uint64_t zone_blocks = 0;
  uint64_t zone_capacity = 0;
  uint32_t mor_0 = 0xffffffff;
  uint32_t mar_0 = 0xffffffff;
  uint8_t zasl = 0;
  uint8_t csi = 0;  // of an unzoned namespace

  uint8_t mdts = 0;
  uint16_t oncs = 0x10c;  // Copy, Write Zeroes, Dataset Management
  uint16_t ocfs = 1;
  std::string serial = "fake";
  uint16_t mssrl = 8;
  uint32_t mcl = 16;
  uint8_t msrc_0 = 2;
  bool hides_copy_limits =
      false;  // reports zeroes for these three, and has them all the same
  uint8_t wzsl = 0;
  uint32_t dmrsl = 0;
  uint16_t awupf_0 = 0;
  uint16_t metadata_bytes = 0;
  uint8_t dps = 0;
  uint8_t vwc = 0;
  uint8_t nsattr = 0;
  uint16_t enabled_directives = 0;  // bit n: DTYPE n; OACS says so if any
  uint64_t data_units_read = 0;     // of the SMART log
  uint64_t data_units_written = 0;
};

class FakeNvmeController {
 public:
  // A command that arrived for I/O, and what it carried to the device other than blocks.
  struct Seen {
    nvme_passthru_cmd64 command;
    std::string list;  // of a copy or deallocation
  };

  explicit FakeNvmeController(const FakeNvmeOptions& options);

  // Status fields as Linux returns them; commands' results are filled in.
  uint16_t Admin(nvme_passthru_cmd64& command);
  uint16_t Io(nvme_passthru_cmd64& command);

  // Another namespace of the same controller, which copies to this one may name. It must outlive
  // this. Copies go one way at a time.
  void SetSibling(const FakeNvmeController* sibling) { sibling_ = sibling; }
  // Byte `at` of Host Behavior Support.
  uint8_t host_behavior(size_t at) const;
  void SetHostBehavior(size_t at, uint8_t value);

  // The next I/O command with that opcode ends so, without being executed.
  void FailNext(uint8_t opcode, uint16_t status, uint64_t result = 0);
  // One more zone has this capacity from now on.
  void SetZoneCapacity(size_t zone, uint64_t blocks);
  void SetZoneState(size_t zone, uint8_t state);

  std::vector<Seen> seen() const;
  std::vector<Seen> seen(uint8_t opcode) const;
  std::string Contents(uint64_t lba, uint64_t blocks) const;
  const FakeNvmeOptions& options() const { return options_; }

 private:
  struct Zone {
    uint64_t capacity = 0;
    uint64_t write_pointer = 0;
    uint8_t state = 1;
  };
  struct Fault {
    uint8_t opcode;
    uint16_t status;
    uint64_t result;
  };
  using Page = std::vector<uint8_t>;

  uint16_t Identify(const nvme_passthru_cmd64& command, Page& page) const;
  uint16_t Feature(nvme_passthru_cmd64& command);
  // What a range of a copy may name, and where it is.
  uint16_t CheckSource(uint32_t nsid, uint64_t lba, uint64_t blocks) const;
  void IdentifyController(Page& page) const;
  void IdentifyNamespace(Page& page) const;
  bool zoned() const { return options_.zone_blocks != 0; }
  bool Fits(uint64_t lba, uint64_t blocks) const {
    return lba <= options_.blocks && blocks <= options_.blocks - lba;
  }
  char* At(uint64_t lba) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return memory_.data() + lba * options_.block_bytes;
  }
  uint16_t Execute(nvme_passthru_cmd64& c) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint16_t Read(const nvme_passthru_cmd64& c) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint16_t Write(nvme_passthru_cmd64& c) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint16_t WriteZeroes(const nvme_passthru_cmd64& c) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint16_t Deallocate(const nvme_passthru_cmd64& c) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint16_t Copy(nvme_passthru_cmd64& c) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint16_t ZoneSend(const nvme_passthru_cmd64& c) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint16_t ZoneReceive(const nvme_passthru_cmd64& c) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether the transfer is of the length that the command says, and within MDTS.
  uint16_t CheckTransfer(const nvme_passthru_cmd64& c, uint64_t bytes) const;
  uint16_t CheckDirective(const nvme_passthru_cmd64& c) const;
  // Moves the write pointer, if there are zones.
  uint16_t Advance(uint64_t lba, uint64_t blocks) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint16_t OpenZone(Zone& zone, uint8_t state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const FakeNvmeOptions options_;
  mutable Mutex mu_;
  std::vector<char> memory_ ABSL_GUARDED_BY(mu_);
  std::vector<Zone> zones_ ABSL_GUARDED_BY(mu_);
  std::vector<Fault> faults_ ABSL_GUARDED_BY(mu_);
  std::vector<Seen> seen_ ABSL_GUARDED_BY(mu_);
  Page host_behavior_ ABSL_GUARDED_BY(mu_) = Page(512);
  const FakeNvmeController* sibling_ = nullptr;
};

}  // namespace gleaner::testing
