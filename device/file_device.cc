#include "device/file_device.h"

#include <fcntl.h>
#include <linux/blkzoned.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "device/aligned_buffer.h"
#include "device/errno_status.h"
#include "device/exclusive_open.h"
#include "device/file_queue.h"

namespace gleaner {
namespace {

constexpr uint32_t kDefaultBlockBytes = 4096;
constexpr uint64_t kMaxTransferBytes = 1 << 20;

// Owns a file descriptor, and a file that it created until that is kept: one that could not
// be set up, or was never written, is not left behind.
class OpenedFile {
 public:
  OpenedFile(FileDescriptor fd, FileKind kind) : fd_(std::move(fd)), kind_(kind) {}
  OpenedFile(OpenedFile&& other) noexcept
      : fd_(std::move(other.fd_)),
        kind_(other.kind_),
        created_(std::exchange(other.created_, {})) {}
  OpenedFile& operator=(OpenedFile&&) = delete;
  ~OpenedFile() {
    if (!created_.empty()) unlink(created_.c_str());
  }

  int fd() const { return fd_.get(); }
  FileKind kind() const { return kind_; }
  void set_created(const std::string& path) { created_ = path; }
  void Keep() { created_.clear(); }

 private:
  FileDescriptor fd_;
  FileKind kind_;
  std::string created_;
};

class FileDevice : public Device {
 public:
  FileDevice(std::string name, Access access, const Geometry& geometry, OpenedFile file)
      : Device(std::move(name), access, geometry, CopyLimits()), file_(std::move(file)) {}
  ~FileDevice() override {
    const DeviceCounters c = counters();
    if (c.writes + c.write_zeroes + c.deallocates > 0) file_.Keep();
  }

 protected:
  absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int depth) override {
    return FileQueue::Create(this, file_.fd(), file_.kind(), depth);
  }

 private:
  OpenedFile file_;
};

// Refuses a regular file that anybody else has open. Both locks are advisory and local:
// enough against a second Gleaner, a loop device, a virtual machine.
absl::Status TakeRegularFile(int fd, const std::string& path) {
  GLEANER_RETURN_IF_ERROR(LockExclusively(fd, path));
  // A write lease is granted only on a file that nobody else has open. It is given back
  // at once: kept, it would make others wait. Where leases are not to be had, this check
  // is not either.
  if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
    fcntl(fd, F_SETLEASE, F_UNLCK);
  } else if (errno == EAGAIN) {
    return InUseError(path, "another process has it open");
  }
  return absl::OkStatus();
}

absl::StatusOr<OpenedFile> CreateFile(const std::string& path,
                                      const FileDeviceOptions& options) {
  FileDescriptor fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.is_open()) return ErrnoStatus(errno, absl::StrCat("cannot create ", path));
  OpenedFile file(std::move(fd), FileKind::kRegular);
  file.set_created(path);
  GLEANER_RETURN_IF_ERROR(TakeRegularFile(file.fd(), path));
  if (ftruncate(file.fd(), static_cast<off_t>(options.create_bytes)) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot make ", path, " ",
                                           options.create_bytes, " bytes long"));
  }
  return file;
}

