#include "device/nvme_node.h"

#include <sys/stat.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"

namespace gleaner {
namespace {

constexpr absl::string_view kAdvice =
    "; name a namespace, such as /dev/nvme0n1 or /dev/ng0n1";

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

absl::Status WrongNode(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, what, kAdvice));
}

}  // namespace

absl::StatusOr<NvmeNode> FindNvmeNode(const std::string& path,
                                      const SystemPaths& system) {
  GLEANER_ASSIGN_OR_RETURN(const SystemNode found,
                           FindSystemNode(path, system, {"an NVMe namespace", kAdvice}));
  NvmeNode node;
  node.path = path;
  node.type = found.type;
  const std::string& directory = found.directory;
  const auto [parent, name] = SplitPath(directory);
  std::string numbers;
  if (S_ISCHR(node.type)) {
    numbers = std::string(NamespaceNumbers(name, "ng"));
    uint32_t unused;
    if (numbers.empty() && absl::StartsWith(name, "nvme") &&
        absl::SimpleAtoi(name.substr(4), &unused))
      return WrongNode(path, " is an NVMe controller, not a namespace");
  } else {
    const bool is_partition = IsPartition(found);
    numbers = std::string(
        NamespaceNumbers(is_partition ? SplitPath(parent).second : name, "nvme"));
    if (is_partition && !numbers.empty()) {
      GLEANER_ASSIGN_OR_RETURN(node.partition, ReadPartition(found));
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
