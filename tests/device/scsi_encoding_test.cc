// Literal bytes, from the tables of SPC-4 and SBC-3.
#include "device/scsi_encoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace gleaner {
namespace {

constexpr ScsiDisk kDisk = {.block_bytes = 512};
// A partition that begins beyond what 32 bits can say.
constexpr ScsiDisk kPartition = {.block_bytes = 4096,
                                 .first_block = DeviceBlock(0x500000010)};

DeviceRange Blocks(uint64_t start, uint64_t count) {
  return {DeviceBlock(start), DeviceBlockCount(count)};
}

std::string Cdb(const ScsiCommand& c) {
  return absl::BytesToHexString(
      {reinterpret_cast<const char*>(c.cdb.data()), c.cdb_bytes});
}

std::string Hex(const std::vector<char>& bytes) {
  return absl::BytesToHexString({bytes.data(), bytes.size()});
}

// Hexadecimal digits without the spaces that make them legible.
std::string Plain(absl::string_view spaced) {
  return absl::StrReplaceAll(spaced, {{" ", ""}});
}

// A page that begins with these bytes.
ScsiPage Page(absl::string_view hex) {
  const std::string bytes = absl::HexStringToBytes(Plain(hex));
  ScsiPage page = {};
  std::copy(bytes.begin(), bytes.end(), page.begin());
  return page;
}

// ---- Commands ----

TEST(ScsiEncodingTest, ReadsAndWritesHaveSixteenBytes) {
  char data[1];
  const ScsiCommand read = EncodeRead(kDisk, Blocks(0x123456789a, 1), data);
  EXPECT_EQ(Cdb(read), Plain("88 00 000000123456789a 00000001 00 00"));
  EXPECT_EQ(read.transfer, ScsiTransfer::kFromDevice);
  EXPECT_EQ(read.data, data);
  EXPECT_EQ(read.data_bytes, 512u);
  EXPECT_FALSE(read.may_be_short);
  const ScsiCommand write = EncodeWrite(kPartition, Blocks(5, 0x102), data);
  EXPECT_EQ(Cdb(write), Plain("8a 00 0000000500000015 00000102 00 00"));
  EXPECT_EQ(write.transfer, ScsiTransfer::kToDevice);
  EXPECT_EQ(write.data_bytes, 0x102u * 4096);
}

TEST(ScsiEncodingTest, TheCacheIsSynchronizedAsAWhole) {
  const ScsiCommand flush = EncodeSynchronizeCache();
  EXPECT_EQ(Cdb(flush), "91000000000000000000000000000000");
  EXPECT_EQ(flush.transfer, ScsiTransfer::kNone);
  EXPECT_EQ(flush.data_bytes, 0u);
}

TEST(ScsiEncodingTest, WriteSameSendsOneBlockForMany) {
  char block[1];
  const ScsiCommand same = EncodeWriteSame(kDisk, Blocks(7, 0x10000), block);
  EXPECT_EQ(Cdb(same), Plain("93 00 0000000000000007 00010000 00 00"));
  EXPECT_EQ(same.transfer, ScsiTransfer::kToDevice);
  EXPECT_EQ(same.data_bytes, 512u);
}

TEST(ScsiEncodingTest, UnmapListsOneRange) {
  std::vector<char> list;
  const ScsiCommand unmap = EncodeUnmap(kPartition, Blocks(1, 0xfffffffe), list);
  EXPECT_EQ(Cdb(unmap), Plain("42 00 00000000 00 0018 00"));
  EXPECT_EQ(unmap.data, list.data());
  EXPECT_EQ(Hex(list), Plain("0016 0010 00000000 0000000500000011 fffffffe 00000000"));
}

TEST(ScsiEncodingTest, AnExtendedCopyNamesTheDiskOnceAndEachSource) {
  const ScsiDesignator naa = {1, 3,
                              absl::HexStringToBytes("600140500000000000000000000000aa")};
  std::vector<char> list;
  const ScsiCommand copy =
      EncodeExtendedCopy(kPartition, naa, {Blocks(3, 1), Blocks(0x100, 65535)},
                         DeviceBlock(0x2000), ScsiListIds::kOne, list);
  SetListId(0xfe, list);
  EXPECT_EQ(Cdb(copy), Plain("83 00 0000000000000000 00000068 00 00"));
  EXPECT_EQ(copy.transfer, ScsiTransfer::kToDevice);
  EXPECT_EQ(copy.data, list.data());
  EXPECT_EQ(copy.data_bytes, 104u);
  EXPECT_EQ(Hex(list),
            // List identifier and its usage, length of targets and of segments.
            Plain("fe 10 0020 00000000 00000038 00000000") +
                // Code set 1, type 3, 16 bytes of designator, and the block's bytes.
                Plain("e4 00 0000 01 03 00 10 600140500000000000000000000000aa") +
                Plain("00000000 00 001000") +
                // From target 0 to target 0: blocks, source, destination.
                Plain("02 00 0018 0000 0000 0000 0001 0000000500000013") +
                Plain("0000000500002010") +
                Plain("02 00 0018 0000 0000 0000 ffff 0000000500000110") +
                Plain("0000000500002011"));
  EncodeExtendedCopy(kDisk, {2, 1, "12345678901234567890"}, {Blocks(0, 1)},
                     DeviceBlock(9), ScsiListIds::kNone, list);
  EXPECT_EQ(Hex(list).substr(0, 32), Plain("0018002000000000 0000001c00000000"));
  EXPECT_EQ(Hex(list).substr(32, 64),
            Plain("e4000000 02010014 3132333435363738393031323334353637383930 00000200"));
}

TEST(ScsiEncodingTest, LongCopiesHaveMoreTime) {
  const ScsiDesignator name = {1, 3, "12345678"};
  std::vector<char> list;
  const auto timeout = [&](const std::vector<DeviceRange>& sources) {
    return EncodeExtendedCopy(kPartition, name, sources, DeviceBlock(0),
                              ScsiListIds::kOne, list)
        .timeout_ms;
  };
  EXPECT_EQ(timeout({Blocks(0, 1)}), 60'001u);
  EXPECT_EQ(timeout({Blocks(0, 65535), Blocks(0, 65535)}), 60'000u + 131'070u);
}

TEST(ScsiEncodingTest, QuestionsSayHowMuchTheyTake) {
  ScsiPage page;
  EXPECT_EQ(Cdb(EncodeInquiry(page)), "120000002400");
  EXPECT_EQ(Cdb(EncodeVitalPage(ScsiVitalPage::kIdentification, page)), "120183040000");
  EXPECT_EQ(Cdb(EncodeReadCapacity(page)), Plain("9e10 0000000000000000 00000020 0000"));
  EXPECT_EQ(Cdb(EncodeModeSense10(page)), "5a080800000000008000");
  EXPECT_EQ(Cdb(EncodeModeSense6(page)), "1a0808008000");
  const ScsiCommand copy = EncodeReceiveCopyParameters(page);
  EXPECT_EQ(Cdb(copy), Plain("8403 0000000000000000 00000400 0000"));
  EXPECT_EQ(copy.transfer, ScsiTransfer::kFromDevice);
  EXPECT_EQ(copy.data, page.data());
  EXPECT_EQ(copy.data_bytes, 1024u);
  EXPECT_TRUE(copy.may_be_short);
}

// ---- Answers ----

TEST(ScsiEncodingTest, InquiryTellsWhatItIs) {
  // Host-managed zoned, with third-party copy.
  const ScsiInquiry disk = DecodeInquiry(
      Page("14000602 1f080002 4c494f2d4f524720 6469736b202020202020202020202020"));
  EXPECT_EQ(disk.qualifier, 0);
  EXPECT_EQ(disk.type, 0x14);
  EXPECT_TRUE(disk.third_party_copy);
  EXPECT_EQ(disk.vendor, "LIO-ORG");
  EXPECT_EQ(disk.product, "disk");
  const ScsiInquiry none = DecodeInquiry(Page("7f000602 1ff7"));
  EXPECT_EQ(none.qualifier, 3);
  EXPECT_EQ(none.type, 0x1f);
  EXPECT_FALSE(none.third_party_copy);
}

TEST(ScsiEncodingTest, VitalPagesEndWhereTheySay) {
  const ScsiPage supported = Page(Plain("00000003 0083b0 b2"));
  EXPECT_TRUE(HasVitalPage(supported, ScsiVitalPage::kSupported));
  EXPECT_TRUE(HasVitalPage(supported, ScsiVitalPage::kBlockLimits));
  EXPECT_FALSE(HasVitalPage(supported, ScsiVitalPage::kProvisioning));
  EXPECT_FALSE(HasVitalPage(supported, ScsiVitalPage::kSerialNumber));
  EXPECT_EQ(DecodeSerialNumber(Page("00800004 31323320 34")), "123");
}

TEST(ScsiEncodingTest, TheMostUnambiguousDesignatorNamesTheDisk) {
  // T10 vendor, relative target port (of the port: association 1), EUI-64, NAA of 8 bytes.
  const std::string t10 = Plain("02010008 4142434445464748");
  const std::string port = Plain("51140004 00000001");
  const std::string naa_of_port = Plain("51930008 5000000000000001");
  const std::string eui = Plain("01020008 0102030405060708");
  const std::string naa8 = Plain("01030008 5001405000000002");
  const std::string naa16 = Plain("01030010 600140500000000000000000000000aa");
  const std::string long_name = "0308001c" + std::string(56, '6');
  const auto designator = [](const std::string& list) {
    const std::string length = absl::StrFormat("%04x", list.size() / 2);
    return DecodeDesignator(Page("0083" + length + list));
  };
  const auto is = [](uint8_t set, uint8_t type, absl::string_view hex) {
    return ScsiDesignator{set, type, absl::HexStringToBytes(hex)};
  };
  EXPECT_EQ(designator(t10 + port + eui + naa8 + naa16 + long_name),
            is(1, 3, "600140500000000000000000000000aa"));
  EXPECT_EQ(designator(naa_of_port + naa8 + eui + t10), is(1, 3, "5001405000000002"));
  EXPECT_EQ(designator(t10 + eui), is(1, 2, "0102030405060708"));
  EXPECT_EQ(designator(naa_of_port + t10), is(2, 1, "4142434445464748"));
  EXPECT_EQ(designator(naa_of_port + long_name), std::nullopt);
  // Cut off, or with no more to it than a header.
  EXPECT_EQ(DecodeDesignator(Page("0083000c" + naa16)), std::nullopt);
  EXPECT_EQ(DecodeDesignator(Page("00830004 01030000")), std::nullopt);
  EXPECT_EQ(DecodeDesignator(Page("")), std::nullopt);
}

TEST(ScsiEncodingTest, CapacityIsOneMoreThanTheLastBlock) {
  const ScsiCapacity capacity =
      DecodeCapacity(Page("0000000123456789 00001000 00 03 c000"));
  EXPECT_EQ(capacity.blocks, DeviceBlockCount(0x12345678a));
  EXPECT_EQ(capacity.block_bytes, 4096u);
  EXPECT_TRUE(capacity.provisioned);
  EXPECT_FALSE(DecodeCapacity(Page("0000000000000000 00000200")).provisioned);
}

TEST(ScsiEncodingTest, BlockLimitsAndProvisioning) {
  const ScsiBlockLimits limits =
      DecodeBlockLimits(Page("00b0003c 01000008 00004000 00000800 00000000 00200000 "
                             "00000003 00000001 80000000 0000000100000000"));
  EXPECT_EQ(limits.max_transfer, 0x4000u);
  EXPECT_EQ(limits.max_unmap, 0x200000u);
  EXPECT_EQ(limits.max_unmap_ranges, 3u);
  EXPECT_EQ(limits.max_write_same, 0x100000000u);
  EXPECT_TRUE(DecodeProvisioning(Page("00b20004 00800000")).unmap);
  EXPECT_FALSE(DecodeProvisioning(Page("00b20004 00800000")).write_same);
  EXPECT_TRUE(DecodeProvisioning(Page("00b20004 00400000")).write_same);
}

TEST(ScsiEncodingTest, ModePagesStandBehindBlockDescriptors) {
  // Of ten bytes: protected, no block descriptor, write cache disabled.
  const ScsiMode mode = DecodeModeSense10(Page("001a 00 90 0000 0000 081200"));
  EXPECT_TRUE(mode.write_protected);
  EXPECT_FALSE(mode.write_cache);
  // One block descriptor of 8 bytes, the page can be saved, write cache enabled.
  const ScsiMode ten =
      DecodeModeSense10(Page("0022 00 10 0000 0008 0000000000000200 881204"));
  EXPECT_FALSE(ten.write_protected);
  EXPECT_TRUE(ten.write_cache);
  const ScsiMode six = DecodeModeSense6(Page("1f 00 80 08 0000000000000200 081200"));
  EXPECT_TRUE(six.write_protected);
  EXPECT_FALSE(six.write_cache);
  // Another page, or none: who does not tell may have a cache.
  EXPECT_TRUE(DecodeModeSense6(Page("0f 00 00 00 0a0a00")).write_cache);
  EXPECT_TRUE(DecodeModeSense10(Page("0006 00 00 0000 ffff")).write_cache);
}

// ---- Limits of copies ----

TEST(ScsiEncodingTest, CopyParametersAreLimits) {
  const ScsiCopyParameters p = DecodeCopyParameters(
      Page("0000002a 01000000 0002 0040 00000400 10000000 00000000 00000000 00000000 "
           "0000 0001 07 09 00 00 000000 02 02e4"));
  EXPECT_TRUE(p.needs_no_list_id);
  EXPECT_EQ(p.max_targets, 2);
  EXPECT_EQ(p.max_segments, 0x40);
  EXPECT_EQ(p.max_list_bytes, 1024u);
  EXPECT_EQ(p.max_segment_bytes, 268435456u);
  EXPECT_EQ(p.max_concurrent, 7);
  EXPECT_EQ(p.granularity_bytes, 512u);
  EXPECT_TRUE(p.has_descriptors);
  ScsiPage other = {};
  other[43] = 2;
  other[44] = 0x02;
  other[45] = static_cast<char>(0xe0);
  EXPECT_FALSE(DecodeCopyParameters(other).has_descriptors);
  EXPECT_EQ(DecodeCopyParameters(other).granularity_bytes, 1u);
}

CopyLimits Limits(uint64_t blocks, uint32_t ranges, uint64_t range) {
  return {
      .max_copy_blocks = blocks, .max_copy_ranges = ranges, .max_range_blocks = range};
}

TEST(ScsiEncodingTest, TheSmallestOfAllLimitsHolds) {
  constexpr uint64_t kMiB = 1 << 20;
  const ScsiCopyParameters p = {
      .max_targets = 1, .max_segments = 10, .max_segment_bytes = 1 << 20};
  EXPECT_EQ(CopyLimitsOf(p, 4096, kMiB), Limits(2560, 10, 256));
  EXPECT_EQ(CopyLimitsOf(p, 512, kMiB), Limits(20480, 10, 2048));
  ScsiCopyParameters q = p;
  q.max_segment_bytes = 0;  // the field of 16 bits limits
  EXPECT_EQ(CopyLimitsOf(q, 4096, kMiB), Limits(655350, 10, 65535));
  q = p;
  q.max_list_bytes = 32 + 3 * 28 + 27;
  EXPECT_EQ(CopyLimitsOf(q, 4096, kMiB), Limits(768, 3, 256));
  EXPECT_EQ(CopyLimitsOf(p, 4096, 16 + 32 + 2 * 28), Limits(512, 2, 256));
  EXPECT_EQ(CopyLimitsOf(p, 4096, 8), Limits(0, 0, 256));
}

TEST(ScsiEncodingTest, WithoutTargetsSegmentsOrWholeBlocksThereIsNoCopy) {
  const ScsiCopyParameters p = {.max_targets = 2, .max_segments = 1};
  EXPECT_TRUE(CopyLimitsOf(p, 512, 65536).can_copy());
  for (const auto spoil : {+[](ScsiCopyParameters* q) { q->max_targets = 0; },
                           +[](ScsiCopyParameters* q) { q->max_segments = 0; },
                           +[](ScsiCopyParameters* q) { q->max_segment_bytes = 511; },
                           +[](ScsiCopyParameters* q) { q->granularity_bytes = 1024; },
                           +[](ScsiCopyParameters* q) { q->has_descriptors = false; }}) {
    ScsiCopyParameters q = p;
    spoil(&q);
    EXPECT_FALSE(CopyLimitsOf(q, 512, 65536).can_copy());
  }
}

// ---- Sense data ----

ScsiSense Sense(absl::string_view hex) {
  const std::string bytes = absl::HexStringToBytes(Plain(hex));
  return DecodeSense({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

TEST(ScsiEncodingTest, SenseDataOfBothFormats) {
  const ScsiSense fixed = Sense(Plain("f0000300001234 0a 00000000 1103 00 000000"));
  EXPECT_TRUE(fixed.valid);
  EXPECT_FALSE(fixed.deferred);
  EXPECT_EQ(fixed.key, ScsiSenseKey::kMediumError);
  EXPECT_EQ(fixed.asc, 0x11);
  EXPECT_EQ(fixed.ascq, 0x03);
  const ScsiSense descriptor = Sense(Plain("72052608 00000000"));
  EXPECT_TRUE(descriptor.valid);
  EXPECT_EQ(descriptor.key, ScsiSenseKey::kIllegalRequest);
  EXPECT_EQ(descriptor.asc, 0x26);
  EXPECT_EQ(descriptor.ascq, 0x08);
  EXPECT_TRUE(Sense("71000400000000 0a 00000000 4400").deferred);
  EXPECT_TRUE(Sense("73040000 00000000").deferred);
}

TEST(ScsiEncodingTest, AnAbortedCopySaysAtWhichSegment) {
  EXPECT_EQ(Sense("70000a00000000 0a 00000105 0d01 00 000000").segment, 0x105);
  EXPECT_EQ(Sense("720a0d01 00000018 000a8000 1122334455667788 010a0000 0000010500000000")
                .segment,
            0x105);
  // Those bytes mean something else for other keys.
  EXPECT_EQ(Sense("70000300000000 0a 00000105 1100").segment, 0);
}

TEST(ScsiEncodingTest, SenseDataThatIsCutOffOrUnknownIsNoHarm) {
  EXPECT_FALSE(Sense("").valid);
  EXPECT_FALSE(Sense("7f000500").valid);
  EXPECT_FALSE(Sense("7200").valid);
  const ScsiSense cut = Sense("70000a");
  EXPECT_TRUE(cut.valid);
  EXPECT_EQ(cut.key, ScsiSenseKey::kCopyAborted);
  EXPECT_EQ(cut.asc, 0);
  EXPECT_EQ(cut.segment, 0);
  EXPECT_EQ(Sense("720a0d01 000000ff 010a0000").segment, 0);
}

}  // namespace
}  // namespace gleaner
