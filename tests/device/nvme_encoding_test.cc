// Literal numbers, from the specifications' tables and figures.
#include "device/nvme_encoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"

namespace gleaner {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr NvmeNamespace kSpace = {.nsid = 7, .block_bytes = 512};
// A partition that begins beyond what 32 bits can say.
constexpr NvmeNamespace kPartition = {
    .nsid = 7, .block_bytes = 4096, .first_block = DeviceBlock(0x500000010)};

DeviceRange Blocks(uint64_t start, uint64_t count) {
  return {DeviceBlock(start), DeviceBlockCount(count)};
}

std::string Hex(const std::vector<char>& bytes) {
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

// opcode, nsid, data_bytes, cdw10 to cdw13
std::vector<uint32_t> Words(const NvmeCommand& c) {
  return {c.opcode, c.nsid, c.data_bytes, c.cdw10, c.cdw11, c.cdw12, c.cdw13};
}

TEST(NvmeEncodingTest, ReadsAndWritesCountFromZero) {
  char data[1];
  const NvmeCommand read = EncodeRead(kSpace, Blocks(0x123456789a, 1), data);
  EXPECT_THAT(Words(read), ElementsAre(0x02, 7, 512, 0x3456789a, 0x12, 0, 0));
  EXPECT_EQ(read.data, data);
  EXPECT_THAT(Words(EncodeRead(kSpace, Blocks(0, 65536), data)),
              ElementsAre(0x02, 7, 33554432, 0, 0, 0xffff, 0));
  EXPECT_THAT(Words(EncodeWrite(kSpace, Blocks(8, 2), data, {})),
              ElementsAre(0x01, 7, 1024, 8, 0, 1, 0));
  EXPECT_THAT(Words(EncodeWriteZeroes(kSpace, Blocks(8, 3))),
              ElementsAre(0x08, 7, 0, 8, 0, 2, 0));
  EXPECT_THAT(Words(EncodeAppend(kSpace, Blocks(64, 4), data, {})),
              ElementsAre(0x7d, 7, 2048, 64, 0, 3, 0));
  EXPECT_THAT(Words(EncodeFlush(kSpace)), ElementsAre(0x00, 7, 0, 0, 0, 0, 0));
}

TEST(NvmeEncodingTest, PlacementHintsStandInTheUpperHalves) {
  char data[1];
  std::vector<char> list;
  const PlacementHint hint = {.dtype = 2, .dspec = 0xabcd};
  EXPECT_THAT(Words(EncodeWrite(kSpace, Blocks(0, 2), data, hint)),
              ElementsAre(0x01, 7, 1024, 0, 0, 0x00200001, 0xabcd0000));
  EXPECT_THAT(Words(EncodeAppend(kSpace, Blocks(0, 2), data, hint)),
              ElementsAre(0x7d, 7, 1024, 0, 0, 0x00200001, 0xabcd0000));
  EXPECT_THAT(Words(EncodeCopy(kSpace, {Blocks(1, 1)}, DeviceBlock(9), hint, list)),
              ElementsAre(0x19, 7, 32, 9, 0, 0x00200000, 0xabcd0000));
}

TEST(NvmeEncodingTest, CopyFromAnotherNamespaceListsItsRangesInFormat2) {
  std::vector<char> list;
  const NvmeNamespace other = {
      .nsid = 0x01020304, .block_bytes = 512, .first_block = DeviceBlock(0x100)};
  const NvmeCommand copy =
      EncodeCopyFrom(kSpace, other, {Blocks(0x1122334455667788, 1), Blocks(0x10, 0x1235)},
                     DeviceBlock(0x200000003), {}, list);
  EXPECT_THAT(Words(copy), ElementsAre(0x19, 7, 64, 3, 2, 0x201, 0));
  EXPECT_EQ(Hex(list),
            "0403020100000000"  // SNSID
            "8878665544332211"
            "0000000000000000"
            "0000000000000000"
            "0403020100000000"
            "1001000000000000"
            "3412000000000000"
            "0000000000000000");
}

TEST(NvmeEncodingTest, FormatsOfOtherNamespacesAreOfferedInOcfsAndEnabledByHostBehavior) {
  NvmePage page{};
  page[521] = 1;    // ONCS: Copy
  page[534] = 0x5;  // OCFS: 0h and 2h
  EXPECT_TRUE(DecodeController(page).copy_across);
  page[534] = 0xb;  // 0h, 1h and 3h, which is for larger protection information
  EXPECT_FALSE(DecodeController(page).copy_across);
  page[534] = 0x5;
  page[521] = 0;
  EXPECT_FALSE(DecodeController(page).copy_across);

  NvmeHostBehavior behavior{};
  behavior[0] = 1;  // ACRE, which is not ours
  behavior[4] = 0x10;
  EXPECT_TRUE(SetCopyAcross(behavior));
  EXPECT_EQ(behavior[0], 1);
  EXPECT_EQ(behavior[4], 0x14);
  EXPECT_EQ(behavior[5], 0);
  EXPECT_FALSE(SetCopyAcross(behavior));
}

TEST(NvmeEncodingTest, AControllerIsKnownByItsNamesAndNumber) {
  NvmePage page{};
  EXPECT_EQ(DecodeController(page).identity, "");
  for (size_t i = 4; i < 64; ++i) page[i] = ' ';
  EXPECT_EQ(DecodeController(page).identity, "");
  page[4] = 'S';
  const std::string identity = DecodeController(page).identity;
  EXPECT_THAT(identity, ::testing::Not(""));
  for (const size_t field : {0, 4, 24, 78, 768}) {  // VID, SN, MN, CNTLID, SUBNQN
    NvmePage other = page;
    other[field] = 'x';
    EXPECT_NE(DecodeController(other).identity, identity) << field;
  }
  page[100] = 1;  // something else
  EXPECT_EQ(DecodeController(page).identity, identity);
}

TEST(NvmeEncodingTest, CopyListsItsRangesInFormat0) {
  std::vector<char> list;
  const NvmeCommand copy =
      EncodeCopy(kSpace, {Blocks(0x1122334455667788, 1), Blocks(0x10, 0x1235)},
                 DeviceBlock(0x200000003), {}, list);
  EXPECT_THAT(Words(copy), ElementsAre(0x19, 7, 64, 3, 2, 1, 0));
  EXPECT_EQ(copy.data, list.data());
  EXPECT_EQ(Hex(list),
            "0000000000000000"
            "8877665544332211"
            "0000000000000000"
            "0000000000000000"
            "0000000000000000"
            "1000000000000000"
            "3412000000000000"
            "0000000000000000");
  const std::vector<DeviceRange> most(256, Blocks(5, 1));
  EXPECT_THAT(Words(EncodeCopy(kSpace, most, DeviceBlock(9), {}, list)),
              ElementsAre(0x19, 7, 8192, 9, 0, 0xff, 0));
}

TEST(NvmeEncodingTest, DeallocateCountsFromOne) {
  std::vector<char> list;
  const NvmeCommand command =
      EncodeDeallocate(kSpace, Blocks(0x0807060504030201, 0x11223344), list);
  EXPECT_THAT(Words(command), ElementsAre(0x09, 7, 16, 0, 4, 0, 0));
  EXPECT_EQ(Hex(list),
            "00000000"
            "44332211"
            "0102030405060708");
}

TEST(NvmeEncodingTest, ZoneCommands) {
  const auto action = [](OpType type) {
    return Words(EncodeZoneOperation(kSpace, type, DeviceBlock(0x300000040)));
  };
  EXPECT_THAT(action(OpType::kZoneClose), ElementsAre(0x79, 7, 0, 0x40, 3, 0, 1));
  EXPECT_THAT(action(OpType::kZoneFinish), ElementsAre(0x79, 7, 0, 0x40, 3, 0, 2));
  EXPECT_THAT(action(OpType::kZoneOpen), ElementsAre(0x79, 7, 0, 0x40, 3, 0, 3));
  EXPECT_THAT(action(OpType::kZoneReset), ElementsAre(0x79, 7, 0, 0x40, 3, 0, 4));
  std::vector<char> report(4096);
  EXPECT_THAT(Words(EncodeZoneReport(kSpace, DeviceBlock(0x40), absl::MakeSpan(report))),
              ElementsAre(0x7a, 7, 4096, 0x40, 0, 0x3ff, 0x10000));
}

TEST(NvmeEncodingTest, APartitionIsAddedToEveryBlock) {
  char data[1];
  std::vector<char> list;
  const auto at_0x18 =
      ElementsAre(testing::_, 7, testing::_, 0x18, 5, testing::_, testing::_);
  EXPECT_THAT(Words(EncodeRead(kPartition, Blocks(8, 1), data)), at_0x18);
  EXPECT_THAT(Words(EncodeWrite(kPartition, Blocks(8, 1), data, {})), at_0x18);
  EXPECT_THAT(Words(EncodeWriteZeroes(kPartition, Blocks(8, 1))), at_0x18);
  EXPECT_THAT(Words(EncodeCopy(kPartition, {Blocks(1, 2)}, DeviceBlock(8), {}, list)),
              at_0x18);
  EXPECT_EQ(Hex(list).substr(16, 24),
            "1100000005000000"
            "01000000");
  EncodeDeallocate(kPartition, Blocks(2, 1), list);
  EXPECT_EQ(Hex(list),
            "00000000"
            "01000000"
            "1200000005000000");
}

TEST(NvmeStatusTest, DecodesTypeCodeAndDoNotRetry) {
  const NvmeStatus status = DecodeStatus(0x4281);
  EXPECT_EQ(status.type, 2);
  EXPECT_EQ(status.code, 0x81);
  EXPECT_TRUE(status.do_not_retry);
  EXPECT_EQ(DescribeStatus(status),
            "unrecovered read error (NVMe status 2h/81h, do not retry)");
  // Retry delay and More are no part of it.
  const NvmeStatus other = DecodeStatus(0x3806);
  EXPECT_EQ(other.type, 0);
  EXPECT_EQ(other.code, 6);
  EXPECT_FALSE(other.do_not_retry);
  EXPECT_EQ(DescribeStatus(DecodeStatus(0x07c5)), "error (NVMe status 7h/c5h)");
}

TEST(NvmeStatusTest, TypeAndCodeTogetherGiveTheStatus) {
  const auto code = [](uint16_t field) { return StatusCodeOf(DecodeStatus(field)); };
  EXPECT_EQ(code(0x0000), absl::StatusCode::kOk);
  EXPECT_EQ(code(0x4001), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(code(0x4002), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(0x400b), absl::StatusCode::kUnavailable);
  EXPECT_EQ(code(0x4020), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(code(0x4080), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(code(0x4081), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(code(0x4182), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(code(0x4183), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(0x41b9), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(0x41bc), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(0x41be), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(0x4280), absl::StatusCode::kDataLoss);
  EXPECT_EQ(code(0x0370), absl::StatusCode::kUnavailable);
  // The same code in two types.
  EXPECT_EQ(code(0x4187), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(0x4287), absl::StatusCode::kDataLoss);
  // Unknown ones: the medium, or something that may pass.
  EXPECT_EQ(code(0x42c0), absl::StatusCode::kDataLoss);
  EXPECT_EQ(code(0x47c5), absl::StatusCode::kUnavailable);
}

TEST(NvmeStatusTest, Dword0NamesTheRange) {
  EXPECT_EQ(DecodeRangesCopied(0xffffffff00000003), 3u);
  EXPECT_EQ(DecodeAppendedAt(kSpace, 0x500000011), DeviceBlock(0x500000011));
}

class NvmeIdentifyTest : public ::testing::Test {
 protected:
  void Set(size_t at, std::initializer_list<int> bytes) {
    for (int byte : bytes) page_[at++] = static_cast<uint8_t>(byte);
  }
  NvmePage page_{};
};

TEST_F(NvmeIdentifyTest, Controller) {
  Set(77, {5});            // MDTS
  Set(256, {0x20, 0});     // OACS
  Set(520, {0x0c, 0x01});  // ONCS
  Set(525, {0x07});        // VWC
  Set(528, {0x7f, 0});     // AWUPF
  NvmeController c = DecodeController(page_);
  EXPECT_EQ(c.max_transfer_bytes, 131072u);
  EXPECT_TRUE(c.directives);
  EXPECT_TRUE(c.copy);
  EXPECT_TRUE(c.write_zeroes);
  EXPECT_TRUE(c.deallocate);
  EXPECT_TRUE(c.volatile_write_cache);
  EXPECT_EQ(c.atomic_write_blocks, 128u);
  Set(534, {0x02, 0});  // OCFS: format 1h only
  EXPECT_FALSE(DecodeController(page_).copy);
  Set(534, {0x03, 0});
  EXPECT_TRUE(DecodeController(page_).copy);

  c = DecodeController(NvmePage{});
  EXPECT_EQ(c.max_transfer_bytes, 0u);
  EXPECT_FALSE(c.copy || c.write_zeroes || c.deallocate || c.directives ||
               c.volatile_write_cache);
  EXPECT_EQ(c.atomic_write_blocks, 1u);
}

TEST_F(NvmeIdentifyTest, Namespace) {
  Set(0, {0x00, 0x00, 0x00, 0x00, 0x02, 0, 0, 0});  // NSZE
  Set(26, {0x22});                                  // FLBAS: format 18
  Set(29, {0x0b});                                  // DPS: type 3
  Set(74, {0x80, 0x01});                            // MSSRL
  Set(76, {0x00, 0x00, 0x01, 0x00});                // MCL
  Set(80, {0xff});                                  // MSRC
  Set(99, {0x01});                                  // NSATTR
  Set(128 + 4 * 18, {0x08, 0x00, 12, 0x00});
  const NvmeNamespaceData data = DecodeNamespace(page_);
  EXPECT_EQ(data.capacity, DeviceBlockCount(0x200000000));
  EXPECT_EQ(data.format, 18);
  EXPECT_EQ(data.metadata_bytes, 8u);
  EXPECT_EQ(data.block_shift, 12u);
  EXPECT_EQ(data.protection, 3);
  EXPECT_TRUE(data.write_protected);
  EXPECT_EQ(data.copy_limits, (CopyLimits{.max_copy_blocks = 65536,
                                          .max_copy_ranges = 256,
                                          .max_range_blocks = 384}));
  EXPECT_EQ(DecodeNamespace(NvmePage{}).block_shift, 0u);
  EXPECT_FALSE(DecodeNamespace(NvmePage{}).copy_limits.can_copy());
}

TEST_F(NvmeIdentifyTest, AtomicWritesAreAPowerOfTwo) {
  NvmeController controller;
  controller.atomic_write_blocks = 24;
  const auto unit = [&](uint64_t first) {
    return AtomicWrite(controller, DecodeNamespace(page_), DeviceBlock(first)).value();
  };
  EXPECT_EQ(unit(0), 16u);
  EXPECT_EQ(unit(3), 16u);
  Set(36, {0x3f, 0});  // NAWUPF, which counts only if NSFEAT says so
  EXPECT_EQ(unit(0), 16u);
  Set(24, {0x02});
  EXPECT_EQ(unit(0), 64u);
  Set(44, {0x1f, 0});  // NABSPF: 32 blocks
  EXPECT_EQ(unit(0), 32u);
  EXPECT_EQ(unit(64), 32u);
  EXPECT_EQ(unit(3), 1u);
  Set(42, {0x01, 0});  // NABO
  EXPECT_EQ(unit(0), 1u);
}

TEST_F(NvmeIdentifyTest, CommandSetStandsAmongOtherDescriptors) {
  EXPECT_EQ(DecodeCommandSet(page_), NvmeCommandSet::kNvm);
  Set(0, {1, 8, 0, 0});    // an EUI-64
  Set(12, {2, 16, 0, 0});  // an NGUID
  Set(32, {4, 1, 0, 0, 2});
  EXPECT_EQ(DecodeCommandSet(page_), NvmeCommandSet::kZoned);
  // A list that leads out of the page.
  page_.fill(0xff);
  EXPECT_EQ(DecodeCommandSet(page_), NvmeCommandSet::kNvm);
}

TEST_F(NvmeIdentifyTest, Limits) {
  NvmeCommandLimits limits = DecodeCommandLimits(page_);
  EXPECT_EQ(limits.max_zeroes_bytes, 0u);
  EXPECT_EQ(limits.max_deallocate_blocks, 0u);
  Set(1, {3});                             // WZSL
  Set(4, {0x00, 0x10, 0, 0});              // DMRSL
  Set(8, {0x00, 0x20, 0, 0, 0, 0, 0, 0});  // DMSL
  limits = DecodeCommandLimits(page_);
  EXPECT_EQ(limits.max_zeroes_bytes, 32768u);
  EXPECT_EQ(limits.max_deallocate_blocks, 4096u);
  Set(8, {0x00, 0x08});
  EXPECT_EQ(DecodeCommandLimits(page_).max_deallocate_blocks, 2048u);
}

TEST_F(NvmeIdentifyTest, ZonedNamespace) {
  Set(4, {13, 0, 0, 0});               // MAR
  Set(8, {0xff, 0xff, 0xff, 0xff});    // MOR: no limit
  Set(2816 + 16, {0x00, 0x00, 0x08});  // ZSZE of format 1
  const NvmeZonedData data = DecodeZonedNamespace(page_, 1);
  EXPECT_EQ(data.zone_size, DeviceBlockCount(0x80000));
  EXPECT_EQ(data.max_active_zones, 14u);
  EXPECT_EQ(data.max_open_zones, 0u);
  page_.fill(0);
  EXPECT_EQ(DecodeMaxAppendBytes(page_), 0u);
  Set(0, {4});  // ZASL
  EXPECT_EQ(DecodeMaxAppendBytes(page_), 65536u);
}

TEST_F(NvmeIdentifyTest, Directives) {
  Set(0, {0x07, 0});   // supported
  Set(32, {0x05, 0});  // enabled
  EXPECT_TRUE(DecodeDirectiveEnabled(page_, 2));
  EXPECT_FALSE(DecodeDirectiveEnabled(page_, 1));
  EXPECT_FALSE(DecodeDirectiveEnabled(page_, 10));
}

// Data units, of 1000 x 512 bytes: 2 read, 0x10001 written.
TEST_F(NvmeIdentifyTest, HostTraffic) {
  Set(32, {2});
  Set(48, {0x01, 0x00, 0x01});
  const HostTraffic traffic = DecodeHostTraffic(page_);
  EXPECT_EQ(traffic.bytes_read, 1'024'000u);
  EXPECT_EQ(traffic.bytes_written, 33'554'944'000u);
  EXPECT_EQ(traffic.bytes(), 33'555'968'000u);
}

TEST(NvmeZoneReportTest, DecodesStatesAndWritePointers) {
  std::vector<char> report(ZoneReportBytes(6), '\0');
  report[0] = 9;  // more than fit
  const uint8_t states[] = {0x10, 0x20, 0x30, 0x40, 0xe0, 0xd0};
  for (uint8_t i = 0; i < 6; ++i) {
    char* zone = report.data() + 64 * (i + 1);
    zone[0] = 2;
    zone[1] = static_cast<char>(states[i]);
    zone[8] = 48;
    zone[16] = static_cast<char>(i * 0x10);
    zone[17] = 1;
    zone[24] = static_cast<char>(i * 0x10 + 5);
    zone[25] = 1;
  }
  std::memset(report.data() + 64 * 5 + 24, 0xff, 8);  // a full zone has none
  const std::vector<ZoneInfo> zones = DecodeZoneReport(kSpace, report);
  ASSERT_THAT(zones, SizeIs(6));
  EXPECT_EQ(zones[0].state, ZoneState::kEmpty);
  EXPECT_EQ(zones[1].state, ZoneState::kOpen);
  EXPECT_EQ(zones[2].state, ZoneState::kOpen);
  EXPECT_EQ(zones[3].state, ZoneState::kClosed);
  EXPECT_EQ(zones[4].state, ZoneState::kFull);
  EXPECT_EQ(zones[5].state, ZoneState::kReadOnly);
  EXPECT_EQ(zones[3].start, DeviceBlock(0x130));
  EXPECT_EQ(zones[3].capacity, DeviceBlockCount(48));
  EXPECT_EQ(zones[3].write_pointer, DeviceBlock(0x135));
  EXPECT_EQ(zones[4].write_pointer, DeviceBlock(0x140 + 48));
  EXPECT_EQ(zones[5].write_pointer, DeviceBlock(0x150 + 48));
  EXPECT_THAT(DecodeZoneReport(kSpace, {}), SizeIs(0));
}

}  // namespace
}  // namespace gleaner
