#include "device/copy_recovery.h"

#include <iterator>

namespace gleaner {
namespace {

using enum RecoveryAction;
using absl::StatusCode;

constexpr StatusCode kNvme = StatusCode::kOk;
constexpr uint8_t kForever = kUnlimitedAttempts;

constexpr RecoveryRule kRules[] = {
    // Generic command status.
    {"Invalid Command Opcode", 0, 0x01, kNvme, kAbandon, 1, kAbandon},
    {"Invalid Field in Command", 0, 0x02, kNvme, kAbandon, 1, kAbandon},
    {"Data Transfer Error", 0, 0x04, kNvme, kRetry, 2, kEmulate},
    {"Internal Error", 0, 0x06, kNvme, kRetry, 2, kEmulate},
    {"Command Abort Requested", 0, 0x07, kNvme, kRetry, 2, kEmulate},
    {"Invalid Namespace or Format", 0, 0x0b, kNvme, kGiveUp, 0, kGiveUp},
    {"Operation Denied", 0, 0x15, kNvme, kGiveUp, 0, kGiveUp},
    {"Namespace is Write Protected", 0, 0x20, kNvme, kGiveUp, 0, kGiveUp},
    {"Command Interrupted", 0, 0x21, kNvme, kRetry, 4, kEmulate},
    {"Transient Transport Error", 0, 0x22, kNvme, kRetry, 4, kEmulate},
    {"LBA Out of Range", 0, 0x80, kNvme, kGiveUp, 0, kGiveUp},
    {"Capacity Exceeded", 0, 0x81, kNvme, kGiveUp, 0, kGiveUp},
    {"Namespace Not Ready", 0, 0x82, kNvme, kRetry, 2, kEmulate},
    // Command specific status.
    {"Invalid Protection Information", 1, 0x81, kNvme, kGiveUp, 0, kGiveUp},
    {"Attempted Write to Read Only Range", 1, 0x82, kNvme, kGiveUp, 0, kGiveUp},
    {"Command Size Limit Exceeded", 1, 0x83, kNvme, kSplit, kForever, kAbandon},
    {"Incompatible Namespace or Format", 1, 0x85, kNvme, kAbandon, 1, kAbandon},
    {"Fast Copy Not Possible", 1, 0x86, kNvme, kEmulate, 1, kEmulate},
    {"Overlapping I/O Range", 1, 0x87, kNvme, kGiveUp, 0, kGiveUp},
    {"Namespace Not Reachable", 1, 0x88, kNvme, kEmulate, 1, kEmulate},
    {"Insufficient Resources", 1, 0x89, kNvme, kRetry, 2, kEmulate},
    {"Zoned Boundary Error", 1, 0xb8, kNvme, kGiveUp, 0, kGiveUp},
    {"Zone Is Full", 1, 0xb9, kNvme, kRereadZone, 1, kGiveUp},
    {"Zone Is Read Only", 1, 0xba, kNvme, kGiveUp, 0, kGiveUp},
    {"Zone Is Offline", 1, 0xbb, kNvme, kGiveUp, 0, kGiveUp},
    {"Zone Invalid Write", 1, 0xbc, kNvme, kRereadZone, 2, kGiveUp},
    {"Too Many Active Zones", 1, 0xbd, kNvme, kGiveUp, 0, kGiveUp},
    {"Too Many Open Zones", 1, 0xbe, kNvme, kRetry, 2, kGiveUp},
    // Media and data integrity errors. Host reads correct more patiently than a copy may; but what
    // fails a check must not get through without it.
    {"Write Fault", 2, 0x80, kNvme, kEmulate, 1, kEmulate},
    {"Unrecovered Read Error", 2, 0x81, kNvme, kEmulate, 1, kEmulate},
    {"End-to-end Guard Check Error", 2, 0x82, kNvme, kGiveUp, 0, kGiveUp},
    {"End-to-end Application Tag Check Error", 2, 0x83, kNvme, kGiveUp, 0, kGiveUp},
    {"End-to-end Reference Tag Check Error", 2, 0x84, kNvme, kGiveUp, 0, kGiveUp},
    {"Access Denied", 2, 0x86, kNvme, kGiveUp, 0, kGiveUp},
    {"Deallocated or Unwritten Logical Block", 2, 0x87, kNvme, kEmulate, 1, kEmulate},
    // Path related status.
    {"Internal Path Error", 3, 0x00, kNvme, kRetry, 2, kEmulate},
    {"Asymmetric Access Persistent Loss", 3, 0x01, kNvme, kGiveUp, 0, kGiveUp},
    {"Asymmetric Access Inaccessible", 3, 0x02, kNvme, kRetry, 2, kGiveUp},
    {"Asymmetric Access Transition", 3, 0x03, kNvme, kRetry, 4, kGiveUp},
    {"Controller Pathing Error", 3, 0x60, kNvme, kRetry, 2, kEmulate},
    {"Host Pathing Error", 3, 0x70, kNvme, kRetry, 2, kEmulate},
    {"Command Aborted By Host", 3, 0x71, kNvme, kRetry, 1, kEmulate},
    // Backends without an NVMe status.
    {"unavailable", 0, 0, StatusCode::kUnavailable, kRetry, 2, kEmulate},
    {"deadline exceeded", 0, 0, StatusCode::kDeadlineExceeded, kRetry, 1, kEmulate},
    {"aborted", 0, 0, StatusCode::kAborted, kRetry, 2, kEmulate},
    {"data loss", 0, 0, StatusCode::kDataLoss, kEmulate, 1, kEmulate},
    {"invalid argument", 0, 0, StatusCode::kInvalidArgument, kSplit, kForever, kAbandon},
    {"unimplemented", 0, 0, StatusCode::kUnimplemented, kAbandon, 1, kAbandon},
    {"failed precondition", 0, 0, StatusCode::kFailedPrecondition, kRereadZone, 2,
     kGiveUp},
    {"out of range", 0, 0, StatusCode::kOutOfRange, kGiveUp, 0, kGiveUp},
    {"permission denied", 0, 0, StatusCode::kPermissionDenied, kGiveUp, 0, kGiveUp},
    {"not found", 0, 0, StatusCode::kNotFound, kGiveUp, 0, kGiveUp},
    {"resource exhausted", 0, 0, StatusCode::kResourceExhausted, kGiveUp, 0, kGiveUp},
    // What is not listed.
    {"another NVMe status", 0, 0, kNvme, kRetry, 1, kEmulate},
    {"another error", 0, 0, StatusCode::kUnknown, kEmulate, 1, kEmulate},
};

}  // namespace

absl::string_view RecoveryActionName(RecoveryAction action) {
  switch (action) {
    case kRetry:
      return "retry";
    case kSplit:
      return "split";
    case kRereadZone:
      return "re-read the zone";
    case kEmulate:
      return "emulate";
    case kAbandon:
      return "abandon native copy";
    case kGiveUp:
      return "give up";
  }
  return "unknown";
}

absl::Span<const RecoveryRule> RecoveryRules() { return kRules; }

const RecoveryRule& RecoveryRuleFor(const OpResult& failed) {
  const NvmeStatus& nvme = failed.nvme;
  const bool is_nvme = nvme.type != 0 || nvme.code != 0;
  for (const RecoveryRule& rule : kRules) {
    const bool for_nvme = rule.type != 0 || rule.code != 0;
    const bool matches =
        is_nvme ? for_nvme && rule.type == nvme.type && rule.code == nvme.code
                : !for_nvme && rule.status == failed.status.code();
    if (matches) return rule;
  }
  const size_t rules = std::size(kRules);
  return kRules[is_nvme ? rules - 2 : rules - 1];
}

RecoveryAction RecoveryFor(const OpResult& failed, int attempt) {
  const RecoveryRule& rule = RecoveryRuleFor(failed);
  const bool pointless =
      rule.action == RecoveryAction::kRetry && failed.nvme.do_not_retry;
  if (pointless || (rule.attempts != kUnlimitedAttempts && attempt > rule.attempts))
    return rule.otherwise;
  return rule.action;
}

RecoveryAction HostRecoveryFor(const OpResult& failed, int attempt) {
  const RecoveryAction action = RecoveryFor(failed, attempt);
  const bool again =
      action == RecoveryAction::kRetry || action == RecoveryAction::kRereadZone;
  return again ? action : RecoveryAction::kGiveUp;
}

}  // namespace gleaner
