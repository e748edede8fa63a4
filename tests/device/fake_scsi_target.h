// A SCSI disk in memory, for tests: takes commands as SG_IO passes them on, decodes them on its
// own, from the specifications, and holds the sender to every limit that it reports.
//
//   FakeScsiTarget target({.blocks = 1024, .max_segments = 8});
//   sg_io_hdr_t header = ...;  // as for SG_IO
//   target.Execute(header);
//
// A copy is executed segment by segment: one that fails does so after those before it are on
// media. Thread-safe.
#pragma once

#include <scsi/sg.h>

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"

namespace gleaner::testing {

struct FakeScsiOptions {
  uint32_t block_bytes = 4096;
  uint64_t blocks = 512;
  uint8_t peripheral = 0x00;  // qualifier and type
  bool third_party_copy = true;
  // Designators of the identification page: whole descriptors, in hex.
  std::string designators =
      "02010014"  // T10 vendor, of 20 bytes
      "474c45414e455220"
      "303132333435363738396162"
      "01030010"
      "600140500000000000000000000000aa";
  // The designator that copies must use, code set, type and bytes, in hex.
  std::string name =
      "0103"
      "600140500000000000000000000000aa";
  bool has_mode_sense_10 = true;
  bool has_mode_sense_6 = true;
  bool write_protected = false;
  bool write_cache = true;
  bool has_vital_pages = true;
  uint32_t max_transfer_blocks = 8;
  uint32_t max_unmap_blocks = 100;
  bool unmaps = true;
  uint64_t max_write_same_blocks = 5;
  bool has_write_same = true;

  bool tells_copy_parameters = true;
  bool needs_no_list_id = false;
  uint16_t max_targets = 2;
  uint16_t max_segments = 3;
  uint16_t real_max_segments = 0;  // if it is another than reported
  uint32_t max_list_bytes = 1024;
  uint32_t max_segment_bytes = 8 * 4096;
  uint8_t max_concurrent = 0;
  uint8_t granularity_log2 = 9;
  std::string descriptor_types = "02e4";  // in hex
  bool descriptor_sense = false;          // its sense data is of descriptor format
};

class FakeScsiTarget {
 public:
  // A command that arrived, and what it carried to the device.
  struct Seen {
    std::string cdb;
    std::string data;
  };
  // How a command ends without being executed.
  struct Fault {
    uint8_t opcode = 0;
    uint8_t status = 0;
    uint16_t host = 0;
    std::string sense = {};  // bytes, in hex
    int times = 1;
    int error = 0;  // an errno: the system call fails
    int resid = 0;  // the command succeeds, but for so many bytes
  };

  explicit FakeScsiTarget(const FakeScsiOptions& options);

  // As ioctl(fd, SG_IO, &header) does.
  int Execute(sg_io_hdr_t& header);

  void FailNext(const Fault& fault);
  // Cannot be read from now on.
  void Damage(uint64_t lba);

  std::vector<Seen> seen(uint8_t opcode) const;
  std::string Contents(uint64_t lba, uint64_t blocks) const;
  // The most copies that were in flight together.
  int most_copies() const;

 private:
  struct Answer {
    uint8_t status = 0;
    std::string sense;
  };
  using Bytes = std::vector<uint8_t>;

  Answer Refuse(uint8_t key, uint8_t asc, uint8_t ascq, uint16_t segment = 0) const;
  // An errno, or 0 and the answer.
  int ExecuteOrFail(sg_io_hdr_t& header, Answer& answer);
  Answer Dispatch(sg_io_hdr_t& header) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer Reply(sg_io_hdr_t& header, const Bytes& bytes, size_t allocated) const;
  Answer Inquiry(sg_io_hdr_t& header) const;
  Bytes VitalPage(uint8_t page) const;
  Answer ReadCapacity(sg_io_hdr_t& header) const;
  Answer ModeSense(sg_io_hdr_t& header, bool ten) const;
  Answer CopyParameters(sg_io_hdr_t& header) const;
  Answer ReadOrWrite(sg_io_hdr_t& header, bool write) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer WriteSame(sg_io_hdr_t& header) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer Unmap(sg_io_hdr_t& header) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer Copy(const sg_io_hdr_t& header) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Answer CopySegment(const uint8_t* segment, uint16_t number)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool BeginCopy(const sg_io_hdr_t& header);
  void EndCopy(const sg_io_hdr_t& header);
  bool Fits(uint64_t lba, uint64_t blocks) const {
    return lba <= options_.blocks && blocks <= options_.blocks - lba;
  }
  char* At(uint64_t lba) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return memory_.data() + lba * options_.block_bytes;
  }

  const FakeScsiOptions options_;
  mutable Mutex mu_;
  std::vector<char> memory_ ABSL_GUARDED_BY(mu_);
  std::set<uint64_t> damaged_ ABSL_GUARDED_BY(mu_);
  std::deque<Fault> faults_ ABSL_GUARDED_BY(mu_);
  std::vector<Seen> seen_ ABSL_GUARDED_BY(mu_);
  std::multiset<uint8_t> copies_ ABSL_GUARDED_BY(mu_);  // list identifiers in flight
  size_t most_copies_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace gleaner::testing
