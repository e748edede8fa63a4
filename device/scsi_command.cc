#include "device/scsi_command.h"

#include <scsi/sg.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace gleaner {
namespace {

constexpr int kMaxTries = 5;

int DirectionOf(ScsiTransfer transfer) {
  switch (transfer) {
    case ScsiTransfer::kToDevice:
      return SG_DXFER_TO_DEV;
    case ScsiTransfer::kFromDevice:
      return SG_DXFER_FROM_DEV;
    case ScsiTransfer::kNone:
      break;
  }
  return SG_DXFER_NONE;
}

ScsiResult RunOnce(int fd, const ScsiCommand& command) {
  std::array<uint8_t, 96> sense = {};
  ScsiCommand sent = command;
  sg_io_hdr_t header = {};
  header.interface_id = 'S';
  header.dxfer_direction = DirectionOf(command.transfer);
  header.cmd_len = command.cdb_bytes;
  header.cmdp = sent.cdb.data();
  header.mx_sb_len = sense.size();
  header.sbp = sense.data();
  header.dxfer_len = command.data_bytes;
  header.dxferp = command.data;
  header.timeout = command.timeout_ms;
  ScsiResult result;
  if (ioctl(fd, SG_IO, &header) < 0) {
    result.error = errno;
    return result;
  }
  result.status = header.status;
  result.host = header.host_status;
  result.driver = header.driver_status & 0xf;  // above: what the driver suggests
  if (!command.may_be_short && header.resid > 0)
    result.untransferred_bytes = static_cast<uint32_t>(header.resid);
  result.sense =
      DecodeSense({sense.data(), std::min<size_t>(header.sb_len_wr, sense.size())});
  return result;
}

// Questions to one device, all answered to the same page.
class Questions {
 public:
  Questions(int fd, const std::string& path) : fd_(fd), path_(path) {}

  // What every device must answer. `encode` makes a command of a page.
  template <typename Encode>
  absl::Status Ask(absl::string_view what, Encode encode) {
    const ScsiResult result = Run(encode);
    return Succeeded(result) ? absl::OkStatus() : Explain(result, what);
  }
  // What some do not know, or the kernel lets nobody ask: false, and a page of zeroes.
  template <typename Encode>
  absl::StatusOr<bool> AskIfKnown(absl::string_view what, Encode encode) {
    const ScsiResult result = Run(encode);
    if (Succeeded(result)) return true;
    page_.fill(0);
    const bool refused =
        result.error == 0 && result.sense.key == ScsiSenseKey::kIllegalRequest;
    if (refused || result.error == EPERM) return false;
    return Explain(result, what);
  }
  const ScsiPage& page() const { return page_; }

 private:
  template <typename Encode>
  ScsiResult Run(Encode encode) {
    page_.fill(0);
    return RunScsiCommand(fd_, encode(page_));
  }

  absl::Status Explain(const ScsiResult& result, absl::string_view what) const {
    if (result.error == ENOTTY || result.error == EINVAL) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_,
                       " does not take SCSI commands; name a disk, such as "
                       "/dev/sda or /dev/sg0"));
    }
    if (result.error == EACCES || result.error == EPERM) {
      return absl::PermissionDeniedError(absl::StrCat(
          path_, ": ", what, ": not permitted; run as root (CAP_SYS_RAWIO)"));
    }
    return ScsiStatus(result, absl::StrCat(path_, ": ", what));
  }

  const int fd_;
  const std::string& path_;
  ScsiPage page_ = {};
};

absl::Status CheckType(const ScsiInquiry& inquiry, const std::string& path) {
  if (inquiry.qualifier != 0)
    return absl::UnavailableError(absl::StrCat(path, ": no device is connected"));
  if (inquiry.type == static_cast<uint8_t>(ScsiDeviceType::kZonedDisk)) {
    return absl::UnimplementedError(absl::StrCat(
        path, " is a host-managed zoned SCSI disk (ZBC), which Gleaner cannot drive"));
  }
  if (inquiry.type != static_cast<uint8_t>(ScsiDeviceType::kDisk)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s is no SCSI disk, but a device of type %02xh (%s %s)", path,
                        inquiry.type, inquiry.vendor, inquiry.product));
  }
  return absl::OkStatus();
}

