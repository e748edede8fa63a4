#include "tests/device/fake_nvme.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace gleaner::testing {
namespace {

Mutex registry_mu;
std::vector<FakeNvme*>& Registry() {
  static auto* fakes = new std::vector<FakeNvme*>;
  return *fakes;
}

// The fake that has that file for a node; null: none has.
std::pair<FakeNvme*, const FakeNvme::FakeNode*> FindNode(const struct stat& st) {
  MutexLock lock(&registry_mu);
  for (FakeNvme* fake : Registry()) {
    for (const FakeNvme::FakeNode& node : fake->nodes()) {
      if (node.inode == st.st_ino && node.file_system == st.st_dev) return {fake, &node};
    }
  }
  return {nullptr, nullptr};
}

}  // namespace

FakeNvme::FakeNvme(const FakeNvmeSetup& setup)
    : setup_(setup.nodes), controller_(setup.controller) {
  directory_ = absl::StrCat(::testing::TempDir(), "/fake_nvme.XXXXXX");
  GLEANER_CHECK(mkdtemp(directory_.data()) != nullptr);
  for (const char* name : {"/dev", "/sys/dev/block", "/sys/dev/char"})
    std::filesystem::create_directories(directory_ + name);
  if (setup_.block) {
    const std::string block = "/class/block/nvme7n1";
    AddNode("nvme7n1", S_IFBLK, block);
    AddAttribute(block + "/queue/max_hw_sectors_kb", setup_.max_hw_sectors_kb);
    AddAttribute(block + "/queue/max_segments", setup_.max_segments);
    AddAttribute(block + "/ro", setup_.read_only);
    if (setup_.partition_sectors != 0) {
      const std::string partition = block + "/nvme7n1p2";
      AddNode("nvme7n1p2", S_IFBLK, partition);
      AddAttribute(partition + "/partition", "2");
      AddAttribute(partition + "/start", absl::StrCat(setup_.partition_start));
      AddAttribute(partition + "/size", absl::StrCat(setup_.partition_sectors));
    }
  }
  if (setup_.generic) AddNode("ng7n1", S_IFCHR, "/class/nvme-generic/ng7n1");
  AddNode("nvme7", S_IFCHR, "/class/nvme/nvme7");
  AddNode("sda", S_IFBLK, "/class/block/sda");
  AddNode("nvme8n1", S_IFBLK, "");
  MutexLock lock(&registry_mu);
  Registry().push_back(this);
}

FakeNvme::~FakeNvme() {
  {
    MutexLock lock(&registry_mu);
    std::erase(Registry(), this);
  }
  std::filesystem::remove_all(directory_);
}

void FakeNvme::AddNode(const std::string& name, uint32_t type,
                       const std::string& attributes) {
  const std::string path = Node(name);
  std::ofstream(path).close();
  struct stat st;
  GLEANER_CHECK(lstat(path.c_str(), &st) == 0);
  const unsigned minor_number = static_cast<unsigned>(nodes_.size());
  const unsigned major_number = type == S_IFBLK ? 259 : 240;
  const bool takes_commands = name == "nvme7n1" || name == "nvme7n1p2" || name == "ng7n1";
  nodes_.push_back({path, st.st_dev, st.st_ino, type, makedev(major_number, minor_number),
                    takes_commands});
  if (attributes.empty()) return;
  const std::string described = directory_ + "/sys" + attributes;
  std::filesystem::create_directories(described);
  std::filesystem::create_symlink(
      described, absl::StrCat(directory_, "/sys/dev/", type == S_IFBLK ? "block" : "char",
                              "/", major_number, ":", minor_number));
}

void FakeNvme::AddAttribute(const std::string& path, const std::string& value) {
  if (value.empty()) return;
  const std::filesystem::path file = directory_ + "/sys" + path;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << value << "\n";
}

NvmeDeviceOptions FakeNvme::options(Access access) {
  NvmeDeviceOptions options;
  options.access = access;
  options.message = [this](absl::string_view text) { messages_.emplace_back(text); };
  options.dev_directory = directory_ + "/dev";
  options.sys_directory = directory_ + "/sys";
  return options;
}

void FakeNvme::FailIoctls(int error) { ioctl_error_ = error; }

void FakeNvme::LoseNextCompletion(int error) { lost_ = error; }

int FakeNvme::Ioctl(const FakeNode& node, unsigned long request, void* argument) {
  if (const int error = ioctl_error_; error != 0) {
    errno = error;
    return -1;
  }
  if (!node.takes_commands) {
    errno = ENOTTY;
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

// Instead of the C library's.
extern "C" int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  struct stat st;
  if (fstat(fd, &st) == 0) {
    const auto [fake, node] = gleaner::testing::FindNode(st);
    if (fake != nullptr) return fake->Ioctl(*node, request, argument);
  }
  return static_cast<int>(syscall(SYS_ioctl, fd, request, argument));
}

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): theirs are reserved
extern "C" int stat(const char* __restrict path, struct stat* __restrict st) noexcept {
  if (fstatat(AT_FDCWD, path, st, 0) != 0) return -1;
  const auto [fake, node] = gleaner::testing::FindNode(*st);
  if (fake == nullptr) return 0;
  st->st_mode = (st->st_mode & ~static_cast<mode_t>(S_IFMT)) | node->type;
  st->st_rdev = node->number;
  return 0;
}
