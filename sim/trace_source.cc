#include "sim/trace_source.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "sim/traces/block_numbering.h"

namespace gleaner {
namespace {

constexpr uint32_t kMinBlockBytes = 512;
constexpr uint32_t kMaxBlockBytes = 1 << 30;

// Selects the volume and finds the covered blocks. What remains, the addresses, is the
// job of the two classes below.
class BlockTraceSource : public TraceSource {
 public:
  BlockTraceSource(std::unique_ptr<TraceReader> reader, const TraceSourceOptions& options)
      : reader_(std::move(reader)), options_(options) {}

  absl::StatusOr<size_t> Next(absl::Span<Request> out) final {
    GLEANER_RETURN_IF_ERROR(error_);
    size_t filled = 0;
    while (filled < out.size()) {
      if (cursor_.next == cursor_.end) {
        const auto more = ReadRecord();
        if (!more.ok()) error_ = more.status();
        if (!more.ok() && filled == 0) return error_;
        if (!more.ok() || !*more) break;  // an error comes up with the next call
      }
      const auto n = Map(cursor_, out.subspan(filled));
      if (!n.ok()) {
        error_ = absl::Status(n.status().code(), absl::StrCat(reader_->position(), ": ",
                                                              n.status().message()));
        if (filled == 0) return error_;
        break;
      }
      filled += *n;
    }
    return filled;
  }

  const TraceCounts& counts() const final { return counts_; }

 protected:
  // The blocks [next, end) of the record at hand that are still to be turned into
  // requests.
  struct Cursor {
    uint32_t volume = 0;
    RequestOp op = RequestOp::kWrite;
    uint64_t next = 0;
    uint64_t end = 0;
  };

  // Moves cursor.next on and writes the requests for the blocks it passes; either
  // cursor.next reaches cursor.end or `out` is full afterwards. Errors carry no position.
  virtual absl::StatusOr<size_t> Map(Cursor& cursor, absl::Span<Request> out) = 0;

  const TraceSourceOptions& options() const { return options_; }
  TraceCounts& mutable_counts() { return counts_; }
  absl::string_view volume_name(uint32_t volume) const {
    return reader_->volume_name(volume);
  }

 private:
  // Puts the next record of the chosen volume under the cursor; false at the end.
  absl::StatusOr<bool> ReadRecord() {
    TraceRecord record;
    do {
      GLEANER_ASSIGN_OR_RETURN(const bool more, reader_->Next(&record));
      if (!more) return AtEnd();
    } while (options_.volume.has_value() && !IsChosen(record.volume));
    cursor_.volume = record.volume;
    cursor_.op = record.op;
    cursor_.next = record.offset_bytes / options_.block_bytes;
    cursor_.end =
        (record.offset_bytes + record.length_bytes - 1) / options_.block_bytes + 1;
    CountRequest();
    return true;
  }

  bool IsChosen(uint32_t volume) {
    for (; names_compared_ < reader_->volumes(); ++names_compared_) {
      if (reader_->volume_name(names_compared_) == *options_.volume)
        chosen_ = names_compared_;
    }
    return chosen_ == volume;
  }

  absl::StatusOr<bool> AtEnd() {
    if (!options_.volume.has_value() || chosen_.has_value()) return false;
    constexpr uint32_t kMostNamed = 8;
    std::vector<absl::string_view> names;
    for (uint32_t i = 0; i < std::min(reader_->volumes(), kMostNamed); ++i) {
      names.push_back(reader_->volume_name(i));
    }
    return absl::NotFoundError(absl::StrCat(
        reader_->position(), ": the end, and no request of volume \"", *options_.volume,
        "\"; the trace has ", reader_->volumes(),
        reader_->volumes() == 1 ? " volume: " : " volumes: ", absl::StrJoin(names, ", "),
        reader_->volumes() > kMostNamed ? ", …" : ""));
  }

  void CountRequest() {
    switch (cursor_.op) {
      case RequestOp::kRead:
        ++counts_.reads;
        break;
      case RequestOp::kWrite:
        ++counts_.writes;
        counts_.written_blocks += cursor_.end - cursor_.next;
        break;
      case RequestOp::kTrim:
        ++counts_.trims;
        break;
    }
  }

