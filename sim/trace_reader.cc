#include "sim/trace_reader.h"

#include <sys/stat.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "sim/traces/line_reader.h"
#include "sim/traces/trace_format.h"

namespace gleaner {
namespace {

class FormatTraceReader : public TraceReader {
 public:
  FormatTraceReader(std::unique_ptr<LineReader> input, const TraceFormat& format)
      : input_(std::move(input)), format_(format.name), parser_(format.make()) {}

  absl::StatusOr<bool> Next(TraceRecord* record) override {
    if (!error_.ok()) return error_;
    auto more = parser_->Next(*input_, volumes_, record);
    if (more.ok() && !*more && volumes_.size() == 0) {
      more = input_->Annotate(absl::InvalidArgumentError(
          absl::StrCat("the end, and no request in this ", format_, " trace")));
    }
    if (!more.ok()) error_ = more.status();
    return more;
  }

  absl::string_view format() const override { return format_; }
  uint32_t volumes() const override { return volumes_.size(); }
  absl::string_view volume_name(uint32_t volume) const override {
    return volumes_.name(volume);
  }
  std::string position() const override { return input_->Position(); }

 private:
  const std::unique_ptr<LineReader> input_;
  const absl::string_view format_;
  const std::unique_ptr<TraceParser> parser_;
  VolumeNames volumes_;
  absl::Status error_;
};

absl::StatusOr<std::unique_ptr<TraceReader>> OpenInput(std::unique_ptr<LineReader> input,
                                                       absl::string_view format_name) {
  const TraceFormat* format;
  if (format_name != "auto") {
    GLEANER_ASSIGN_OR_RETURN(format, FindTraceFormat(format_name));
  } else {
    const absl::string_view head = input->Peek();
    if (head.empty()) {
      GLEANER_RETURN_IF_ERROR(input->PendingError());
      return input->Annotate(absl::InvalidArgumentError("an empty file is not a trace"));
    }
    const auto detected = DetectTraceFormat(head);
    if (!detected.ok()) {
      GLEANER_RETURN_IF_ERROR(input->PendingError());  // damage explains it better
      return input->Annotate(detected.status());
    }
    format = *detected;
  }
  return std::make_unique<FormatTraceReader>(std::move(input), *format);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TraceReader>> OpenTrace(const std::string& path,
                                                       absl::string_view format) {
  GLEANER_ASSIGN_OR_RETURN(auto input, LineReader::Open(path));
  return OpenInput(std::move(input), format);
}

absl::StatusOr<std::unique_ptr<TraceReader>> OpenTraceFromMemory(
    absl::string_view contents, absl::string_view name, absl::string_view format) {
  return OpenInput(LineReader::FromMemory(contents, name), format);
}

bool CanBeReadTwice(const std::string& path) {
  if (path == "-") return false;
  struct stat st;
  return stat(path.c_str(), &st) != 0 || S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ||
         S_ISDIR(st.st_mode);
}

std::vector<absl::string_view> TraceFormatNames() {
  std::vector<absl::string_view> names;
  for (const TraceFormat& format : TraceFormats()) names.push_back(format.name);
  return names;
}

}  // namespace gleaner
