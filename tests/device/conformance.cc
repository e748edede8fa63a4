#include "tests/device/conformance.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "device/composite_device.h"
#include "device/device_factory.h"
#include "device/file_device.h"
#include "device/mem_device.h"
#include "device/nvme_device.h"
#include "device/scsi_device.h"
#include "tests/device/direct_io_refusal.h"
#include "tests/device/fake_nvme.h"
#include "tests/device/fake_scsi.h"

namespace gleaner::testing {
namespace {

using DeviceOr = absl::StatusOr<std::unique_ptr<Device>>;

MemDeviceOptions MemOptions(Access access) {
  MemDeviceOptions options;
  options.access = access;
  options.capacity = DeviceBlockCount(512);
  options.max_transfer = DeviceBlockCount(8);
  options.copy_limits = {
      .max_copy_blocks = 16, .max_copy_ranges = 3, .max_range_blocks = 8};
  return options;
}

DeviceOr Mem(Access access) { return MemDevice::Create(MemOptions(access)); }

DeviceOr Mem512(Access access) {
  MemDeviceOptions options = MemOptions(access);
  options.block_bytes = 512;
  return MemDevice::Create(options);
}

DeviceOr MemWithoutCopy(Access access) {
  MemDeviceOptions options = MemOptions(access);
  options.copy_limits = {};
  return MemDevice::Create(options);
}

DeviceOr MemVolatile(Access access) {
  MemDeviceOptions options = MemOptions(access);
  options.volatile_cache = true;
  return MemDevice::Create(options);
}

DeviceOr MemZoned(Access access) {
  MemDeviceOptions options = MemOptions(access);
  options.zone_size = DeviceBlockCount(64);
  options.zone_capacity = DeviceBlockCount(48);
  options.max_open_zones = 3;
  options.max_active_zones = 4;
  return MemDevice::Create(options);
}

// Members that differ in what may differ.
std::vector<std::unique_ptr<Device>> MemMembers(Access access, bool zoned) {
  std::vector<std::unique_ptr<Device>> members;
  for (uint64_t i = 0; i < 3; ++i) {
    MemDeviceOptions options = MemOptions(access);
    // The limits of zones are those of one member: the suite stays within the first.
    options.capacity = DeviceBlockCount((zoned && i == 0 ? 512 : 192) + 64 * i);
    options.max_transfer = DeviceBlockCount(8 + i);
    if (zoned) {
      options.zone_size = DeviceBlockCount(64);
      options.zone_capacity = DeviceBlockCount(48);
      options.max_open_zones = 3;
      options.max_active_zones = 4;
    }
    options.copy_limits.max_copy_blocks += i;
    options.copy_limits.max_copy_ranges += 2 - i;
    options.copy_limits.max_range_blocks += i % 2;
    members.push_back(*MemDevice::Create(options));
  }
  return members;
}

// Chunks that what the suites copy stays within.
DeviceOr Stripe(Access access) {
  return MakeStripeDevice(MemMembers(access, false), 192 * 4096);
}

DeviceOr StripeOfSmallChunks(Access access) {
  std::vector<std::unique_ptr<Device>> members = MemMembers(access, false);
  members.push_back(*MemWithoutCopy(access));
  return MakeStripeDevice(std::move(members), 3 * 4096);
}

DeviceOr Concat(Access access) { return MakeConcatDevice(MemMembers(access, false)); }

DeviceOr ConcatZoned(Access access) { return MakeConcatDevice(MemMembers(access, true)); }

DeviceOr ConcatOfStripes(Access access) {
  std::vector<std::unique_ptr<Device>> stripes;
  for (int i = 0; i < 2; ++i) {
    GLEANER_ASSIGN_OR_RETURN(auto stripe, StripeOfSmallChunks(access));
    stripes.push_back(std::move(stripe));
  }
  return MakeConcatDevice(std::move(stripes));
}

// A file of 512 blocks in `directory`, with no name left once it is open.
DeviceOr TemporaryFile(const std::string& directory, uint32_t block_bytes,
                       Access access) {
  static int files = 0;
  const std::string path =
      absl::StrCat(directory, "/conformance.", getpid(), ".", files++);
  FileDeviceOptions options;
  options.access = access;
  options.block_bytes = block_bytes;
  options.create_bytes = uint64_t{512} * block_bytes;
  if (access == Access::kReadOnly) {  // which creates nothing
    const int fd = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY, 0600);
    GLEANER_CHECK(fd >= 0 &&
                  ftruncate(fd, static_cast<off_t>(options.create_bytes)) == 0);
    close(fd);
  }
  DeviceOr device = OpenFileDevice(path, options);
  unlink(path.c_str());
  return device;
}

DeviceOr File(Access access) { return TemporaryFile(::testing::TempDir(), 4096, access); }

DeviceOr File512(Access access) {
  return TemporaryFile(::testing::TempDir(), 512, access);
}

DeviceOr FileInTmpfs(Access access) { return TemporaryFile("/dev/shm", 4096, access); }

DeviceOr FileInPageCache(Access access) {
  DirectIoRefusal refusal;
  return TemporaryFile(::testing::TempDir(), 512, access);
}

FakeNvmeSetup NvmeSetup() {
  FakeNvmeSetup setup;
  setup.controller.mdts = 3;  // eight pages
  return setup;
}

// A namespace of its own for every opening; the one before has been closed.
DeviceOr Nvme(const FakeNvmeSetup& setup, std::string (FakeNvme::*node)() const,
              Access access) {
  static std::unique_ptr<FakeNvme> fake;
  fake.reset();
  fake = std::make_unique<FakeNvme>(setup);
  return OpenNvmeDevice((fake.get()->*node)(), fake->options(access));
}

DeviceOr NvmeBlockNode(Access access) {
  return Nvme(NvmeSetup(), &FakeNvme::block_node, access);
}

DeviceOr Nvme512(Access access) {
  FakeNvmeSetup setup = NvmeSetup();
  setup.controller.block_bytes = 512;
  return Nvme(setup, &FakeNvme::generic_node, access);
}

DeviceOr NvmePartition(Access access) {
  FakeNvmeSetup setup = NvmeSetup();
  setup.controller.blocks = 700;
  setup.nodes.partition_start = 8 * 100;
  setup.nodes.partition_sectors = 8 * 512;
  return Nvme(setup, &FakeNvme::partition_node, access);
}

// Nothing that is optional.
DeviceOr NvmeBare(Access access) {
  FakeNvmeSetup setup = NvmeSetup();
  setup.controller.oncs = 0;
  setup.nodes.generic = false;
  return Nvme(setup, &FakeNvme::block_node, access);
}

DeviceOr NvmeZoned(Access access) {
  FakeNvmeSetup setup = NvmeSetup();
  setup.controller.zone_blocks = 64;
  setup.controller.zone_capacity = 48;
  setup.controller.mor_0 = 2;
  setup.controller.mar_0 = 3;
  return Nvme(setup, &FakeNvme::generic_node, access);
}

// A disk of its own for every opening; the one before has been closed.
DeviceOr Scsi(const FakeScsiSetup& setup, std::string (FakeScsi::*node)() const,
              Access access) {
  static std::unique_ptr<FakeScsi> fake;
  fake.reset();
  fake = std::make_unique<FakeScsi>(setup);
  return OpenScsiDevice((fake.get()->*node)(), fake->options(access));
}

DeviceOr ScsiBlockNode(Access access) { return Scsi({}, &FakeScsi::block_node, access); }

DeviceOr Scsi512(Access access) {
  FakeScsiSetup setup;
  setup.target.block_bytes = 512;
  setup.target.max_segment_bytes = 8 * 512;
  setup.target.needs_no_list_id = true;
  setup.target.max_concurrent = 1;
  return Scsi(setup, &FakeScsi::generic_node, access);
}

DeviceOr ScsiPartition(Access access) {
  FakeScsiSetup setup;
  setup.target.blocks = 700;
  setup.nodes.partition_start = 8 * 100;
  setup.nodes.partition_sectors = 8 * 512;
  return Scsi(setup, &FakeScsi::partition_node, access);
}

// Nothing that is optional.
DeviceOr ScsiBare(Access access) {
  FakeScsiSetup setup;
  setup.target.third_party_copy = false;
  setup.target.has_vital_pages = false;
  setup.target.has_mode_sense_10 = false;
  setup.target.has_mode_sense_6 = false;
  setup.target.has_write_same = false;
  setup.target.unmaps = false;
  setup.target.max_transfer_blocks = 1000;
  setup.nodes.max_segments = "";
  return Scsi(setup, &FakeScsi::block_node, access);
}

// SPEC of a device that is there, of the shape that Backend demands; null: none is given.
const char* GivenSpec() { return std::getenv("GLEANER_TEST_DEVICE"); }

// Zeroes every block: resets all zones where there are zones, else writes.
absl::Status Empty(Device& device) {
  const DeviceRange all = {DeviceBlock(0), device.geometry().capacity};
  if (!device.geometry().zoned()) {
    const AlignedBuffer zeroes(all.count.value() * device.geometry().block_bytes);
    return WriteBlocks(device, all, zeroes.data());
  }
  GLEANER_ASSIGN_OR_RETURN(const auto zones, device.ReportZones(all));
  GLEANER_ASSIGN_OR_RETURN(auto queue, device.OpenQueue(1));
  absl::Status status;
  for (const ZoneInfo& zone : zones) {
    GLEANER_RETURN_IF_ERROR(queue->ZoneReset(
        zone.start, [&status](const OpResult& r) { status.Update(r.status); }));
    GLEANER_RETURN_IF_ERROR(queue->Wait());
  }
  return status;
}

DeviceOr OpenGiven(Access access) {
  OpenOptions options;
  options.access = access;
  options.force = true;
  return OpenDevice(GivenSpec(), options);
}

DeviceOr Given(Access access) {
  {
    GLEANER_ASSIGN_OR_RETURN(auto device, OpenGiven(Access::kReadWrite));
    GLEANER_RETURN_IF_ERROR(Empty(*device));
  }
  return OpenGiven(access);
}

// One that cannot be opened fails every case, which says why.
Backend GivenBackend() {
  const DeviceOr device = OpenGiven(Access::kReadOnly);
  return {.name = "given",
          .open = Given,
          .copies = device.ok() && (*device)->hardware_copy_limits().can_copy(),
          .zoned = device.ok() && (*device)->geometry().zoned()};
}

}  // namespace

