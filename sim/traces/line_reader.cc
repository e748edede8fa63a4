#include "sim/traces/line_reader.h"

#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace gleaner {
namespace {

constexpr size_t kBufferBytes = 128 << 10;
static_assert(kBufferBytes > LineReader::kMaxLineBytes,
              "a longest line and one byte more fit");

}  // namespace

LineReader::LineReader(std::unique_ptr<ByteStream> stream, absl::string_view name)
    : stream_(std::move(stream)),
      name_(name),
      buffer_(std::make_unique_for_overwrite<char[]>(kBufferBytes)) {}

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path) {
  const absl::string_view name = path == "-" ? "<stdin>" : absl::string_view(path);
  auto stream = OpenByteStream(path);
  if (!stream.ok()) {
    return absl::Status(stream.status().code(),
                        absl::StrCat(name, ": ", stream.status().message()));
  }
  return absl::WrapUnique(new LineReader(*std::move(stream), name));
}

std::unique_ptr<LineReader> LineReader::FromMemory(absl::string_view contents,
                                                   absl::string_view name) {
  return absl::WrapUnique(new LineReader(MakeMemoryByteStream(contents), name));
}

void LineReader::Fill() {
  GLEANER_DCHECK(!ended_);
  if (end_ == kBufferBytes) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  GLEANER_CHECK(end_ < kBufferBytes);
  const auto n = stream_->Read(absl::MakeSpan(buffer_.get() + end_, kBufferBytes - end_));
  if (!n.ok()) {
    error_ = n.status();
    ended_ = true;
    return;
  }
  end_ += *n;
  ended_ = *n == 0;
}

absl::StatusOr<bool> LineReader::NextLine(absl::string_view* line) {
  size_t searched = 0;
  for (;;) {
    const size_t available = end_ - begin_;
    const char* start = buffer_.get() + begin_;
    const void* newline = std::memchr(start + searched, '\n', available - searched);
    if (newline != nullptr)
      return TakeLine(static_cast<const char*>(newline) - start, 1, line);
    if (available > kMaxLineBytes) return TakeLine(available, 0, line);
    if (ended_) {
      if (error_.ok() && available > 0) return TakeLine(available, 0, line);
      ++position_;  // the error is in the line that cannot be read
      if (!error_.ok()) return Annotate(error_);
      --position_;
      return false;
    }
    searched = available;
    Fill();
  }
}

absl::StatusOr<bool> LineReader::TakeLine(size_t bytes, size_t terminator_bytes,
                                          absl::string_view* line) {
  *line = absl::string_view(buffer_.get() + begin_, bytes);
  begin_ += bytes + terminator_bytes;
  ++position_;
  if (!line->empty() && line->back() == '\r') line->remove_suffix(1);
  if (std::memchr(line->data(), '\0', line->size()) != nullptr) {
    return Annotate(
        absl::InvalidArgumentError("binary data (a NUL byte) where text is expected"));
  }
  if (bytes > kMaxLineBytes) {
    return Annotate(absl::InvalidArgumentError(absl::StrCat(
        "a line longer than ", kMaxLineBytes, " bytes: this is not a trace")));
  }
  return true;
}

absl::StatusOr<bool> LineReader::NextRecord(size_t bytes, absl::string_view* record) {
  GLEANER_DCHECK(bytes > 0 && bytes <= kMaxLineBytes);
  records_ = true;
  while (end_ - begin_ < bytes && !ended_) Fill();
  const size_t available = end_ - begin_;
  if (available == 0 && error_.ok()) return false;
  ++position_;
  if (available < bytes) {
    return Annotate(error_.ok()
                        ? absl::DataLossError(absl::StrCat(
                              "the last record has ", available, " of ", bytes, " bytes"))
                        : error_);
  }
  *record = absl::string_view(buffer_.get() + begin_, bytes);
  begin_ += bytes;
  return true;
}

absl::string_view LineReader::Peek() {
  while (end_ - begin_ < kMaxLineBytes && !ended_) Fill();
  return absl::string_view(buffer_.get() + begin_, end_ - begin_);
}

std::string LineReader::Position() const {
  if (position_ == 0) return name_;
  return absl::StrCat(name_, records_ ? ":record " : ":", position_);
}

absl::Status LineReader::Annotate(const absl::Status& status) const {
  return absl::Status(status.code(), absl::StrCat(Position(), ": ", status.message()));
}

}  // namespace gleaner
