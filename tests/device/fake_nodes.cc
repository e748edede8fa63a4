#include "tests/device/fake_nodes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/mutex.h"

namespace gleaner::testing {
namespace {

Mutex registry_mu;
std::vector<FakeNodes*>& Registry() {
  static auto* fakes = new std::vector<FakeNodes*>;
  return *fakes;
}

// The fake that has that file for a node; null: none has.
std::pair<FakeNodes*, const FakeNodes::FakeNode*> FindNode(const struct stat& st) {
  MutexLock lock(&registry_mu);
  for (FakeNodes* fake : Registry()) {
    for (const FakeNodes::FakeNode& node : fake->nodes()) {
      if (node.inode == st.st_ino && node.file_system == st.st_dev) return {fake, &node};
    }
  }
  return {nullptr, nullptr};
}

}  // namespace

FakeNodes::FakeNodes(const std::string& name)
    : directory_(absl::StrCat(::testing::TempDir(), "/fake_", name, ".XXXXXX")) {
  GLEANER_CHECK(mkdtemp(directory_.data()) != nullptr);
  for (const char* folder : {"/dev", "/sys/dev/block", "/sys/dev/char"})
    std::filesystem::create_directories(directory_ + folder);
}

FakeNodes::~FakeNodes() { std::filesystem::remove_all(directory_); }

void FakeNodes::Register() {
  MutexLock lock(&registry_mu);
  Registry().push_back(this);
}

void FakeNodes::Unregister() {
  MutexLock lock(&registry_mu);
  std::erase(Registry(), this);
}

void FakeNodes::AddNode(const std::string& name, uint32_t type,
                        const std::string& attributes, bool takes_commands) {
  const std::string path = Node(name);
  std::ofstream(path).close();
  struct stat st;
  GLEANER_CHECK(lstat(path.c_str(), &st) == 0);
  const unsigned minor_number = static_cast<unsigned>(nodes_.size());
  const unsigned major_number = type == S_IFBLK ? 259 : 240;
  nodes_.push_back({path, st.st_dev, st.st_ino, type, makedev(major_number, minor_number),
                    takes_commands});
  if (attributes.empty()) return;
  const std::string described = directory_ + "/sys" + attributes;
  std::filesystem::create_directories(described);
  std::filesystem::create_symlink(
      described, absl::StrCat(directory_, "/sys/dev/", type == S_IFBLK ? "block" : "char",
                              "/", major_number, ":", minor_number));
}

void FakeNodes::AddAttribute(const std::string& path, const std::string& value) {
  if (value.empty()) return;
  const std::filesystem::path file = directory_ + "/sys" + path;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << value << "\n";
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
    if (fake != nullptr && !node->takes_commands) {
      errno = ENOTTY;
      return -1;
    }
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
