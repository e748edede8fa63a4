// Finds out which SCSI disk, or partition of one, a device node stands for.
//
//   GLEANER_ASSIGN_OR_RETURN(ScsiNode node, FindScsiNode("/dev/sg0", {}));
//   node.block_path;  // "/dev/sda": knows who else uses the disk
//
// Thread-safe. Internal to the scsi backend.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "device/system_node.h"

namespace gleaner {

struct ScsiNode {
  std::string path;                        // as given
  mode_t type = 0;                         // of st_mode: S_IFBLK or S_IFCHR
  std::string block_path;                  // of the whole disk; empty if there is none
  std::optional<NodePartition> partition;  // if `path` is one
  bool read_only = false;                  // the kernel has marked it so
  uint64_t max_transfer_bytes = 0;         // of its request queue; 0: not known
};

// NotFound: no such node. InvalidArgument: a node of something else, or a file.
absl::StatusOr<ScsiNode> FindScsiNode(const std::string& path, const SystemPaths& system);

}  // namespace gleaner
