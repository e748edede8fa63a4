#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/traces/trace_test_util.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ReadTrace;
using testing::StatusIs;
using testing::TraceError;

void Append(std::string* out, uint64_t value, int bytes) {
  for (; bytes > 0; --bytes, value >>= 8) out->push_back(static_cast<char>(value));
}

struct Fields {
  uint16_t command;
  uint32_t bytes;
  uint64_t lba;
  uint64_t micros;
};

std::string Version1(const Fields& f) {
  std::string record;
  Append(&record, 0x800000F4, 4);  // serial
  Append(&record, f.bytes, 4);
  Append(&record, 1, 4);  // scatter-gather entries
  Append(&record, f.command, 2);
  Append(&record, 0x0100, 2);  // version
  Append(&record, f.lba, 8);
  Append(&record, f.micros, 8);
  return record;
}

std::string Version2(const Fields& f) {
  std::string record;
  Append(&record, f.command, 2);
  Append(&record, 0x0200, 2);  // version
  Append(&record, 0x800000F4, 4);
  Append(&record, f.bytes, 4);
  Append(&record, 1, 4);
  Append(&record, f.lba, 8);
  Append(&record, f.micros, 8);
  Append(&record, 333, 8);  // response time
  return record;
}

constexpr Fields kWrite = {0x2A, 512, 42932745, 5633898};
constexpr Fields kRead = {0x28, 6656, 40409911, 5633899};
constexpr Fields kSynchronizeCache = {0x35, 0, 0, 5633900};

TEST(VscsiTest, ReadsBothVersions) {
  for (const auto& encode : {Version1, Version2}) {
    const std::string trace = encode(kWrite) + encode(kSynchronizeCache) + encode(kRead);
    for (const char* format : {"vscsi", "auto"}) {
      EXPECT_THAT(ReadTrace(trace, format),
                  ElementsAre("0 write 21981565440+512 @5633898000",
                              "0 read 20689874432+6656 @5633899000"));
    }
    EXPECT_EQ(ReadTrace(encode(kWrite), "vscsi").size(), 1u);
  }
}

TEST(VscsiTest, KnowsTheLiteralBytes) {
  // The first record of a CloudPhysics trace, version 1.
  const std::string record(
      "\xF4\x00\x00\x80\x00\x02\x00\x00\x01\x00\x00\x00\x2A\x00\x00\x01"
      "\x09\x1A\x8F\x02\x00\x00\x00\x00\x22\xCF\x82\xBE\x1F\x05\x00\x00",
      32);
  EXPECT_THAT(ReadTrace(record, "auto"),
              ElementsAre("0 write 21981565440+512 @5633898368802000"));
}

TEST(VscsiTest, RefusesBadRecords) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  const std::string good = Version1(kWrite) + Version1(kRead);
  EXPECT_THAT(TraceError(good + Version1(kRead).substr(0, 20), "vscsi"),
              StatusIs(absl::StatusCode::kDataLoss,
                       "t:record 3: the last record has 20 of 32 bytes"));
  EXPECT_THAT(
      TraceError(good + std::string(32, '\0'), "vscsi"),
      StatusIs(kInvalid, HasSubstr("t:record 3: not a vscsi record of version 1")));
  EXPECT_THAT(TraceError(std::string(64, 'x'), "vscsi"),
              StatusIs(kInvalid, HasSubstr("version 1 or 2")));
  EXPECT_THAT(TraceError(good + Version1({0x42, 24, 0, 1}), "vscsi"),
              StatusIs(kInvalid, HasSubstr("UNMAP")));
  EXPECT_THAT(TraceError(good + Version1({0x41, 512, 0, 1}), "vscsi"),
              StatusIs(kInvalid, "t:record 3: SCSI command 41h is not understood"));
  EXPECT_THAT(TraceError(good + Version1({0x2A, 0, 0, 1}), "vscsi"),
              StatusIs(kInvalid, HasSubstr("length zero")));
  EXPECT_THAT(TraceError(good + Version1({0x2A, 512, uint64_t{1} << 60, 1}), "vscsi"),
              StatusIs(absl::StatusCode::kOutOfRange));
}

}  // namespace
}  // namespace gleaner
