// What the copy engine does when a Copy command fails, or a read or write of an emulated copy: a
// table of the reasons that a device may give, as data. Pure.
//
//   const RecoveryRule& rule = RecoveryRuleFor(result);
//   if (result.nvme.do_not_retry || attempts == rule.attempts) action = rule.otherwise;
//
// Facts: NVM Command Set Specification 1.0, "Copy command" and "Status Field Definition"; which
// statuses pass by themselves is the Do Not Retry bit's business, and where a device sets none, the
// rule's.
//
// Thread-safe: constants only.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "device/device.h"

namespace gleaner {

enum class RecoveryAction : uint8_t {
  // The same again, from the lowest range that was not copied.
  kRetry,
  // The command was too large for the device, whatever it reported: learn a smaller limit, and
  // send the rest in smaller commands. One block in one range cannot be split: then kAbandon.
  kSplit,
  // Ask the zone how far it was written, and go on from there.
  kRereadZone,
  // Just this command's rest by host reads and writes.
  kEmulate,
  // The same, and this device is not asked to copy again.
  kAbandon,
  // The error is the caller's: host reads and writes would fail as well, or would hide damage.
  kGiveUp,
};

// "retry", "split", ...: for messages and tests.
absl::string_view RecoveryActionName(RecoveryAction action);

struct RecoveryRule {
  absl::string_view
      name;      // in the specification's words, or what a backend without NVMe says
  uint8_t type;  // NVMe status code type and code; both zero: matched by `status`
  uint8_t code;
  absl::StatusCode status;  // of a backend without an NVMe status; else kOk
  RecoveryAction action;
  // How often it is tried for one command, before `otherwise`. Zero where trying again is
  // pointless; without a limit (kUnlimited) where each attempt gets on or shrinks.
  uint8_t attempts;
  RecoveryAction otherwise;
};

constexpr uint8_t kUnlimitedAttempts = 255;

// All rules; the last two stand for statuses that are not listed: with an NVMe status, and without.
absl::Span<const RecoveryRule> RecoveryRules();

// The rule for a failed copy.
const RecoveryRule& RecoveryRuleFor(const OpResult& failed);

// What to do now that a copy has failed for the `attempt`-th time by its rule (from 1).
RecoveryAction RecoveryFor(const OpResult& failed, int attempt);

// The same for a read or write: what passes by itself is tried again as often as a copy would be
// (kRetry, kRereadZone). Nothing else could be done instead: all the rest is kGiveUp, so that
// what a device says is lost or forbidden stays so.
RecoveryAction HostRecoveryFor(const OpResult& failed, int attempt);

}  // namespace gleaner
