#include "device/scsi_node.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace gleaner {
namespace {

constexpr absl::string_view kAdvice = "; name a disk, such as /dev/sda or /dev/sg0";

// "sda", "sdaa".
bool IsDiskName(absl::string_view name) {
  return name.size() > 2 && absl::StartsWith(name, "sd") &&
         std::all_of(name.begin() + 2, name.end(), absl::ascii_islower);
}

// "sg0".
bool IsGenericName(absl::string_view name) {
  uint32_t unused;
  return absl::StartsWith(name, "sg") && absl::SimpleAtoi(name.substr(2), &unused);
}

// The directory of the disk whose generic node `directory` describes: both stand under their
// logical unit, .../0:0:0:0/scsi_generic/sg0 and .../0:0:0:0/block/sda. Empty: no driver of disks
// has taken it.
std::string DiskBeside(const std::string& directory) {
  const std::string disks = SplitPath(SplitPath(directory).first).first + "/block";
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(disks, error)) {
    if (IsDiskName(entry.path().filename().string())) return entry.path().string();
  }
  return "";
}

}  // namespace

absl::StatusOr<ScsiNode> FindScsiNode(const std::string& path,
                                      const SystemPaths& system) {
  GLEANER_ASSIGN_OR_RETURN(const SystemNode found,
                           FindSystemNode(path, system, {"a SCSI disk", kAdvice}));
  ScsiNode node;
  node.path = path;
  node.type = found.type;
  std::string disk = found.directory;
  if (IsPartition(found)) disk = SplitPath(disk).first;
  const std::string name = SplitPath(disk).second;
  if (S_ISCHR(node.type) ? !IsGenericName(name) : !IsDiskName(name))
    return absl::InvalidArgumentError(absl::StrCat(path, " is no SCSI disk", kAdvice));
  if (S_ISCHR(node.type)) disk = DiskBeside(disk);
  if (IsPartition(found)) {
    GLEANER_ASSIGN_OR_RETURN(node.partition, ReadPartition(found));
  }
  if (disk.empty()) return node;
  node.block_path = NodeNamed(SplitPath(disk).second, S_IFBLK, system);
  node.max_transfer_bytes = MaxTransferBytes(disk);
  node.read_only = ReadNumber(disk + "/ro") == uint64_t{1} ||
                   ReadNumber(found.directory + "/ro") == uint64_t{1};
  return node;
}

}  // namespace gleaner
