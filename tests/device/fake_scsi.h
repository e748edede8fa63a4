// A fake SCSI disk on this machine: device nodes and sysfs attributes in a temporary directory,
// behind which a FakeScsiTarget stands.
//
//   FakeScsi fake({.target = {.blocks = 1024}});
//   auto device = OpenScsiDevice(fake.block_node(), fake.options());
//
// As every FakeNodes. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "device/scsi_device.h"
#include "tests/device/fake_nodes.h"
#include "tests/device/fake_scsi_target.h"

namespace gleaner::testing {

struct FakeScsiNodes {
  bool block = true;
  // In sectors of 512 bytes; no partition if there are none.
  uint64_t partition_start = 0;
  uint64_t partition_sectors = 0;
  // Empty: the attribute is not there.
  std::string max_hw_sectors_kb = "1280";
  std::string max_segments = "127";
  std::string read_only = "0";
};

struct FakeScsiSetup {
  FakeScsiOptions target = {};
  FakeScsiNodes nodes = {};
};

class FakeScsi final : public FakeNodes {
 public:
  explicit FakeScsi(const FakeScsiSetup& setup);
  ~FakeScsi() override { Unregister(); }

  std::string block_node() const { return Node("sdq"); }
  std::string partition_node() const { return Node("sdq2"); }
  std::string generic_node() const { return Node("sg7"); }
  std::string other_node() const { return Node("vda"); }
  std::string tape_node() const { return Node("st0"); }
  // A disk whose driver takes no SCSI commands, and one that is gone.
  std::string deaf_node() const { return Node("sdr"); }
  std::string dangling_node() const { return Node("sds"); }

  // With which such a node is opened. Messages are collected.
  ScsiDeviceOptions options(Access access = Access::kReadWrite);
  const std::vector<std::string>& messages() const { return messages_; }

  FakeScsiTarget& target() { return target_; }
  // From now on every ioctl fails with this errno; 0: none does.
  void FailIoctls(int error) { ioctl_error_ = error; }

  int Ioctl(const FakeNode& node, unsigned long request, void* argument) override;

 private:
  FakeScsiTarget target_;
  std::vector<std::string> messages_;
  std::atomic<int> ioctl_error_{0};
};

}  // namespace gleaner::testing
