#include "device/nvme_admin.h"

#include <libnvme.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "device/errno_status.h"

namespace gleaner {
namespace {

// From what libnvme returns: 0, a status of the controller, or -1 with errno.
absl::Status AdminStatus(int result, const std::string& path, absl::string_view what) {
  if (result == 0) return absl::OkStatus();
  if (result > 0) {
    const NvmeStatus status = DecodeStatus(static_cast<uint16_t>(result));
    return absl::Status(StatusCodeOf(status),
                        absl::StrCat(path, ": ", what, ": ", DescribeStatus(status)));
  }
  const int error = errno;
  if (error == ENOTTY || error == EINVAL) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     " does not take NVMe commands; name a namespace, such as "
                     "/dev/nvme0n1 or /dev/ng0n1"));
  }
  if (error == EACCES || error == EPERM) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": ", what, ": not permitted; run as root (CAP_SYS_ADMIN)"));
  }
  return ErrnoStatus(error, absl::StrCat(path, ": ", what));
}

void* Data(NvmePage& page) { return page.data(); }

// What only some devices know, and some kernels tell only to root: a page of zeroes where it is
// not to be had.
absl::Status OptionalStatus(int result, NvmePage& page, const std::string& path,
                            absl::string_view what) {
  if (result > 0 || (result < 0 && errno == EACCES)) {
    page.fill(0);
    return absl::OkStatus();
  }
  return AdminStatus(result, path, what);
}

absl::Status IdentifyZones(int fd, const std::string& path, NvmeIdentity& identity) {
  NvmePage page{};
  GLEANER_RETURN_IF_ERROR(AdminStatus(
      nvme_zns_identify_ns(fd, identity.nsid, static_cast<nvme_zns_id_ns*>(Data(page))),
      path, "identify zoned namespace"));
  identity.zoned = DecodeZonedNamespace(page, identity.data.format);
  page.fill(0);
  GLEANER_RETURN_IF_ERROR(OptionalStatus(
      nvme_zns_identify_ctrl(fd, static_cast<nvme_zns_id_ctrl*>(Data(page))), page, path,
      "identify controller for zones"));
  identity.max_append_bytes = DecodeMaxAppendBytes(page);
  return absl::OkStatus();
}

absl::Status FindPlacementTypes(int fd, const std::string& path, NvmeIdentity& identity) {
  NvmePage page{};
  GLEANER_RETURN_IF_ERROR(
      OptionalStatus(nvme_directive_recv_identify_parameters(
                         fd, identity.nsid, static_cast<nvme_id_directives*>(Data(page))),
                     page, path, "identify directives"));
  for (uint8_t dtype = 1; dtype < 16; ++dtype) {
    if (DecodeDirectiveEnabled(page, dtype)) identity.placement_types |= 1u << dtype;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<uint32_t> NvmeNamespaceId(int fd, const std::string& path) {
  uint32_t nsid = 0;
  GLEANER_RETURN_IF_ERROR(AdminStatus(nvme_get_nsid(fd, &nsid), path, "namespace id"));
  return nsid;
}

absl::StatusOr<NvmeIdentity> IdentifyNvme(int fd, const std::string& path) {
  NvmeIdentity identity;
  GLEANER_ASSIGN_OR_RETURN(identity.nsid, NvmeNamespaceId(fd, path));
  NvmePage page{};
  GLEANER_RETURN_IF_ERROR(
      AdminStatus(nvme_identify_ctrl(fd, static_cast<nvme_id_ctrl*>(Data(page))), path,
                  "identify controller"));
  identity.controller = DecodeController(page);

  page.fill(0);
  GLEANER_RETURN_IF_ERROR(
      OptionalStatus(nvme_identify_ns_descs(fd, identity.nsid,
                                            static_cast<nvme_ns_id_desc*>(Data(page))),
                     page, path, "identify namespace descriptors"));
  identity.command_set = DecodeCommandSet(page);
  if (identity.command_set != NvmeCommandSet::kNvm &&
      identity.command_set != NvmeCommandSet::kZoned) {
    return absl::UnimplementedError(absl::StrCat(path, " has NVMe command set ",
                                                 static_cast<int>(identity.command_set),
                                                 ", not blocks or zones"));
  }

  page.fill(0);
  GLEANER_RETURN_IF_ERROR(AdminStatus(
      nvme_identify_ns(fd, identity.nsid, static_cast<nvme_id_ns*>(Data(page))), path,
      "identify namespace"));
  identity.data = DecodeNamespace(page);
  identity.data.copy_limits.copy_offload = identity.controller.copy;

  page.fill(0);
  GLEANER_RETURN_IF_ERROR(OptionalStatus(
      nvme_nvm_identify_ctrl(fd, static_cast<nvme_id_ctrl_nvm*>(Data(page))), page, path,
      "identify limits"));
  identity.limits = DecodeCommandLimits(page);
  if (identity.command_set == NvmeCommandSet::kZoned) {
    GLEANER_RETURN_IF_ERROR(IdentifyZones(fd, path, identity));
  }
  if (identity.controller.directives) {
    GLEANER_RETURN_IF_ERROR(FindPlacementTypes(fd, path, identity));
  }
  return identity;
}

absl::StatusOr<HostTraffic> ReadNvmeHostTraffic(int fd, const std::string& path) {
  constexpr uint32_t kAllNamespaces = 0xffffffff;
  NvmePage page{};
  GLEANER_RETURN_IF_ERROR(
      AdminStatus(nvme_get_log_smart(fd, kAllNamespaces, /*rae=*/true,
                                     static_cast<nvme_smart_log*>(Data(page))),
                  path, "SMART log"));
  return DecodeHostTraffic(page);
}

bool EnableNvmeCopyAcross(int fd) {
  NvmeHostBehavior behavior{};
  // What others have set stays. (libnvme 1.3 has a function for this very feature, which forgets
  // to say how long the data is.)
  uint32_t unused = 0;
  if (nvme_get_features_data(fd, NVME_FEAT_FID_HOST_BEHAVIOR, NVME_NSID_NONE,
                             behavior.size(), behavior.data(), &unused) != 0) {
    return false;
  }
  return !SetCopyAcross(behavior) ||
         nvme_set_features_data(fd, NVME_FEAT_FID_HOST_BEHAVIOR, NVME_NSID_NONE,
                                /*cdw11=*/0, /*save=*/false, behavior.size(),
                                behavior.data(), &unused) == 0;
}

}  // namespace gleaner
