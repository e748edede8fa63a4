// A fake NVMe namespace on this machine: device nodes and sysfs attributes in a temporary
// directory, behind which a FakeNvmeController stands.
//
//   FakeNvme fake({.controller = {.blocks = 1024}});
//   auto device = OpenNvmeDevice(fake.block_node(), fake.options());
//
// As every FakeNodes. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "device/nvme_device.h"
#include "tests/device/fake_nodes.h"
#include "tests/device/fake_nvme_controller.h"

namespace gleaner::testing {

struct FakeNvmeNodes {
  bool generic = true;
  bool block = true;
  // In sectors of 512 bytes; no partition if there are none.
  uint64_t partition_start = 0;
  uint64_t partition_sectors = 0;
  // Empty: the attribute is not there.
  std::string max_hw_sectors_kb = "1280";
  std::string max_segments = "127";
  std::string read_only = "0";
};

struct FakeNvmeSetup {
  FakeNvmeOptions controller = {};
  FakeNvmeNodes nodes = {};
};

class FakeNvme final : public FakeNodes {
 public:
  explicit FakeNvme(const FakeNvmeSetup& setup);
  ~FakeNvme() override;

  std::string block_node() const { return Node("nvme7n1"); }
  std::string partition_node() const { return Node("nvme7n1p2"); }
  std::string generic_node() const { return Node("ng7n1"); }
  std::string controller_node() const { return Node("nvme7"); }
  std::string other_disk_node() const { return Node("sda"); }
  // The node of a device that is gone.
  std::string dangling_node() const { return Node("nvme8n1"); }

  // With which such a node is opened. Messages are collected.
  NvmeDeviceOptions options(Access access = Access::kReadWrite);
  const std::vector<std::string>& messages() const { return messages_; }

  FakeNvmeController& controller() { return controller_; }
  // From now on every ioctl fails with this errno; 0: none does.
  void FailIoctls(int error);
  // The next I/O command is executed, but nobody is told: its ioctl fails with this errno.
  void LoseNextCompletion(int error);

  int Ioctl(const FakeNode& node, unsigned long request, void* argument) override;

 private:
  const FakeNvmeNodes setup_;
  FakeNvmeController controller_;
  std::vector<std::string> messages_;
  std::atomic<int> ioctl_error_{0};
  std::atomic<int> lost_{0};
};

}  // namespace gleaner::testing
