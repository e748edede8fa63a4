// Finds out which NVMe namespace, or partition of one, a device node stands for.
//
//   GLEANER_ASSIGN_OR_RETURN(NvmeNode node, FindNvmeNode("/dev/nvme0n1p2", {}));
//   node.generic_path;       // "/dev/ng0n1": takes passthrough commands
//   node.partition->start_bytes;
//
// Thread-safe. Internal to the nvme backend.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "device/system_node.h"

namespace gleaner {

struct NvmeNode {
  std::string path;  // as given
  mode_t type = 0;   // of st_mode: S_IFBLK or S_IFCHR
  // The whole namespace's nodes, where they exist: a name is empty if there is none.
  std::string block_path;
  std::string generic_path;
  std::optional<NodePartition> partition;  // if `path` is one
  bool read_only = false;                  // the kernel has marked it so

  // Limits of the namespace's request queue, in bytes; 0: not known.
  uint64_t max_transfer_bytes = 0;
};

// NotFound: no such node. InvalidArgument: a node of something else, or a file.
absl::StatusOr<NvmeNode> FindNvmeNode(const std::string& path, const SystemPaths& system);

}  // namespace gleaner
