#include "device/nvme_node.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "device/errno_status.h"

namespace gleaner {
namespace {

constexpr uint64_t kSectorBytes = 512;  // of sysfs, whatever the device's block
constexpr uint64_t kPageBytes = 4096;

// The content of a sysfs attribute without its newline.
std::optional<std::string> ReadAttribute(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

std::optional<uint64_t> ReadNumber(const std::string& path) {
  const std::optional<std::string> text = ReadAttribute(path);
  uint64_t value = 0;
  if (!text.has_value() || !absl::SimpleAtoi(*text, &value)) return std::nullopt;
  return value;
}

// The directory that describes a device number; empty if the kernel knows no such device.
std::string DirectoryOf(const struct stat& st, const SystemPaths& system) {
  const std::string link =
      absl::StrCat(system.sys, "/dev/", S_ISBLK(st.st_mode) ? "block" : "char", "/",
                   major(st.st_rdev), ":", minor(st.st_rdev));
  char* resolved = realpath(link.c_str(), nullptr);
  std::string directory = resolved == nullptr ? "" : resolved;
  std::free(resolved);
  return directory;
}

std::pair<std::string, std::string> SplitPath(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

// "0n1" of "nvme0n1" or "ng0n1", given which; empty for any other name.
absl::string_view NamespaceNumbers(absl::string_view name, absl::string_view prefix) {
  if (!absl::StartsWith(name, prefix)) return "";
  const absl::string_view numbers = name.substr(prefix.size());
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(numbers, absl::MaxSplits('n', 1));
  uint32_t unused;
  return absl::SimpleAtoi(parts.first, &unused) && absl::SimpleAtoi(parts.second, &unused)
             ? numbers
             : "";
}

// The node of `name` in /dev, if it is there and really that device: a copy of /dev may be
// stale, and what is written to the wrong namespace is lost.
std::string NodeNamed(const std::string& name, mode_t type, const SystemPaths& system) {
  const std::string path = absl::StrCat(system.dev, "/", name);
  struct stat st;
  if (stat(path.c_str(), &st) != 0 || (st.st_mode & S_IFMT) != type) return "";
  return SplitPath(DirectoryOf(st, system)).second == name ? path : "";
}

// The most that a command may transfer to a buffer that need not begin at a page: each page
// may be a segment of its own.
uint64_t MaxTransferBytes(const std::string& block_directory) {
  const auto kib = ReadNumber(block_directory + "/queue/max_hw_sectors_kb");
  const auto segments = ReadNumber(block_directory + "/queue/max_segments");
  if (!kib.has_value() || !segments.has_value()) return 0;
  return std::min(*kib * 1024, (std::max<uint64_t>(*segments, 2) - 1) * kPageBytes);
}

absl::StatusOr<NvmeNode::Partition> ReadPartition(const std::string& path,
                                                  const std::string& directory) {
  const auto start = ReadNumber(directory + "/start");
  const auto size = ReadNumber(directory + "/size");
  if (!start.has_value() || !size.has_value()) {
    return absl::UnavailableError(
        absl::StrCat(path, ": cannot read where the partition lies in ", directory));
  }
  return NvmeNode::Partition{*start * kSectorBytes, *size * kSectorBytes};
}

absl::Status WrongNode(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, what, "; name a namespace, such as /dev/nvme0n1 or /dev/ng0n1"));
}

absl::StatusOr<struct stat> StatNode(const std::string& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0)
    return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
  if (S_ISREG(st.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " is a regular file, not an NVMe namespace; file:", path, " opens it"));
  }
  if (!S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode))
    return WrongNode(path, " is no device node");
  return st;
}

}  // namespace

absl::StatusOr<NvmeNode> FindNvmeNode(const std::string& path,
                                      const SystemPaths& system) {
  GLEANER_ASSIGN_OR_RETURN(const struct stat st, StatNode(path));
  NvmeNode node;
  node.path = path;
  node.type = st.st_mode & S_IFMT;
  const std::string directory = DirectoryOf(st, system);
  if (directory.empty()) {
    return absl::UnavailableError(
        absl::StrCat(path, ": there is no device behind this node"));
  }
  const auto [parent, name] = SplitPath(directory);
  std::string numbers;
  if (S_ISCHR(st.st_mode)) {
    numbers = std::string(NamespaceNumbers(name, "ng"));
    uint32_t unused;
    if (numbers.empty() && absl::StartsWith(name, "nvme") &&
        absl::SimpleAtoi(name.substr(4), &unused))
      return WrongNode(path, " is an NVMe controller, not a namespace");
  } else {
    const bool is_partition = ReadNumber(directory + "/partition").has_value();
    numbers = std::string(
        NamespaceNumbers(is_partition ? SplitPath(parent).second : name, "nvme"));
    if (is_partition && !numbers.empty()) {
      GLEANER_ASSIGN_OR_RETURN(node.partition, ReadPartition(path, directory));
    }
  }
  if (numbers.empty()) return WrongNode(path, " is no NVMe namespace");

  const std::string block_name = absl::StrCat("nvme", numbers);
  node.block_path = NodeNamed(block_name, S_IFBLK, system);
  node.generic_path = NodeNamed(absl::StrCat("ng", numbers), S_IFCHR, system);
  const std::string block_directory =
      absl::StrCat(system.sys, "/class/block/", block_name);
  node.max_transfer_bytes = MaxTransferBytes(block_directory);
  node.read_only =
      ReadNumber(block_directory + "/ro") == uint64_t{1} ||
      (node.partition.has_value() && ReadNumber(directory + "/ro") == uint64_t{1});
  return node;
}

}  // namespace gleaner
