#include "tests/device/fake_scsi.h"

#include <scsi/sg.h>
#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace gleaner::testing {

FakeScsi::FakeScsi(const FakeScsiSetup& setup)
    : FakeNodes("scsi"), target_(setup.target) {
  const std::string unit = "/devices/target7/7:0:0:0";
  const FakeScsiNodes& nodes = setup.nodes;
  if (nodes.block) {
    const std::string block = unit + "/block/sdq";
    AddNode("sdq", S_IFBLK, block, true);
    AddAttribute(block + "/queue/max_hw_sectors_kb", nodes.max_hw_sectors_kb);
    AddAttribute(block + "/queue/max_segments", nodes.max_segments);
    AddAttribute(block + "/ro", nodes.read_only);
    if (nodes.partition_sectors != 0) {
      const std::string partition = block + "/sdq2";
      AddNode("sdq2", S_IFBLK, partition, true);
      AddAttribute(partition + "/partition", "2");
      AddAttribute(partition + "/start", absl::StrCat(nodes.partition_start));
      AddAttribute(partition + "/size", absl::StrCat(nodes.partition_sectors));
    }
  }
  AddNode("sg7", S_IFCHR, unit + "/scsi_generic/sg7", true);
  AddNode("vda", S_IFBLK, "/devices/virtio/block/vda", false);
  AddNode("st0", S_IFCHR, "/devices/target8/8:0:0:0/scsi_tape/st0", true);
  AddNode("sdr", S_IFBLK, "/devices/target9/9:0:0:0/block/sdr", false);
  AddNode("sds", S_IFBLK, "", false);
  Register();
}

ScsiDeviceOptions FakeScsi::options(Access access) {
  ScsiDeviceOptions options;
  options.access = access;
  options.message = [this](absl::string_view text) { messages_.emplace_back(text); };
  options.dev_directory = directory() + "/dev";
  options.sys_directory = directory() + "/sys";
  return options;
}

int FakeScsi::Ioctl(const FakeNode&, unsigned long request, void* argument) {
  if (const int error = ioctl_error_; error != 0) {
    errno = error;
    return -1;
  }
  auto& header = *static_cast<sg_io_hdr_t*>(argument);
  if (request == SG_IO && header.interface_id == 'S') return target_.Execute(header);
  errno = ENOTTY;
  return -1;
}

}  // namespace gleaner::testing
