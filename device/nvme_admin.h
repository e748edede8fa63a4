// Admin commands to an NVMe namespace, by libnvme: what it identifies itself as. Blocks.
//
//   GLEANER_ASSIGN_OR_RETURN(const NvmeIdentity identity, IdentifyNvme(fd, path));
//   identity.controller.copy && identity.data.copy_limits.can_copy();
//
// Thread-safe. Internal to the nvme backend.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "device/nvme_encoding.h"

namespace gleaner {

struct NvmeIdentity {
  uint32_t nsid = 0;
  NvmeCommandSet command_set = NvmeCommandSet::kNvm;
  NvmeController controller;
  NvmeNamespaceData data;
  NvmeCommandLimits limits;
  NvmeZonedData zoned;            // if command_set is kZoned, as is
  uint64_t max_append_bytes = 0;  // this; 0: as any transfer
  uint16_t placement_types = 0;   // bit n: DTYPE n is enabled
};

// `fd`: a node of a namespace; `path` names it in messages. InvalidArgument: of something else.
// PermissionDenied: not allowed to ask. Unavailable: the namespace is gone.
absl::StatusOr<uint32_t> NvmeNamespaceId(int fd, const std::string& path);
absl::StatusOr<NvmeIdentity> IdentifyNvme(int fd, const std::string& path);

// From the controller's SMART / Health Information log: its data units read and written.
absl::StatusOr<HostTraffic> ReadNvmeHostTraffic(int fd, const std::string& path);
// Asks the controller to take copy descriptor format 2h, until it is reset. Whether it does.
bool EnableNvmeCopyAcross(int fd);

}  // namespace gleaner
