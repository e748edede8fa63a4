// What is particular to files: creation, sizes, exclusion, errors of the file system. The
// rest is in the conformance suites.
#include "device/file_device.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "tests/device/direct_io_refusal.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::DirectIoRefusal;
using ::gleaner::testing::IsOk;
using ::gleaner::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

DeviceRange Blocks(uint64_t start, uint64_t count) {
  return {DeviceBlock(start), DeviceBlockCount(count)};
}

class FileDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = absl::StrCat(::testing::TempDir(), "/file_device_test.XXXXXX");
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    path_ = directory_ + "/log";
  }
  void TearDown() override {
    device_.reset();
    unlink(path_.c_str());
    rmdir(directory_.c_str());
  }
  void MakeFile(uint64_t bytes) {
    const int fd = open(path_.c_str(), O_CREAT | O_WRONLY, 0600);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(ftruncate(fd, static_cast<off_t>(bytes)), 0);
    close(fd);
  }
  off_t FileBytes() const {
    struct stat st;
    return stat(path_.c_str(), &st) == 0 ? st.st_size : -1;
  }
  static FileDeviceOptions Create(uint64_t bytes) {
    FileDeviceOptions options;
    options.create_bytes = bytes;
    return options;
  }
  static FileDeviceOptions ReadOnly() {
    FileDeviceOptions options;
    options.access = Access::kReadOnly;
    return options;
  }

  std::string directory_;
  std::string path_;
  std::unique_ptr<Device> device_;
};

TEST_F(FileDeviceTest, CreatesASparseFileOfTheSizeAskedFor) {
  ASSERT_OK_AND_ASSIGN(device_, OpenFileDevice(path_, Create(1 << 20)));
  EXPECT_EQ(device_->name(), "file:" + path_);
  EXPECT_EQ(device_->geometry().block_bytes, 4096u);
  EXPECT_EQ(device_->geometry().capacity, DeviceBlockCount(256));
  EXPECT_TRUE(device_->geometry().volatile_write_cache);
  struct stat st;
  ASSERT_EQ(stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_size, 1 << 20);
  EXPECT_EQ(st.st_blocks, 0);
}

TEST_F(FileDeviceTest, ContentsSurviveClosing) {
  ASSERT_OK_AND_ASSIGN(device_, OpenFileDevice(path_, Create(1 << 20)));
  AlignedBuffer data(4096);
  data.data()[17] = 'x';
  ASSERT_THAT(WriteBlocks(*device_, Blocks(255, 1), data.data()), IsOk());
  device_.reset();
  ASSERT_OK_AND_ASSIGN(device_, OpenFileDevice(path_, {}));
  AlignedBuffer back(4096);
  ASSERT_THAT(ReadBlocks(*device_, Blocks(255, 1), back.data()), IsOk());
  EXPECT_TRUE(back.view() == data.view());
}

