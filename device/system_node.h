// What the kernel's sysfs says of a device node: which device it stands for, whether that is a
// partition, how much a command may transfer.
//
//   GLEANER_ASSIGN_OR_RETURN(const SystemNode node, FindSystemNode("/dev/sda2", {}, words));
//   node.directory;                 // "/sys/devices/.../block/sda/sda2"
//   ReadPartition(node)->start_bytes;
//
// Thread-safe. Internal to the backends that send commands of their own to a driver.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/types.h"

namespace gleaner {

// Where the kernel shows devices; tests have their own.
struct SystemPaths {
  std::string dev = "/dev";
  std::string sys = "/sys";
};

struct SystemNode {
  std::string path;       // as given
  mode_t type = 0;        // of st_mode: S_IFBLK or S_IFCHR
  std::string directory;  // of sysfs, that describes the device
};

// Where a partition lies on its device.
struct NodePartition {
  uint64_t start_bytes = 0;
  uint64_t bytes = 0;
};

// Words for messages: what such a node should be ("a SCSI disk"), and what to do about another
// ("; name a disk, such as /dev/sda").
struct NodeWords {
  absl::string_view kind;
  absl::string_view advice;
};

// NotFound: no such node. InvalidArgument: a file, or no node. Unavailable: no device behind it.
absl::StatusOr<SystemNode> FindSystemNode(const std::string& path,
                                          const SystemPaths& system, NodeWords words);

// The first line of an attribute, or the number in it; nullopt: there is none.
std::optional<std::string> ReadAttribute(const std::string& path);
std::optional<uint64_t> ReadNumber(const std::string& path);

// "/a/b" is "/a" and "b".
std::pair<std::string, std::string> SplitPath(const std::string& path);

// The node of `name` in /dev, if it is there and really that device: a copy of /dev may be
// stale, and what is written to the wrong device is lost. Empty if not.
std::string NodeNamed(const std::string& name, mode_t type, const SystemPaths& system);

// The most that a command may transfer to a buffer that need not begin at a page, as the request
// queue of the block device described by `block_directory` has it; 0: not known.
uint64_t MaxTransferBytes(const std::string& block_directory);

// Whether the node is a partition, and where that lies. Unavailable: it does not say.
bool IsPartition(const SystemNode& node);
absl::StatusOr<NodePartition> ReadPartition(const SystemNode& node);

// The partition's place on a device of `capacity` blocks of `block_bytes`. InvalidArgument: it does
// not begin at a block. Unavailable: it ends past that of the device, called `whole`.
absl::StatusOr<DeviceRange> PartitionBlocks(const std::string& path,
                                            NodePartition partition, uint32_t block_bytes,
                                            DeviceBlockCount capacity,
                                            absl::string_view whole);

}  // namespace gleaner
