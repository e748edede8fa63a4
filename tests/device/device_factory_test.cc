#include "device/device_factory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "device/marker.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::IsOk;
using ::gleaner::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(ParseSizeTest, DigitsAndASuffix) {
  EXPECT_EQ(*ParseSize("1"), 1u);
  EXPECT_EQ(*ParseSize("4096"), 4096u);
  EXPECT_EQ(*ParseSize("3K"), 3072u);
  EXPECT_EQ(*ParseSize("16M"), 16777216u);
  EXPECT_EQ(*ParseSize("1G"), 1073741824u);
  EXPECT_EQ(*ParseSize("2T"), 2199023255552u);
  EXPECT_EQ(*ParseSize("9223372036854775807"), 9223372036854775807u);
}

TEST(ParseSizeTest, RefusesTheRest) {
  for (const char* text :
       {"", "K", "1k", "1KB", "1 K", " 1", "-1", "+1", "1.5G", "0x10", "1e3", "G1"}) {
    EXPECT_THAT(ParseSize(text), StatusIs(kInvalid, HasSubstr("is not a size"))) << text;
  }
  EXPECT_THAT(ParseSize("0"), StatusIs(kInvalid, HasSubstr("zero")));
  EXPECT_THAT(ParseSize("0G"), StatusIs(kInvalid, HasSubstr("zero")));
  EXPECT_THAT(ParseSize("8388608T"),
              StatusIs(kInvalid, HasSubstr("more than a device can have")));
  EXPECT_THAT(ParseSize("99999999999999999999"), StatusIs(kInvalid));
}

TEST(ParseSpecTest, TakesApart) {
  ASSERT_OK_AND_ASSIGN(const DeviceSpec mem, ParseSpec("mem:size=1G,block=512"));
  EXPECT_EQ(mem.backend, "mem");
  EXPECT_EQ(mem.argument, "");
  EXPECT_THAT(mem.values, ElementsAre(Pair("size", "1G"), Pair("block", "512")));
  EXPECT_EQ(*mem.Find("block"), "512");
  EXPECT_EQ(mem.Find("zone"), nullptr);

  ASSERT_OK_AND_ASSIGN(const DeviceSpec file,
                       ParseSpec("file:/a:b/c,d/e=f g,,h,size=2M"));
  EXPECT_EQ(file.argument, "/a:b/c,d/e=f g,,h");
  EXPECT_THAT(file.values, ElementsAre(Pair("size", "2M")));
}

TEST(ParseSpecTest, NvmeTakesANodeAndNothingElse) {
  ASSERT_OK_AND_ASSIGN(const DeviceSpec nvme, ParseSpec("nvme:/dev/nvme0n1p2"));
  EXPECT_EQ(nvme.argument, "/dev/nvme0n1p2");
  EXPECT_THAT(ParseSpec("nvme:"), StatusIs(kInvalid, HasSubstr("NODE is missing")));
  EXPECT_THAT(ParseSpec("nvme:/dev/nvme0n1,block=512"),
              StatusIs(kInvalid, HasSubstr("takes no keys, but \"block\" is given")));
  EXPECT_THAT(OpenDevice("nvme:/dev/null"),
              StatusIs(kInvalid, HasSubstr("/dev/null is no NVMe namespace")));
}

TEST(ParseSpecTest, FaultyStandsInFrontOfAnother) {
  ASSERT_OK_AND_ASSIGN(const DeviceSpec spec,
                       ParseSpec("faulty:seed=7,fail=0.1;faulty:;mem:size=1M"));
  EXPECT_THAT(spec.values, ElementsAre(Pair("seed", "7"), Pair("fail", "0.1")));
  EXPECT_THAT(spec.inner, ElementsAre("faulty:;mem:size=1M"));
  EXPECT_THAT(ParseSpec("faulty:seed=7"),
              StatusIs(kInvalid, HasSubstr("the device behind it is missing")));
  EXPECT_THAT(ParseSpec("faulty:seed=7;"), StatusIs(kInvalid));
  EXPECT_THAT(ParseSpec("faulty:fial=1;mem:size=1M"),
              StatusIs(kInvalid, HasSubstr("\"fail\"")));
  EXPECT_THAT(ParseSpec("faulty:;men:size=1M"), StatusIs(kInvalid, HasSubstr("\"mem\"")));
}

