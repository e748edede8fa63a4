#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/nearest_name.h"
#include "base/status_macros.h"
#include "sim/traces/fields.h"
#include "sim/traces/trace_format.h"

namespace gleaner {
namespace {

constexpr TraceFormat kFormats[] = {
    {"alibaba", MakeAlibabaParser}, {"tencent", MakeTencentParser},
    {"msr", MakeMsrParser},         {"spc", MakeSpcParser},
    {"fio", MakeFioParser},         {"blkparse", MakeBlkparseParser},
    {"ftrace", MakeFtraceParser},   {"vscsi", MakeVscsiParser},
    {"mqsim", MakeMqsimParser},     {"csv", MakeCsvParser},
};

std::vector<absl::string_view> Names(absl::Span<const TraceFormat* const> formats) {
  std::vector<absl::string_view> names;
  for (const TraceFormat* format : formats) names.push_back(format->name);
  return names;
}

std::vector<absl::string_view> AllNames() {
  std::vector<absl::string_view> names;
  for (const TraceFormat& format : kFormats) names.push_back(format.name);
  return names;
}

// Error: the format's parser does not take `head`. False: it does, but there is no
// request.
absl::StatusOr<bool> Try(const TraceFormat& format, absl::string_view head) {
  const auto input = LineReader::FromMemory(head, "");
  VolumeNames volumes;
  TraceRecord record;
  return format.make()->Next(*input, volumes, &record);
}

}  // namespace

absl::StatusOr<uint32_t> VolumeNames::Intern(absl::string_view name) {
  if (last_ < names_.size() && *names_[last_] == name) return last_;
  const auto [it, is_new] = numbers_.try_emplace(name, size());
  if (is_new) {
    if (size() == kMaxVolumes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("more than ", kMaxVolumes, " volumes"));
    }
    names_.push_back(std::make_unique<const std::string>(name));
  }
  last_ = it->second;
  return last_;
}

absl::StatusOr<bool> LineParser::Next(LineReader& input, VolumeNames& volumes,
                                      TraceRecord* record) {
  absl::string_view line;
  for (;;) {
    GLEANER_ASSIGN_OR_RETURN(const bool more, input.NextLine(&line));
    if (!more) return false;
    if (TrimBlanks(line).empty()) continue;
    const auto is_record = ParseLine(line, volumes, record);
    if (!is_record.ok()) return input.Annotate(is_record.status());
    if (*is_record) return true;
  }
}

absl::Span<const TraceFormat> TraceFormats() { return kFormats; }

absl::StatusOr<const TraceFormat*> FindTraceFormat(absl::string_view name) {
  for (const TraceFormat& format : kFormats) {
    if (format.name == name) return &format;
  }
  return UnknownNameError("trace format", name, AllNames());
}

absl::StatusOr<const TraceFormat*> DetectTraceFormat(absl::string_view head) {
  std::vector<const TraceFormat*> with_request;
  std::vector<const TraceFormat*> without_request;
  for (const TraceFormat& format : kFormats) {
    const auto found = Try(format, head);
    if (!found.ok()) continue;
    (*found ? with_request : without_request).push_back(&format);
  }
  const auto& candidates = with_request.empty() ? without_request : with_request;
  if (candidates.size() == 1) return candidates.front();
  const std::string reason =
      !candidates.empty()
          ? absl::StrCat("this could be ", absl::StrJoin(Names(candidates), " or "))
      : absl::StrContains(head, '\0')
          ? "binary data of no known trace format"
          : absl::StrCat("no known trace format begins with ",
                         Quoted(head.substr(0, head.find('\n'))));
  return absl::InvalidArgumentError(absl::StrCat(reason, "; choose --trace_format from ",
                                                 absl::StrJoin(AllNames(), ", ")));
}

}  // namespace gleaner