absl::Status ReadVitalPages(Questions& questions, ScsiIdentity& identity) {
  using Page = ScsiVitalPage;
  const auto ask = [&](Page page) {
    return questions.AskIfKnown(
        "inquiry", [page](ScsiPage& answer) { return EncodeVitalPage(page, answer); });
  };
  GLEANER_RETURN_IF_ERROR(ask(Page::kSupported).status());
  const ScsiPage supported = questions.page();
  // Where a page is not known after all, zeroes decode to nothing.
  const auto read = [&](Page page) -> absl::Status {
    if (!HasVitalPage(supported, page)) return absl::OkStatus();
    GLEANER_RETURN_IF_ERROR(ask(page).status());
    switch (page) {
      case Page::kSerialNumber:
        identity.serial_number = DecodeSerialNumber(questions.page());
        break;
      case Page::kIdentification:
        identity.designator = DecodeDesignator(questions.page());
        break;
      case Page::kBlockLimits:
        identity.limits = DecodeBlockLimits(questions.page());
        break;
      case Page::kProvisioning:
        identity.provisioning = DecodeProvisioning(questions.page());
        break;
      case Page::kSupported:
        break;
    }
    return absl::OkStatus();
  };
  for (Page page : {Page::kSerialNumber, Page::kIdentification, Page::kBlockLimits,
                    Page::kProvisioning}) {
    GLEANER_RETURN_IF_ERROR(read(page));
  }
  return absl::OkStatus();
}

absl::Status ReadMode(Questions& questions, ScsiIdentity& identity) {
  GLEANER_ASSIGN_OR_RETURN(const bool longer,
                           questions.AskIfKnown("mode sense", EncodeModeSense10));
  if (longer) {
    identity.mode = DecodeModeSense10(questions.page());
    return absl::OkStatus();
  }
  GLEANER_ASSIGN_OR_RETURN(const bool shorter,
                           questions.AskIfKnown("mode sense", EncodeModeSense6));
  if (shorter) identity.mode = DecodeModeSense6(questions.page());
  return absl::OkStatus();
}

absl::Status ReadCopyParameters(Questions& questions, ScsiIdentity& identity) {
  if (!identity.inquiry.third_party_copy) {
    identity.why_no_copy = "it offers no third-party copy";
  } else if (!identity.designator.has_value()) {
    identity.why_no_copy = "it has no designator by which a copy could name it";
  } else {
    GLEANER_ASSIGN_OR_RETURN(const bool known,
                             questions.AskIfKnown("receive copy operating parameters",
                                                  EncodeReceiveCopyParameters));
    if (known) {
      identity.copy = DecodeCopyParameters(questions.page());
      return absl::OkStatus();
    }
    identity.why_no_copy = "it does not tell the limits of its copies";
  }
  identity.designator.reset();
  return absl::OkStatus();
}

}  // namespace

ScsiResult RunScsiCommand(int fd, const ScsiCommand& command) {
  ScsiResult result;
  for (int i = 0; i < kMaxTries; ++i) {
    result = RunOnce(fd, command);
    if (Succeeded(result) || RetryOf(result) != ScsiRetry::kAtOnce) break;
  }
  return result;
}

absl::StatusOr<ScsiIdentity> IdentifyScsi(int fd, const std::string& path) {
  Questions questions(fd, path);
  ScsiIdentity identity;
  GLEANER_RETURN_IF_ERROR(questions.Ask("inquiry", EncodeInquiry));
  identity.inquiry = DecodeInquiry(questions.page());
  GLEANER_RETURN_IF_ERROR(CheckType(identity.inquiry, path));
  GLEANER_RETURN_IF_ERROR(questions.Ask("read capacity", EncodeReadCapacity));
  identity.capacity = DecodeCapacity(questions.page());
  GLEANER_RETURN_IF_ERROR(ReadVitalPages(questions, identity));
  GLEANER_RETURN_IF_ERROR(ReadMode(questions, identity));
  GLEANER_RETURN_IF_ERROR(ReadCopyParameters(questions, identity));
  return identity;
}

}  // namespace gleaner