std::vector<Backend> Backends() {
  std::vector<Backend> backends = {
      {.name = "mem", .open = Mem, .copies = true},
      {.name = "mem_512", .open = Mem512, .copies = true},
      {.name = "mem_without_copy", .open = MemWithoutCopy},
      {.name = "mem_volatile", .open = MemVolatile, .copies = true},
      {.name = "mem_zoned", .open = MemZoned, .copies = true, .zoned = true},
      {.name = "stripe", .open = Stripe, .copies = true},
      {.name = "stripe_of_small_chunks", .open = StripeOfSmallChunks},
      {.name = "concat", .open = Concat, .copies = true},
      {.name = "concat_zoned", .open = ConcatZoned, .copies = true, .zoned = true},
      {.name = "concat_of_stripes", .open = ConcatOfStripes},
      {.name = "file", .open = File},
      {.name = "file_512", .open = File512},
      {.name = "file_in_tmpfs", .open = FileInTmpfs},
      {.name = "file_in_page_cache", .open = FileInPageCache},
      {.name = "nvme", .open = NvmeBlockNode, .copies = true},
      {.name = "nvme_512", .open = Nvme512, .copies = true},
      {.name = "nvme_partition", .open = NvmePartition, .copies = true},
      {.name = "nvme_bare", .open = NvmeBare},
      {.name = "nvme_zoned", .open = NvmeZoned, .copies = true, .zoned = true},
      {.name = "scsi", .open = ScsiBlockNode, .copies = true, .max_copy_blocks = 24},
      {.name = "scsi_512", .open = Scsi512, .copies = true, .max_copy_blocks = 24},
      {.name = "scsi_partition",
       .open = ScsiPartition,
       .copies = true,
       .max_copy_blocks = 24},
      {.name = "scsi_bare", .open = ScsiBare},
  };
  if (GivenSpec() != nullptr) backends.push_back(GivenBackend());
  return backends;
}

std::vector<Backend> BackendsThat(const std::function<bool(const Backend&)>& fit) {
  std::vector<Backend> fitting;
  for (const Backend& backend : Backends())
    if (fit(backend)) fitting.push_back(backend);
  return fitting;
}

}  // namespace gleaner::testing
