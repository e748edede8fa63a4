#include "tests/device/fake_nvme.h"

#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace gleaner::testing {

FakeNvme::FakeNvme(const FakeNvmeSetup& setup)
    : FakeNodes("nvme"), setup_(setup.nodes), controller_(setup.controller) {
  if (setup_.block) {
    const std::string block = "/class/block/nvme7n1";
    AddNode("nvme7n1", S_IFBLK, block, true);
    AddAttribute(block + "/queue/max_hw_sectors_kb", setup_.max_hw_sectors_kb);
    AddAttribute(block + "/queue/max_segments", setup_.max_segments);
    AddAttribute(block + "/ro", setup_.read_only);
    if (setup_.partition_sectors != 0) {
      const std::string partition = block + "/nvme7n1p2";
      AddNode("nvme7n1p2", S_IFBLK, partition, true);
      AddAttribute(partition + "/partition", "2");
      AddAttribute(partition + "/start", absl::StrCat(setup_.partition_start));
      AddAttribute(partition + "/size", absl::StrCat(setup_.partition_sectors));
    }
  }
  if (setup_.generic) AddNode("ng7n1", S_IFCHR, "/class/nvme-generic/ng7n1", true);
  AddNode("nvme7", S_IFCHR, "/class/nvme/nvme7", false);
  AddNode("sda", S_IFBLK, "/class/block/sda", false);
  AddNode("nvme8n1", S_IFBLK, "", false);
  Register();
}

FakeNvme::~FakeNvme() { Unregister(); }

NvmeDeviceOptions FakeNvme::options(Access access) {
  NvmeDeviceOptions options;
  options.access = access;
  options.message = [this](absl::string_view text) { messages_.emplace_back(text); };
  options.dev_directory = directory() + "/dev";
  options.sys_directory = directory() + "/sys";
  return options;
}

void FakeNvme::FailIoctls(int error) { ioctl_error_ = error; }

void FakeNvme::LoseNextCompletion(int error) { lost_ = error; }

int FakeNvme::Ioctl(const FakeNode&, unsigned long request, void* argument) {
  if (const int error = ioctl_error_; error != 0) {
    errno = error;
    return -1;
  }
  if (request == NVME_IOCTL_ID) return static_cast<int>(controller_.options().nsid);
  if (request == NVME_IOCTL_ADMIN64_CMD || request == NVME_IOCTL_IO64_CMD) {
    auto& command = *static_cast<nvme_passthru_cmd64*>(argument);
    if (request == NVME_IOCTL_ADMIN64_CMD) return controller_.Admin(command);
    const int status = controller_.Io(command);
    if (const int error = lost_.exchange(0); error != 0) {
      errno = error;
      return -1;
    }
    return status;
  }
  if (request == NVME_IOCTL_ADMIN_CMD || request == NVME_IOCTL_IO_CMD) {
    auto& narrow = *static_cast<nvme_passthru_cmd*>(argument);
    // The same but for the result.
    nvme_passthru_cmd64 command = {};
    std::memcpy(&command, &narrow, offsetof(nvme_passthru_cmd, result));
    const int status = request == NVME_IOCTL_IO_CMD ? controller_.Io(command)
                                                    : controller_.Admin(command);
    narrow.result = static_cast<uint32_t>(command.result);
    return status;
  }
  errno = ENOTTY;
  return -1;
}

}  // namespace gleaner::testing
