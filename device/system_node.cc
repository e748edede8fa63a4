#include "device/system_node.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "device/errno_status.h"

namespace gleaner {
namespace {

constexpr uint64_t kSectorBytes = 512;  // of sysfs, whatever the device's block
constexpr uint64_t kPageBytes = 4096;

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

}  // namespace

absl::StatusOr<SystemNode> FindSystemNode(const std::string& path,
                                          const SystemPaths& system, NodeWords words) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0)
    return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
  if (S_ISREG(st.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " is a regular file, not ", words.kind, "; file:", path, " opens it"));
  }
  if (!S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is no device node", words.advice));
  }
  SystemNode node{path, st.st_mode & S_IFMT, DirectoryOf(st, system)};
  if (node.directory.empty()) {
    return absl::UnavailableError(
        absl::StrCat(path, ": there is no device behind this node"));
  }
  return node;
}

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

std::pair<std::string, std::string> SplitPath(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

std::string NodeNamed(const std::string& name, mode_t type, const SystemPaths& system) {
  const std::string path = absl::StrCat(system.dev, "/", name);
  struct stat st;
  if (stat(path.c_str(), &st) != 0 || (st.st_mode & S_IFMT) != type) return "";
  return SplitPath(DirectoryOf(st, system)).second == name ? path : "";
}

// Each page may be a segment of its own.
uint64_t MaxTransferBytes(const std::string& block_directory) {
  const auto kib = ReadNumber(block_directory + "/queue/max_hw_sectors_kb");
  const auto segments = ReadNumber(block_directory + "/queue/max_segments");
  if (!kib.has_value() || !segments.has_value()) return 0;
  return std::min(*kib * 1024, (std::max<uint64_t>(*segments, 2) - 1) * kPageBytes);
}

bool IsPartition(const SystemNode& node) {
  return S_ISBLK(node.type) && ReadNumber(node.directory + "/partition").has_value();
}

absl::StatusOr<NodePartition> ReadPartition(const SystemNode& node) {
  const auto start = ReadNumber(node.directory + "/start");
  const auto size = ReadNumber(node.directory + "/size");
  if (!start.has_value() || !size.has_value()) {
    return absl::UnavailableError(absl::StrCat(
        node.path, ": cannot read where the partition lies in ", node.directory));
  }
  return NodePartition{*start * kSectorBytes, *size * kSectorBytes};
}

absl::StatusOr<DeviceRange> PartitionBlocks(const std::string& path,
                                            NodePartition partition, uint32_t block_bytes,
                                            DeviceBlockCount capacity,
                                            absl::string_view whole) {
  const auto [start, bytes] = partition;
  if (start % block_bytes != 0 || bytes < block_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": the partition, ", bytes, " bytes at ", start,
        ", does not begin at a block of ", block_bytes, " bytes, or has none"));
  }
  const uint64_t first = start / block_bytes;
  const uint64_t count = bytes / block_bytes;
  if (first > capacity.value() || count > capacity.value() - first) {
    return absl::UnavailableError(absl::StrCat(path, ": the partition reaches past the ",
                                               whole, "'s end, block ",
                                               capacity.value()));
  }
  return DeviceRange{DeviceBlock(first), DeviceBlockCount(count)};
}

}  // namespace gleaner
