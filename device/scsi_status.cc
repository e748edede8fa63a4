#include "device/scsi_status.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "device/errno_status.h"

namespace gleaner {
namespace {

using Code = absl::StatusCode;
using Key = ScsiSenseKey;

struct Meaning {
  Code code;
  absl::string_view name;
};

// ---- Sense data ----

struct SenseRow {
  uint8_t asc;
  uint8_t ascq;
  Meaning meaning;
};

// What says more than its sense key. Of copies, InvalidArgument is taken for "too large", and
// Unimplemented for "never" (copy_recovery.cc); fields of our commands are all mandatory, so that
// a device that rejects one lacks the command.
constexpr SenseRow kSenses[] = {
    {0x03, 0x00, {Code::kDataLoss, "write fault"}},
    {0x04, 0x01, {Code::kUnavailable, "becoming ready"}},
    {0x04, 0x02, {Code::kUnavailable, "not ready, must be started"}},
    {0x04, 0x04, {Code::kUnavailable, "format in progress"}},
    {0x04, 0x0a, {Code::kUnavailable, "path in transition"}},
    {0x04, 0x0b, {Code::kUnavailable, "path in standby"}},
    {0x04, 0x0c, {Code::kUnavailable, "path unavailable"}},
    {0x04, 0x1b, {Code::kUnavailable, "sanitize in progress"}},
    {0x08, 0x00, {Code::kUnavailable, "logical unit communication failure"}},
    {0x0c, 0x00, {Code::kDataLoss, "write error"}},
    {0x0c, 0x02, {Code::kDataLoss, "write error, reallocation failed"}},
    {0x0d, 0x01, {Code::kUnavailable, "third party device failure"}},
    {0x0d, 0x02, {Code::kUnavailable, "copy target device not reachable"}},
    {0x0d, 0x03, {Code::kUnimplemented, "incorrect copy target device type"}},
    {0x0d, 0x04, {Code::kUnavailable, "copy target device data underrun"}},
    {0x0d, 0x05, {Code::kUnavailable, "copy target device data overrun"}},
    {0x10, 0x01, {Code::kDataLoss, "guard check error"}},
    {0x10, 0x02, {Code::kDataLoss, "application tag check error"}},
    {0x10, 0x03, {Code::kDataLoss, "reference tag check error"}},
    {0x11, 0x00, {Code::kDataLoss, "unrecovered read error"}},
    {0x1a, 0x00, {Code::kInvalidArgument, "parameter list length error"}},
    {0x20, 0x00, {Code::kUnimplemented, "invalid command operation code"}},
    {0x21, 0x00, {Code::kOutOfRange, "LBA out of range"}},
    {0x24, 0x00, {Code::kUnimplemented, "invalid field in command"}},
    {0x25, 0x00, {Code::kUnavailable, "logical unit not supported"}},
    {0x26, 0x00, {Code::kInvalidArgument, "invalid field in parameter list"}},
    {0x26, 0x06, {Code::kUnimplemented, "too many target descriptors"}},
    {0x26, 0x07, {Code::kUnimplemented, "unsupported target descriptor type"}},
    {0x26, 0x08, {Code::kInvalidArgument, "too many segment descriptors"}},
    {0x26, 0x09, {Code::kUnimplemented, "unsupported segment descriptor type"}},
    {0x26, 0x0c, {Code::kUnimplemented, "invalid source or destination of a copy"}},
    {0x26, 0x0d, {Code::kUnimplemented, "copy segment granularity violation"}},
    {0x27, 0x00, {Code::kPermissionDenied, "write protected"}},
    {0x27, 0x07, {Code::kResourceExhausted, "space allocation failed"}},
    {0x3a, 0x00, {Code::kUnavailable, "medium not present"}},
    {0x44, 0x00, {Code::kUnavailable, "internal target failure"}},
    {0x55, 0x03, {Code::kUnavailable, "insufficient resources"}},
};

Meaning MeaningOf(Key key) {
  switch (key) {
    case Key::kNotReady:
      return {Code::kUnavailable, "not ready"};
    case Key::kMediumError:
      return {Code::kDataLoss, "medium error"};
    case Key::kHardwareError:
      return {Code::kDataLoss, "hardware error"};
    case Key::kIllegalRequest:
      return {Code::kInvalidArgument, "illegal request"};
    case Key::kUnitAttention:
      return {Code::kUnavailable, "unit attention"};
    case Key::kDataProtect:
      return {Code::kPermissionDenied, "data protected"};
    case Key::kCopyAborted:
      return {Code::kUnavailable, "copy aborted"};
    case Key::kAbortedCommand:
      return {Code::kUnavailable, "aborted command"};
    case Key::kMiscompare:
      return {Code::kDataLoss, "miscompare"};
    case Key::kNoSense:
    case Key::kRecoveredError:
      break;
  }
  return {Code::kUnavailable, "failed"};
}

Meaning MeaningOf(const ScsiSense& sense) {
  if (sense.key != Key::kUnitAttention) {  // whose codes tell what happened before
    for (const SenseRow& row : kSenses) {
      if (row.asc == sense.asc && row.ascq == sense.ascq) return row.meaning;
    }
  }
  return MeaningOf(sense.key);
}

// ---- Status, of the device and of the adapter ----

constexpr uint8_t kGood = 0x00;
constexpr uint8_t kCheckCondition = 0x02;
constexpr uint8_t kConditionMet = 0x04;
constexpr uint8_t kBusy = 0x08;
constexpr uint8_t kReservationConflict = 0x18;
constexpr uint8_t kTaskSetFull = 0x28;
constexpr uint8_t kTaskAborted = 0x40;

Meaning MeaningOfStatus(uint8_t status) {
  switch (status) {
    case kBusy:
      return {Code::kUnavailable, "busy"};
    case kReservationConflict:
      return {Code::kPermissionDenied, "reservation conflict"};
    case kTaskSetFull:
      return {Code::kUnavailable, "task set full"};
    case kTaskAborted:
      return {Code::kUnavailable, "task aborted"};
    default:
      return {Code::kUnavailable, "failed"};
  }
}

struct HostRow {
  uint16_t host;
  bool passes;  // by itself
  absl::string_view name;
};

constexpr HostRow kHosts[] = {
    {0x01, false, "no connection to the device"},
    {0x02, true, "bus busy"},
    {0x03, false, "timed out"},
    {0x05, false, "aborted"},
    {0x08, true, "reset"},
    {0x0b, true, "soft error"},
    {0x0c, true, "to be retried"},
    {0x0d, true, "to be requeued"},
    {0x0e, true, "transport disrupted"},
    {0x0f, false, "transport failed"},
};

const HostRow* FindHost(uint16_t host) {
  for (const HostRow& row : kHosts) {
    if (row.host == host) return &row;
  }
  return nullptr;
}

// The driver says no more than that there is sense data.
constexpr uint16_t kDriverSense = 0x08;

bool HasSense(const ScsiResult& r) {
  return r.sense.valid && (r.status == kCheckCondition || r.driver == kDriverSense);
}

bool WasRecovered(const ScsiSense& sense) {
  return sense.key == Key::kNoSense || sense.key == Key::kRecoveredError;
}

}  // namespace

bool Succeeded(const ScsiResult& r) {
  if (r.error != 0 || r.host != 0 || (r.driver & ~kDriverSense) != 0 ||
      r.untransferred_bytes != 0)
    return false;
  if (HasSense(r)) {
    return !r.sense.deferred && WasRecovered(r.sense);
  }
  return r.status == kGood || r.status == kConditionMet;
}

ScsiRetry RetryOf(const ScsiResult& r) {
  if (r.error != 0) return ScsiRetry::kNo;
  if (r.host != 0) {
    const HostRow* row = FindHost(r.host);
    return row != nullptr && row->passes ? ScsiRetry::kLater : ScsiRetry::kNo;
  }
  if (HasSense(r)) {
    const ScsiSense& sense = r.sense;
    // This command was not executed; an earlier one is done after all, or its data is lost.
    if (sense.deferred) return WasRecovered(sense) ? ScsiRetry::kAtOnce : ScsiRetry::kNo;
    if (sense.key == Key::kUnitAttention) return ScsiRetry::kAtOnce;
    if (sense.key == Key::kAbortedCommand && sense.asc != 0x10) return ScsiRetry::kAtOnce;
    const bool passes = sense.asc == 0x04 && (sense.ascq == 0x01 || sense.ascq == 0x0a);
    return sense.key == Key::kNotReady && passes ? ScsiRetry::kLater : ScsiRetry::kNo;
  }
  if (r.status == kTaskAborted) return ScsiRetry::kAtOnce;
  return r.status == kBusy || r.status == kTaskSetFull ? ScsiRetry::kLater
                                                       : ScsiRetry::kNo;
}

absl::Status ScsiStatus(const ScsiResult& r, absl::string_view what) {
  if (r.error != 0) return ErrnoStatus(r.error, what);
  if (r.host != 0 || (r.driver & ~kDriverSense) != 0) {
    const HostRow* row = FindHost(r.host);
    return absl::UnavailableError(absl::StrFormat(
        "%s: %s (SCSI host status %02xh, driver status %02xh)", what,
        row == nullptr ? "failed on the way" : row->name, r.host, r.driver));
  }
  if (HasSense(r)) {
    const Meaning meaning = MeaningOf(r.sense);
    const bool lost = r.sense.deferred && meaning.code == Code::kUnavailable;
    return absl::Status(
        lost ? Code::kDataLoss : meaning.code,
        absl::StrFormat("%s: %s%s (SCSI sense %xh/%02xh/%02xh)", what,
                        r.sense.deferred ? "an earlier command has failed: " : "",
                        meaning.name, static_cast<int>(r.sense.key), r.sense.asc,
                        r.sense.ascq));
  }
  if (r.status == kGood) {
    return absl::UnavailableError(
        absl::StrCat(what, ": ", r.untransferred_bytes, " bytes were not transferred"));
  }
  const Meaning meaning = MeaningOfStatus(r.status);
  return absl::Status(meaning.code, absl::StrFormat("%s: %s (SCSI status %02xh)", what,
                                                    meaning.name, r.status));
}

bool Answered(const ScsiResult& r) {
  return r.error == 0 && r.host == 0 && (HasSense(r) || r.status != kGood);
}

bool HasTooManyRanges(const ScsiResult& r) {
  return HasSense(r) && !r.sense.deferred && r.sense.asc == 0x26 && r.sense.ascq == 0x08;
}

uint32_t RangesCopied(const ScsiResult& r) {
  return HasSense(r) && !r.sense.deferred ? r.sense.segment : 0;
}

}  // namespace gleaner