TEST(ParseSpecTest, MembersWithASemicolonStandInParentheses) {
  ASSERT_OK_AND_ASSIGN(
      const DeviceSpec spec,
      ParseSpec("stripe:64K;(faulty:seed=1;mem:size=1M);mem:size=1M;(file:/a(b);c)"));
  EXPECT_EQ(spec.argument, "64K");
  EXPECT_THAT(spec.inner,
              ElementsAre("faulty:seed=1;mem:size=1M", "mem:size=1M", "file:/a(b);c"));
  ASSERT_OK_AND_ASSIGN(
      const DeviceSpec nested,
      ParseSpec("concat:(stripe:4K;mem:size=1M;(faulty:;mem:size=1M));file:/a)b("));
  EXPECT_EQ(nested.argument, "");
  EXPECT_THAT(nested.inner,
              ElementsAre("stripe:4K;mem:size=1M;(faulty:;mem:size=1M)", "file:/a)b("));
  // Behind faulty stands one SPEC, which needs none.
  ASSERT_OK_AND_ASSIGN(const DeviceSpec faulty,
                       ParseSpec("faulty:;(concat:mem:size=1M;mem:size=1M)"));
  EXPECT_THAT(faulty.inner, ElementsAre("concat:mem:size=1M;mem:size=1M"));
  ASSERT_OK_AND_ASSIGN(const DeviceSpec bare,
                       ParseSpec("faulty:;concat:mem:size=1M;mem:size=1M"));
  EXPECT_EQ(bare.inner, faulty.inner);
}

TEST(ParseSpecTest, RefusesMembersThatCannotBe) {
  const auto refuses = [](const char* spec, const char* message) {
    EXPECT_THAT(ParseSpec(spec), StatusIs(kInvalid, ::testing::StartsWith(message)))
        << spec;
  };
  refuses("stripe:64K", "stripe: the device behind it is missing, as in stripe:CHUNK;");
  refuses("stripe:;mem:size=1M;mem:size=1M", "stripe: CHUNK is missing");
  refuses("stripe:64K;mem:size=1M", "stripe: two members or more, not one");
  refuses("concat:mem:size=1M", "concat: two members or more, not one");
  refuses("concat:", "concat: member 1: ");
  refuses("stripe:64K;mem:size=1M;", "stripe: member 2: ");
  refuses("stripe:64K;mem:size=1M;men:size=1M",
          "stripe: member 2: unknown device \"men\"");
  refuses(
      "stripe:64K;faulty:seed=1;mem:size=1M",
      "stripe: member 1: faulty: the device behind it is missing (as one of several it "
      "stands in parentheses)");
  refuses("stripe:64K;(mem:size=1M;mem:size=1M",
          "stripe: no \")\" matches the first \"(\" of \"(mem:size=1M;mem:size=1M\"");
  refuses("stripe:64K;(mem:size=1M)x;mem:size=1M",
          "stripe: \"x;mem:size=1M\" follows a SPEC in parentheses");
  refuses("faulty:;(mem:size=1M);", "faulty: \";\" follows a SPEC in parentheses");
  std::string deep;
  for (int i = 0; i < 20; ++i) deep += "faulty:;";
  refuses((deep + "mem:size=1M").c_str(), "SPECs are nested more than 16 deep");
}

TEST(ParseSpecTest, NamesTheNearestBackendAndKey) {
  EXPECT_THAT(ParseSpec("men:size=1G"), StatusIs(kInvalid, HasSubstr("\"mem\"")));
  EXPECT_THAT(ParseSpec("mem:sise=1G"), StatusIs(kInvalid, HasSubstr("\"size\"")));
  EXPECT_THAT(ParseSpec("mem:size=1G,max_copy_range=4"),
              StatusIs(kInvalid, HasSubstr("\"max_copy_ranges\"")));
  EXPECT_THAT(ParseSpec("file:/x,sise=1G"), StatusIs(kInvalid, HasSubstr("\"size\"")));
  EXPECT_THAT(ParseSpec("/dev/sda"), StatusIs(kInvalid, HasSubstr("file:/dev/sda")));
  EXPECT_THAT(ParseSpec(""), StatusIs(kInvalid));
}