  const std::unique_ptr<TraceReader> reader_;
  const TraceSourceOptions options_;
  Cursor cursor_;
  TraceCounts counts_;
  uint32_t names_compared_ = 0;     // volumes of the reader whose name was looked at
  std::optional<uint32_t> chosen_;  // the number of options_.volume, once it has occurred
  absl::Status error_;
};

class RenumberingSource : public BlockTraceSource {
 public:
  using BlockTraceSource::BlockTraceSource;

 protected:
  absl::StatusOr<size_t> Map(Cursor& cursor, absl::Span<Request> out) override {
    constexpr uint32_t kRegionBlocks = BlockNumbering::kRegionBlocks;
    size_t filled = 0;
    while (cursor.next < cursor.end) {
      const uint64_t region = cursor.next / kRegionBlocks;
      const uint64_t region_end = std::min(cursor.end, (region + 1) * kRegionBlocks);
      uint32_t* const numbers = cursor.op == RequestOp::kWrite
                                    ? numbering_.FindOrAdd(cursor.volume, region)
                                    : numbering_.Find(cursor.volume, region);
      if (numbers == nullptr) {
        cursor.next = region_end;
        continue;
      }
      for (; cursor.next < region_end; ++cursor.next) {
        uint32_t& number = numbers[cursor.next % kRegionBlocks];
        if (number == BlockNumbering::kNone) {
          if (cursor.op != RequestOp::kWrite) continue;
          GLEANER_ASSIGN_OR_RETURN(number, numbering_.New());
          mutable_counts().footprint_blocks = numbering_.size();
        }
        if (filled > 0 && out[filled - 1].lba + out[filled - 1].blocks == number) {
          ++out[filled - 1].blocks;
          continue;
        }
        if (filled == out.size()) return filled;
        out[filled++] = {number, 1, cursor.op};
      }
    }
    return filled;
  }

 private:
  BlockNumbering numbering_;
};

class AsIsSource : public BlockTraceSource {
 public:
  using BlockTraceSource::BlockTraceSource;

 protected:
  absl::StatusOr<size_t> Map(Cursor& cursor, absl::Span<Request> out) override {
    if (!volume_.has_value()) volume_ = cursor.volume;
    if (*volume_ != cursor.volume) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a second volume, \"", volume_name(cursor.volume), "\" after \"",
          volume_name(*volume_),
          "\": choose one with --trace_volume, or leave --volume_blocks out"));
    }
    if (cursor.end > *options().volume_blocks) {
      return absl::OutOfRangeError(
          absl::StrCat("block ", cursor.end - 1, " is beyond the ",
                       *options().volume_blocks, " blocks of --volume_blocks"));
    }
    out[0] = {cursor.next, static_cast<uint32_t>(cursor.end - cursor.next), cursor.op};
    cursor.next = cursor.end;
    return 1;
  }

 private:
  std::optional<uint32_t> volume_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TraceSource>> TraceSource::Make(
    std::unique_ptr<TraceReader> reader, const TraceSourceOptions& options) {
  const uint32_t bytes = options.block_bytes;
  if (bytes < kMinBlockBytes || bytes > kMaxBlockBytes || (bytes & (bytes - 1)) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a block of ", bytes, " bytes is not a power of two from ",
                     kMinBlockBytes, " to ", kMaxBlockBytes));
  }
  if (!options.volume_blocks.has_value()) {
    return std::make_unique<RenumberingSource>(std::move(reader), options);
  }
  if (*options.volume_blocks == 0) {
    return absl::InvalidArgumentError("a volume of no blocks");
  }
  return std::make_unique<AsIsSource>(std::move(reader), options);
}

absl::StatusOr<TraceCounts> CountTrace(const std::string& path, absl::string_view format,
                                       TraceSourceOptions options) {
  if (!CanBeReadTwice(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " cannot be read twice: give --volume_blocks"));
  }
  options.volume_blocks.reset();
  GLEANER_ASSIGN_OR_RETURN(auto reader, OpenTrace(path, format));
  GLEANER_ASSIGN_OR_RETURN(const auto source,
                           TraceSource::Make(std::move(reader), options));
  std::vector<Request> batch(1024);
  for (;;) {
    GLEANER_ASSIGN_OR_RETURN(const size_t n, source->Next(absl::MakeSpan(batch)));
    if (n == 0) return source->counts();
  }
}

}  // namespace gleaner