absl::StatusOr<OpenedFile> OpenExisting(const std::string& path, mode_t mode,
                                        Access access) {
  if (!S_ISREG(mode) && !S_ISBLK(mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is neither a regular file nor a block device"));
  }
  GLEANER_ASSIGN_OR_RETURN(FileDescriptor fd, OpenExclusively(path, mode, access));
  OpenedFile file(std::move(fd),
                  S_ISBLK(mode) ? FileKind::kBlockDevice : FileKind::kRegular);
  // As a device without zones it would fail at the first write out of order.
  uint32_t zone_sectors = 0;
  if (S_ISBLK(mode) && ioctl(file.fd(), BLKGETZONESZ, &zone_sectors) == 0 &&
      zone_sectors != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is zoned, which file: does not know; nvme: does"));
  }
  if (S_ISREG(mode) && access == Access::kReadWrite) {
    GLEANER_RETURN_IF_ERROR(TakeRegularFile(file.fd(), path));
  }
  return file;
}

absl::StatusOr<OpenedFile> OpenOrCreate(const std::string& path,
                                        const FileDeviceOptions& options) {
  // Not opened blindly: opening a pipe would block, opening a tape would rewind it.
  struct stat st;
  if (stat(path.c_str(), &st) == 0) return OpenExisting(path, st.st_mode, options.access);
  if (errno != ENOENT || options.create_bytes == 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot open ", path));
  }
  if (options.access == Access::kReadOnly) {
    return absl::NotFoundError(absl::StrCat(path, " does not exist"));
  }
  return CreateFile(path, options);
}

absl::StatusOr<uint64_t> SizeInBytes(const OpenedFile& file, const std::string& path) {
  if (file.kind() == FileKind::kBlockDevice) {
    uint64_t bytes = 0;
    if (ioctl(file.fd(), BLKGETSIZE64, &bytes) == 0) return bytes;
  } else {
    struct stat st;
    if (fstat(file.fd(), &st) == 0) return static_cast<uint64_t>(st.st_size);
  }
  return ErrnoStatus(errno, absl::StrCat("cannot find the size of ", path));
}

absl::StatusOr<uint32_t> BlockBytes(const OpenedFile& file, const std::string& path,
                                    uint32_t wanted) {
  if (wanted != 0 && (wanted < 512 || wanted > 65536 || (wanted & (wanted - 1)) != 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": the block must be a power of two from 512 to 65536 bytes"));
  }
  if (file.kind() == FileKind::kRegular) return wanted == 0 ? kDefaultBlockBytes : wanted;
  int logical = 0;
  if (ioctl(file.fd(), BLKSSZGET, &logical) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot find the block size of ", path));
  }
  const uint32_t least = static_cast<uint32_t>(logical);
  if (wanted == 0 || wanted >= least) return std::max(wanted, least);
  return absl::InvalidArgumentError(
      absl::StrCat(path, " has blocks of ", least, " bytes, not ", wanted));
}

// What direct I/O wants a buffer's address to be a multiple of; a whole block where the
// kernel does not say.
uint32_t BufferAlignment(int fd, uint32_t block_bytes) {
  struct statx stx;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) != 0 ||
      (stx.stx_mask & STATX_DIOALIGN) == 0 || stx.stx_dio_mem_align == 0) {
    return block_bytes;
  }
  return std::clamp<uint32_t>(stx.stx_dio_mem_align, 512, block_bytes);
}

// Switches direct I/O on. If the file system refuses it altogether, says so; if it only
// refuses such small blocks, that is the caller's error.
absl::Status EnableDirectIo(const OpenedFile& file, const std::string& path,
                            const FileDeviceOptions& options, uint32_t block_bytes) {
  const int flags = fcntl(file.fd(), F_GETFL);
  if (fcntl(file.fd(), F_SETFL, flags | O_DIRECT) != 0) {
    if (options.message) {
      options.message(
          absl::StrCat(path, ": direct I/O is refused here; using the page cache"));
    }
    return absl::OkStatus();
  }
  AlignedBuffer probe(block_bytes);
  if (pread(file.fd(), probe.data(), block_bytes, 0) >= 0 || errno != EINVAL) {
    return absl::OkStatus();  // an error of another kind is for the read that needs the
                              // data
  }
  return absl::InvalidArgumentError(absl::StrCat(path, ": direct I/O in blocks of ",
                                                 block_bytes, " bytes is refused here"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> OpenFileDevice(const std::string& path,
                                                       const FileDeviceOptions& options) {
  GLEANER_ASSIGN_OR_RETURN(OpenedFile file, OpenOrCreate(path, options));
  GLEANER_ASSIGN_OR_RETURN(const uint64_t bytes, SizeInBytes(file, path));
  if (options.create_bytes != 0 && bytes != options.create_bytes) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " exists and has ", bytes, " bytes, not ", options.create_bytes));
  }
  GLEANER_ASSIGN_OR_RETURN(const uint32_t block_bytes,
                           BlockBytes(file, path, options.block_bytes));
  if (bytes < block_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, " has ", bytes, " bytes, less than one block of ", block_bytes));
  }
  GLEANER_RETURN_IF_ERROR(EnableDirectIo(file, path, options, block_bytes));
  Geometry geometry;
  geometry.block_bytes = block_bytes;
  geometry.capacity = DeviceBlockCount(bytes / block_bytes);
  geometry.max_transfer = DeviceBlockCount(kMaxTransferBytes / block_bytes);
  geometry.buffer_alignment = BufferAlignment(file.fd(), block_bytes);
  geometry.volatile_write_cache = true;
  return std::make_unique<FileDevice>(absl::StrCat("file:", path), options.access,
                                      geometry, std::move(file));
}

}  // namespace gleaner