TEST(ParseSpecTest, RefusesWhatIsIncomplete) {
  EXPECT_THAT(ParseSpec("mem:size"), StatusIs(kInvalid, HasSubstr("needs a value")));
  EXPECT_THAT(ParseSpec("mem:size="), StatusIs(kInvalid, HasSubstr("needs a value")));
  EXPECT_THAT(ParseSpec("mem:size=1G,"), StatusIs(kInvalid));
  EXPECT_THAT(ParseSpec("mem:size=1G,size=1G"), StatusIs(kInvalid, HasSubstr("twice")));
  EXPECT_THAT(ParseSpec("file:"), StatusIs(kInvalid, HasSubstr("PATH is missing")));
  EXPECT_THAT(ParseSpec("file"), StatusIs(kInvalid, HasSubstr("PATH is missing")));
  EXPECT_THAT(ParseSpec("file:,size=1G"),
              StatusIs(kInvalid, HasSubstr("PATH is missing")));
}

TEST(DeviceBackendsTest, EveryRowDescribesItself) {
  for (const DeviceBackend& backend : DeviceBackends()) {
    EXPECT_THAT(backend.synopsis, HasSubstr(absl::StrCat(backend.name, ":")));
    for (const char* key : backend.keys) {
      EXPECT_THAT(backend.synopsis, HasSubstr(absl::StrCat(key, "=")));
    }
  }
}

TEST(OpenDeviceTest, MemTakesEveryKey) {
  ASSERT_OK_AND_ASSIGN(
      const auto device,
      OpenDevice("mem:size=1G,block=512,zone=64M,zone_capacity=48M,max_open=14,"
                 "max_copy_blocks=5,max_copy_ranges=2,max_range_blocks=3"));
  const Geometry& g = device->geometry();
  EXPECT_EQ(g.block_bytes, 512u);
  EXPECT_EQ(g.capacity, DeviceBlockCount(2097152));
  EXPECT_EQ(g.zone_size, DeviceBlockCount(131072));
  EXPECT_EQ(g.zone_capacity, DeviceBlockCount(98304));
  EXPECT_EQ(g.max_open_zones, 14u);
  EXPECT_EQ(
      device->hardware_copy_limits(),
      (CopyLimits{.max_copy_blocks = 5, .max_copy_ranges = 2, .max_range_blocks = 3}));
}

TEST(OpenDeviceTest, MemDefaults) {
  ASSERT_OK_AND_ASSIGN(const auto device, OpenDevice("mem:size=1M"));
  EXPECT_EQ(device->geometry().block_bytes, 4096u);
  EXPECT_FALSE(device->geometry().zoned());
  EXPECT_EQ(device->copy_limits(), (CopyLimits{.max_copy_blocks = 1024,
                                               .max_copy_ranges = 128,
                                               .max_range_blocks = 128}));
}

TEST(OpenDeviceTest, MemWithoutCopy) {
  ASSERT_OK_AND_ASSIGN(const auto device, OpenDevice("mem:size=1M,max_copy_blocks=0"));
  EXPECT_FALSE(device->copy_limits().can_copy());
}

TEST(OpenDeviceTest, RefusesAbsurdValues) {
  for (const auto& [spec, message] : std::vector<std::pair<std::string, std::string>>{
           {"mem", "size is missing"},
           {"mem:block=512", "size is missing"},
           {"mem:size=0", "size: a size of zero"},
           {"mem:size=1000", "not a multiple of the block, 4096 bytes"},
           {"mem:size=4000000T", "128 TiB"},
           {"mem:size=1M,block=1000", "power of two"},
           {"mem:size=1M,block=1M", "power of two"},
           {"mem:size=1M,zone=384K", "multiple of the zone size"},
           {"mem:size=1M,zone=0", "zone: a size of zero"},
           {"mem:size=1M,zone_capacity=64K", "without a zone size"},
           {"mem:size=1M,max_open=-1", "max_open: \"-1\" is not a number"},
           {"mem:size=1M,max_copy_ranges=4294967296", "is not a number"},
           {"file:/nowhere,size=0", "size: a size of zero"},
           {"faulty:fail=1.5;mem:size=1M", "fault rate of 1.5 is not from 0 to 1"},
           {"faulty:fail=0.6,slow=0.6;mem:size=1M", "add up to 1.2"},
           {"faulty:fail=often;mem:size=1M", "\"often\" is not a number"},
           {"faulty:fail=nan;mem:size=1M", "not from 0 to 1"},
           {"faulty:seed=1;mem", "size is missing"},
           {"stripe:0;mem:size=1M;mem:size=1M", "stripe: CHUNK: a size of zero"},
           {"stripe:x;mem:size=1M;mem:size=1M", "stripe: CHUNK: \"x\" is not a size"},
           {"stripe:6000;mem:size=1M;mem:size=1M", "stripe: a chunk of 6000 bytes"},
           {"stripe:2M;mem:size=1M;mem:size=1M", "no room for a chunk of 2097152 bytes"},
           {"stripe:64K;mem:size=1M;mem", "stripe: member 2: mem: size is missing"},
           {"concat:mem:size=1M;mem:size=1M,block=512", "has blocks of 512 bytes"},
           {"concat:mem:size=1M;mem:size=1M,zone=64K", "has zones of 16 blocks"},
           {"stripe:64K;mem:size=1M,zone=64K;mem:size=1M,zone=64K", "is zoned"},
           {"file:/nowhere,size=1G,block=5", "power of two"}}) {
    EXPECT_THAT(OpenDevice(spec), StatusIs(kInvalid, HasSubstr(message))) << spec;
  }
}

