#include "sim/traces/byte_stream.h"

#include <fcntl.h>
#include <unistd.h>
#define ZLIB_CONST  // z_stream::next_in takes const bytes
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace gleaner {
namespace {

constexpr size_t kChunkBytes = 128 << 10;

// The stored bytes, chunk by chunk; an empty chunk is the end.
class RawInput {
 public:
  virtual ~RawInput() = default;
  virtual absl::StatusOr<absl::string_view> NextChunk() = 0;
};

class MemoryInput : public RawInput {
 public:
  explicit MemoryInput(absl::string_view contents) : contents_(contents) {}
  absl::StatusOr<absl::string_view> NextChunk() override {
    return std::exchange(contents_, absl::string_view());
  }

 private:
  absl::string_view contents_;
};

class FileInput : public RawInput {
 public:
  FileInput(int fd, bool owned) : fd_(fd), owned_(owned), buffer_(kChunkBytes) {}
  ~FileInput() override {
    if (owned_) close(fd_);
  }

  // Whole chunks even from a pipe: the first one must be long enough to tell what it is.
  absl::StatusOr<absl::string_view> NextChunk() override {
    size_t filled = 0;
    while (filled < buffer_.size()) {
      const ssize_t n = read(fd_, buffer_.data() + filled, buffer_.size() - filled);
      if (n == 0) break;
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return absl::ErrnoToStatus(errno, "cannot read");
      filled += n;
    }
    return absl::string_view(buffer_.data(), filled);
  }

 private:
  const int fd_;
  const bool owned_;
  std::vector<char> buffer_;
};

class PlainStream : public ByteStream {
 public:
  PlainStream(std::unique_ptr<RawInput> input, absl::string_view first)
      : input_(std::move(input)), chunk_(first) {}

  absl::StatusOr<size_t> Read(absl::Span<char> out) override {
    if (chunk_.empty()) {
      GLEANER_ASSIGN_OR_RETURN(chunk_, input_->NextChunk());
    }
    const size_t n = chunk_.copy(out.data(), out.size());
    chunk_.remove_prefix(n);
    return n;
  }

 private:
  std::unique_ptr<RawInput> input_;
  absl::string_view chunk_;
};

// What the two decoders share: input is fed until output appears; a frame or member may
// follow another; the input may end only between two of them.
class DecodingStream : public ByteStream {
 public:
  DecodingStream(std::unique_ptr<RawInput> input, absl::string_view first)
      : input_(std::move(input)), chunk_(first) {}

  absl::StatusOr<size_t> Read(absl::Span<char> out) final {
    for (;;) {
      if (chunk_.empty() && !input_ended_) {
        GLEANER_ASSIGN_OR_RETURN(chunk_, input_->NextChunk());
        input_ended_ = chunk_.empty();
      }
      if (input_ended_ && between_frames_) return 0;
      const size_t input_before = chunk_.size();
      GLEANER_ASSIGN_OR_RETURN(const size_t produced,
                               Decode(out, &chunk_, &between_frames_));
      if (produced > 0) return produced;
      if (between_frames_) continue;
      if (input_ended_ || chunk_.size() == input_before) {
        return absl::DataLossError("the compressed data is truncated");
      }
    }
  }

 protected:
  // Decodes from the front of `*chunk`, which it shortens, into `out`; returns how many
  // bytes it wrote, and whether a frame has just ended. Called with an empty chunk at the
  // input's end.
  virtual absl::StatusOr<size_t> Decode(absl::Span<char> out, absl::string_view* chunk,
                                        bool* frame_ended) = 0;

 private:
  std::unique_ptr<RawInput> input_;
  absl::string_view chunk_;
  bool input_ended_ = false;
  bool between_frames_ = false;
};

class GzipStream : public DecodingStream {
 public:
  GzipStream(std::unique_ptr<RawInput> input, absl::string_view first)
      : DecodingStream(std::move(input), first) {
    std::memset(&zlib_, 0, sizeof(zlib_));
    usable_ =
        inflateInit2(&zlib_, MAX_WBITS + 16) == Z_OK;  // + 16: a gzip header, no other
  }
  ~GzipStream() override { inflateEnd(&zlib_); }

 protected:
  absl::StatusOr<size_t> Decode(absl::Span<char> out, absl::string_view* chunk,
                                bool* frame_ended) override {
    if (!usable_) return absl::ResourceExhaustedError("no memory to decompress gzip");
    if (std::exchange(restart_, false)) inflateReset(&zlib_);
    const size_t given =
        std::min<size_t>(chunk->size(), 1u << 30);  // zlib counts in 32 bits
    const size_t room = std::min<size_t>(out.size(), 1u << 30);
    zlib_.next_in = reinterpret_cast<const Bytef*>(chunk->data());
    zlib_.avail_in = given;
    zlib_.next_out = reinterpret_cast<Bytef*>(out.data());
    zlib_.avail_out = room;
    const int result = inflate(&zlib_, Z_NO_FLUSH);
    chunk->remove_prefix(given - zlib_.avail_in);
    const size_t produced = room - zlib_.avail_out;
    *frame_ended = restart_ = result == Z_STREAM_END;
    if (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR)
      return produced;
    if (produced > 0)
      return produced;  // good so far; zlib repeats the error when called again
    return absl::DataLossError(absl::StrCat(
        "the gzip data is damaged", zlib_.msg ? absl::StrCat(": ", zlib_.msg) : ""));
  }

 private:
  z_stream zlib_;
  bool usable_ = false;
  bool restart_ = false;  // a member has ended; another may follow
};

class ZstdStream : public DecodingStream {
 public:
  ZstdStream(std::unique_ptr<RawInput> input, absl::string_view first)
      : DecodingStream(std::move(input), first), zstd_(ZSTD_createDStream()) {}
  ~ZstdStream() override { ZSTD_freeDStream(zstd_); }

 protected:
  absl::StatusOr<size_t> Decode(absl::Span<char> out, absl::string_view* chunk,
                                bool* frame_ended) override {
    if (zstd_ == nullptr) return absl::ResourceExhaustedError("no memory for Zstandard");
    ZSTD_inBuffer in = {chunk->data(), chunk->size(), 0};
    ZSTD_outBuffer decoded = {out.data(), out.size(), 0};
    const size_t result = ZSTD_decompressStream(zstd_, &decoded, &in);
    chunk->remove_prefix(in.pos);
    if (ZSTD_isError(result)) {
      return absl::DataLossError(
          absl::StrCat("the Zstandard data is damaged: ", ZSTD_getErrorName(result)));
    }
    *frame_ended = result == 0;
    return decoded.pos;
  }

 private:
  ZSTD_DStream* const zstd_;
};

// Says what a file is that is not read, so that its owner knows what to do.
class UnsupportedStream : public ByteStream {
 public:
  explicit UnsupportedStream(absl::string_view what)
      : status_(absl::InvalidArgumentError(absl::StrCat("this is ", what))) {}
  absl::StatusOr<size_t> Read(absl::Span<char>) override { return status_; }

 private:
  const absl::Status status_;
};

absl::string_view NameUnsupported(absl::string_view head) {
  constexpr size_t kTarMagicOffset = 257;
  using absl::StartsWith;
  if (StartsWith(head,
                 "\xFD"
                 "7zXZ"))
    return "xz data; only gzip and Zstandard are read";
  if (StartsWith(head, "BZh")) return "bzip2 data; only gzip and Zstandard are read";
  if (StartsWith(head, "\x04\x22\x4D\x18"))
    return "LZ4 data; only gzip and Zstandard are read";
  if (StartsWith(head, "PK\x03\x04")) return "a zip archive; extract the trace first";
  if (head.size() > kTarMagicOffset &&
      StartsWith(head.substr(kTarMagicOffset), "ustar")) {
    return "a tar archive; extract the trace first";
  }
  return "";
}

// A frame, or a skippable frame, which may come first.
bool IsZstd(absl::string_view head) {
  return absl::StartsWith(head, "\x28\xB5\x2F\xFD") ||
         (head.size() >= 4 && (head[0] & 0xF0) == 0x50 &&
          head.substr(1, 3) == "\x2A\x4D\x18");
}

std::unique_ptr<ByteStream> MakeStream(std::unique_ptr<RawInput> input,
                                       absl::string_view head) {
  if (const absl::string_view what = NameUnsupported(head); !what.empty()) {
    return std::make_unique<UnsupportedStream>(what);
  }
  if (absl::StartsWith(head, "\x1F\x8B")) {
    return std::make_unique<GzipStream>(std::move(input), head);
  }
  if (IsZstd(head)) return std::make_unique<ZstdStream>(std::move(input), head);
  return std::make_unique<PlainStream>(std::move(input), head);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> OpenByteStream(const std::string& path) {
  const bool standard_input = path == "-";
  const int fd = standard_input ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot open");
  auto input = std::make_unique<FileInput>(fd, /*owned=*/!standard_input);
  GLEANER_ASSIGN_OR_RETURN(const absl::string_view head, input->NextChunk());
  return MakeStream(std::move(input), head);
}

std::unique_ptr<ByteStream> MakeMemoryByteStream(absl::string_view contents) {
  auto input = std::make_unique<MemoryInput>(absl::string_view());
  return MakeStream(std::move(input), contents);
}

}  // namespace gleaner
