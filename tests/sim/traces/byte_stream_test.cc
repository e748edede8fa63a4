#include "sim/traces/byte_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "tests/sim/traces/compress.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using testing::Gzip;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;
using testing::Zstd;

// Everything up to the end or an error, in reads of `read_bytes`.
absl::Status ReadAll(ByteStream& stream, size_t read_bytes, std::string* out) {
  std::string buffer(read_bytes, '\0');
  for (;;) {
    const auto n = stream.Read(absl::MakeSpan(buffer.data(), buffer.size()));
    if (!n.ok()) return n.status();
    if (*n == 0) return absl::OkStatus();
    out->append(buffer, 0, *n);
  }
}

std::string Decoded(absl::string_view stored, size_t read_bytes = 1000) {
  std::string out;
  EXPECT_THAT(ReadAll(*MakeMemoryByteStream(stored), read_bytes, &out), IsOk());
  return out;
}

absl::Status DecodingError(absl::string_view stored) {
  std::string out;
  return ReadAll(*MakeMemoryByteStream(stored), 1000, &out);
}

// Half digits, half noise: compressible, but not to nothing.
std::string MixedText(size_t bytes) {
  Random random(7);
  std::string text;
  while (text.size() < bytes)
    absl::StrAppend(&text, random.Below(1'000'000), ",4096,W\n");
  return text;
}

TEST(ByteStreamTest, PassesPlainBytesOn) {
  EXPECT_EQ(Decoded(""), "");
  EXPECT_EQ(Decoded("plain\n"), "plain\n");
  EXPECT_EQ(Decoded("plain\n", 1), "plain\n");
}

TEST(ByteStreamTest, DecompressesByContent) {
  EXPECT_EQ(Decoded(Gzip("one\ntwo\n")), "one\ntwo\n");
  EXPECT_EQ(Decoded(Zstd("one\ntwo\n")), "one\ntwo\n");
  EXPECT_EQ(Decoded(Gzip("one\ntwo\n"), 1), "one\ntwo\n");
  EXPECT_EQ(Decoded(Zstd("one\ntwo\n"), 1), "one\ntwo\n");
  EXPECT_EQ(Decoded(Gzip("")), "");
  EXPECT_EQ(Decoded(Zstd("")), "");
}

TEST(ByteStreamTest, MembersAndFramesFollowOneAnother) {
  EXPECT_EQ(Decoded(Gzip("one\n") + Gzip("") + Gzip("two\n")), "one\ntwo\n");
  EXPECT_EQ(Decoded(Zstd("one\n") + Zstd("") + Zstd("two\n")), "one\ntwo\n");
  const std::string skippable("\x51\x2A\x4D\x18\x03\x00\x00\x00pad", 11);
  EXPECT_EQ(Decoded(skippable + Zstd("one\n")), "one\n");
}

TEST(ByteStreamTest, DecompressesMoreThanItsBuffers) {
  const std::string text = MixedText(3 << 20);
  EXPECT_EQ(Decoded(Gzip(text), 70'000), text);
  EXPECT_EQ(Decoded(Zstd(text), 70'000), text);
}

TEST(ByteStreamTest, EveryTruncationIsDataLoss) {
  const std::string text = MixedText(500);
  for (const std::string& stored : {Gzip(text), Zstd(text)}) {
    for (size_t bytes = 4; bytes < stored.size(); ++bytes) {
      std::string out;
      const absl::string_view cut = absl::string_view(stored).substr(0, bytes);
      EXPECT_THAT(ReadAll(*MakeMemoryByteStream(cut), 100, &out),
                  StatusIs(absl::StatusCode::kDataLoss, HasSubstr("truncated")))
          << bytes << " of " << stored.size();
      EXPECT_EQ(out, text.substr(0, out.size()));
    }
  }
}

TEST(ByteStreamTest, DamageIsDataLoss) {
  const std::string text = MixedText(2000);
  for (std::string stored : {Gzip(text), Zstd(text) + "garbage behind it"}) {
    stored[stored.size() / 2] ^= 0x55;
    EXPECT_THAT(DecodingError(stored), StatusIs(absl::StatusCode::kDataLoss));
  }
  EXPECT_THAT(DecodingError(Gzip(text) + "garbage"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("gzip")));
}

TEST(ByteStreamTest, NamesWhatItDoesNotRead) {
  std::string tar(512, '\0');
  tar.replace(257, 5, "ustar");
  const struct {
    std::string head;
    const char* expected;
  } kCases[] = {{"\xFD"
                 "7zXZ",
                 "xz data"},
                {"BZh9", "bzip2"},
                {"\x04\x22\x4D\x18", "LZ4"},
                {"PK\x03\x04", "zip archive"},
                {tar, "tar archive"}};
  for (const auto& c : kCases) {
    EXPECT_THAT(DecodingError(c.head),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.expected)));
  }
}

TEST(ByteStreamTest, OpensFiles) {
  const std::string path = ::testing::TempDir() + "/stored.csv";  // the name says nothing
  const std::string text = MixedText(1 << 20);
  std::ofstream(path) << Zstd(text);
  auto stream = OpenByteStream(path);
  ASSERT_THAT(stream, IsOk());
  std::string out;
  EXPECT_THAT(ReadAll(**stream, 4096, &out), IsOk());
  EXPECT_EQ(out, text);
  std::remove(path.c_str());
}

TEST(ByteStreamTest, SystemErrorsKeepTheirCode) {
  EXPECT_THAT(OpenByteStream("/no/such/file"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_FALSE(OpenByteStream(::testing::TempDir()).ok());  // a directory
}

}  // namespace
}  // namespace gleaner