TEST_F(FileDeviceTest, AMissingFileIsAnErrorUnlessItsSizeIsGiven) {
  EXPECT_THAT(OpenFileDevice(path_, {}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(path_)));
  FileDeviceOptions options = ReadOnly();
  options.create_bytes = 4096;
  EXPECT_THAT(OpenFileDevice(path_, options), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(OpenFileDevice(directory_ + "/missing/log", Create(4096)),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(FileBytes(), -1);
}

TEST_F(FileDeviceTest, AnExistingFileOfAnotherSizeIsLeftAlone) {
  MakeFile(8192);
  for (uint64_t bytes : {4096, 1 << 20}) {
    EXPECT_THAT(OpenFileDevice(path_, Create(bytes)),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         AllOf(HasSubstr("8192"), HasSubstr(absl::StrCat(bytes)))));
    EXPECT_EQ(FileBytes(), 8192);
  }
  EXPECT_THAT(OpenFileDevice(path_, Create(8192)), IsOk());
}

TEST_F(FileDeviceTest, ACreatedFileThatWasNeverWrittenIsNotLeftBehind) {
  ASSERT_OK_AND_ASSIGN(device_, OpenFileDevice(path_, Create(1 << 20)));
  AlignedBuffer data(4096);
  ASSERT_THAT(ReadBlocks(*device_, Blocks(0, 1), data.data()), IsOk());
  EXPECT_EQ(FileBytes(), 1 << 20);
  device_.reset();
  EXPECT_EQ(FileBytes(), -1);

  MakeFile(1 << 20);  // not created here: it stays
  ASSERT_OK_AND_ASSIGN(device_, OpenFileDevice(path_, Create(1 << 20)));
  device_.reset();
  EXPECT_EQ(FileBytes(), 1 << 20);
}

TEST_F(FileDeviceTest, AFileThatCannotBeMadeIsNotLeftBehind) {
  EXPECT_THAT(OpenFileDevice(path_, Create(uint64_t{1} << 62)),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr(path_)));
  EXPECT_EQ(FileBytes(), -1);
  EXPECT_THAT(OpenFileDevice(path_, Create(100)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(FileBytes(), -1);
}

TEST_F(FileDeviceTest, TheRestOfAFileIsNotUsed) {
  MakeFile(3 * 4096 + 100);
  ASSERT_OK_AND_ASSIGN(device_, OpenFileDevice(path_, {}));
  EXPECT_EQ(device_->geometry().capacity, DeviceBlockCount(3));
}

TEST_F(FileDeviceTest, RefusesWhatIsNoDevice) {
  MakeFile(511);
  const auto invalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(OpenFileDevice(path_, {}),
              StatusIs(invalid, HasSubstr("less than one block")));
  EXPECT_THAT(OpenFileDevice(directory_, {}), StatusIs(invalid, HasSubstr("neither")));
  EXPECT_THAT(OpenFileDevice("/dev/null", {}), StatusIs(invalid, HasSubstr("neither")));
  for (uint32_t block_bytes : {256, 1000, 131072}) {
    FileDeviceOptions options;
    options.block_bytes = block_bytes;
    EXPECT_THAT(OpenFileDevice(path_, options),
                StatusIs(invalid, HasSubstr("power of two")));
  }
}

TEST_F(FileDeviceTest, OnlyOneWriterAtATime) {
  MakeFile(1 << 20);
  ASSERT_OK_AND_ASSIGN(device_, OpenFileDevice(path_, {}));
  EXPECT_THAT(OpenFileDevice(path_, {}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("in use")));
  EXPECT_THAT(OpenFileDevice(path_, ReadOnly()), IsOk());
  device_.reset();
  EXPECT_THAT(OpenFileDevice(path_, {}), IsOk());
}

TEST_F(FileDeviceTest, AFileThatOthersHaveOpenIsNotWritten) {
  MakeFile(1 << 20);
  for (int flags : {O_RDWR, O_RDONLY}) {
    const int other = open(path_.c_str(), flags);  // no lock: it is not one of us
    EXPECT_THAT(OpenFileDevice(path_, {}), StatusIs(absl::StatusCode::kFailedPrecondition,
                                                    HasSubstr("has it open")));
    EXPECT_THAT(OpenFileDevice(path_, ReadOnly()), IsOk());
    close(other);
  }
  EXPECT_THAT(OpenFileDevice(path_, {}), IsOk());
}

TEST_F(FileDeviceTest, ARunningProgramIsNotWritten) {
  EXPECT_THAT(
      OpenFileDevice("/proc/self/exe", {}),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("/proc/self/exe")));
}

TEST_F(FileDeviceTest, SaysOnceThatDirectIoIsRefused) {
  DirectIoRefusal refusal;
  std::vector<std::string> messages;
  FileDeviceOptions options = Create(1 << 20);
  options.message = [&](absl::string_view m) {
    messages.emplace_back(m.data(), m.size());
  };
  ASSERT_OK_AND_ASSIGN(device_, OpenFileDevice(path_, options));
  EXPECT_THAT(messages,
              ElementsAre(path_ + ": direct I/O is refused here; using the page cache"));
}

TEST_F(FileDeviceTest, SaysNothingWhereDirectIoWorks) {
  std::vector<std::string> messages;
  FileDeviceOptions options = Create(1 << 20);
  options.message = [&](absl::string_view m) {
    messages.emplace_back(m.data(), m.size());
  };
  ASSERT_OK_AND_ASSIGN(device_, OpenFileDevice(path_, options));
  EXPECT_THAT(messages, IsEmpty());
}

TEST_F(FileDeviceTest, AFileThatShrankGivesAnErrorWithTheBlock) {
  MakeFile(1 << 20);
  ASSERT_OK_AND_ASSIGN(device_, OpenFileDevice(path_, {}));
  ASSERT_EQ(truncate(path_.c_str(), 64 * 4096), 0);
  AlignedBuffer data(8 * 4096);
  EXPECT_THAT(ReadBlocks(*device_, Blocks(60, 8), data.data()),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr(path_), HasSubstr("read at block 64"))));
}

// In a namespace of its own a process may mount what it likes, if the system lets it have
// one.
bool MountSmallTmpfs(const std::string& directory) {
  if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
    return false;
  mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return mount("none", directory.c_str(), "tmpfs", 0, "size=128k") == 0;
}

TEST_F(FileDeviceTest, AFullFileSystemAndAReadOnlyOne) {
  if (!MountSmallTmpfs(directory_)) GTEST_SKIP() << "mounting is not permitted";
  ASSERT_OK_AND_ASSIGN(device_, OpenFileDevice(path_, Create(1 << 20)));
  AlignedBuffer data(64 * 4096);
  ASSERT_THAT(WriteBlocks(*device_, Blocks(0, 1), data.data()), IsOk());
  EXPECT_THAT(WriteBlocks(*device_, Blocks(8, 64), data.data()),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr(path_), HasSubstr("write at block"))));
  EXPECT_THAT(ReadBlocks(*device_, Blocks(8, 64), data.data()), IsOk());
  device_.reset();
  ASSERT_EQ(mount("none", directory_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr),
            0);
  EXPECT_THAT(OpenFileDevice(path_, {}),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(path_)));
  EXPECT_THAT(OpenFileDevice(path_, ReadOnly()), IsOk());
  EXPECT_THAT(OpenFileDevice(directory_ + "/new", Create(4096)),
              StatusIs(absl::StatusCode::kPermissionDenied));
  umount(directory_.c_str());
}

}  // namespace
}  // namespace gleaner
