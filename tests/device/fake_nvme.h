// A fake NVMe namespace on this machine: device nodes and sysfs attributes in a temporary
// directory, behind which a FakeNvmeController stands.
//
//   FakeNvme fake({.controller = {.blocks = 1024}});
//   auto device = OpenNvmeDevice(fake.block_node(), fake.options());
//
// It replaces the process's ioctl() and stat(), also for libnvme; on all other files they do what
// they always do. A device must be closed before its fake goes. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "device/nvme_device.h"
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

class FakeNvme {
 public:
  explicit FakeNvme(const FakeNvmeSetup& setup);
  ~FakeNvme();
  FakeNvme(const FakeNvme&) = delete;
  FakeNvme& operator=(const FakeNvme&) = delete;

  std::string block_node() const { return Node("nvme7n1"); }
  std::string partition_node() const { return Node("nvme7n1p2"); }
  std::string generic_node() const { return Node("ng7n1"); }
  std::string controller_node() const { return Node("nvme7"); }
  std::string other_disk_node() const { return Node("sda"); }
  // The node of a device that is gone.
  std::string dangling_node() const { return Node("nvme8n1"); }
  std::string directory() const { return directory_; }

  // With which such a node is opened. Messages are collected.
  NvmeDeviceOptions options(Access access = Access::kReadWrite);
  const std::vector<std::string>& messages() const { return messages_; }

  FakeNvmeController& controller() { return controller_; }
  // From now on every ioctl fails with this errno; 0: none does.
  void FailIoctls(int error);
  // The next I/O command is executed, but nobody is told: its ioctl fails with this errno.
  void LoseNextCompletion(int error);

  // For the replaced system calls.
  struct FakeNode {
    std::string path;
    uint64_t file_system;
    uint64_t inode;
    uint32_t type;
    uint64_t number;
    bool takes_commands;
  };
  const std::vector<FakeNode>& nodes() const { return nodes_; }
  int Ioctl(const FakeNode& node, unsigned long request, void* argument);

 private:
  std::string Node(const std::string& name) const { return directory_ + "/dev/" + name; }
  // A node, described by the directory `attributes` of sysfs unless that is empty.
  void AddNode(const std::string& name, uint32_t type, const std::string& attributes);
  void AddAttribute(const std::string& path, const std::string& value);

  const FakeNvmeNodes setup_;
  FakeNvmeController controller_;
  std::string directory_;
  std::vector<FakeNode> nodes_;
  std::vector<std::string> messages_;
  std::atomic<int> ioctl_error_{0};
  std::atomic<int> lost_{0};
};

}  // namespace gleaner::testing