class OpenFileTest : public ::testing::Test {
 protected:
  OpenFileTest() : path_(absl::StrCat(::testing::TempDir(), "/factory.", getpid())) {}
  ~OpenFileTest() override { unlink(path_.c_str()); }

  void MakeFile(absl::string_view text) {
    const int fd = open(path_.c_str(), O_CREAT | O_WRONLY, 0600);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(ftruncate(fd, 8 << 20), 0);
    ASSERT_EQ(pwrite(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    close(fd);
  }
  std::string Spec(absl::string_view rest = "") const {
    return absl::StrCat("file:", path_, rest);
  }

  const std::string path_;
};

TEST_F(OpenFileTest, CreatesAndReopens) {
  EXPECT_THAT(OpenDevice(Spec()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(path_)));
  {
    ASSERT_OK_AND_ASSIGN(const auto device, OpenDevice(Spec(",size=1M,block=512")));
    EXPECT_EQ(device->geometry().block_bytes, 512u);
    EXPECT_EQ(device->geometry().capacity, DeviceBlockCount(2048));
    const AlignedBuffer zeroes(512);  // one that was never written would go again
    EXPECT_THAT(
        WriteBlocks(*device, {DeviceBlock(0), DeviceBlockCount(1)}, zeroes.data()),
        IsOk());
  }
  EXPECT_THAT(OpenDevice(Spec(",size=2M")),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("1048576"), HasSubstr("2097152"))));
  EXPECT_THAT(OpenDevice(Spec(",size=1M")), IsOk());
}

TEST_F(OpenFileTest, ForeignDataIsOverwrittenOnlyByForce) {
  MakeFile("somebody's database");
  EXPECT_THAT(OpenDevice(Spec()),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(path_), HasSubstr("--force"))));
  OpenOptions options;
  options.access = Access::kReadOnly;
  EXPECT_THAT(OpenDevice(Spec(), options), IsOk());
  options.access = Access::kReadWrite;
  options.force = true;
  EXPECT_THAT(OpenDevice(Spec(), options), IsOk());
}

// Each member is looked at by itself, though it is the whole that will be written.
TEST_F(OpenFileTest, ForeignDataOnOneMemberIsOverwrittenOnlyByForce) {
  MakeFile("somebody's database");
  const std::string spec = absl::StrCat("stripe:64K;mem:size=1M;", Spec());
  EXPECT_THAT(OpenDevice(spec), StatusIs(absl::StatusCode::kFailedPrecondition,
                                         AllOf(HasSubstr("stripe: member 2: file:"),
                                               HasSubstr("--force"))));
  OpenOptions options;
  options.access = Access::kReadOnly;
  {
    ASSERT_OK_AND_ASSIGN(const auto device, OpenDevice(spec, options));
    EXPECT_EQ(device->access(), Access::kReadOnly);
  }
  options.access = Access::kReadWrite;
  options.force = true;
  EXPECT_THAT(OpenDevice(spec, options), IsOk());
  EXPECT_THAT(OpenDevice(absl::StrCat("concat:", Spec(), ";", Spec()), options),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("concat: member 2: "), HasSubstr("in use"))));
}

TEST_F(OpenFileTest, OurOwnDataIsOverwritten) {
  MakeFile({kGleanerMarker, kGleanerMarkerBytes});
  EXPECT_THAT(OpenDevice(Spec()), IsOk());
}

}  // namespace
}  // namespace gleaner
