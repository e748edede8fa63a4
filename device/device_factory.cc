#include "device/device_factory.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "device/composite_device.h"
#include "device/faulty_device.h"
#include "device/file_device.h"
#include "device/marker.h"
#include "device/mem_device.h"
#include "device/nvme_device.h"
#include "device/scsi_device.h"

namespace gleaner {
namespace {

using OpenResult = absl::StatusOr<std::unique_ptr<Device>>;

// Reads the values of one spec; remembers the first that is wrong.
class Values {
 public:
  explicit Values(const DeviceSpec& spec) : spec_(spec) {}

  // A size in bytes; `missing` if the key is not there.
  uint64_t Bytes(absl::string_view key, uint64_t missing) {
    const std::string* text = spec_.Find(key);
    if (text == nullptr) return missing;
    const absl::StatusOr<uint64_t> bytes = ParseSize(*text);
    if (!bytes.ok()) return Wrong(key, bytes.status().message());
    return *bytes;
  }
  // The same, in device blocks.
  DeviceBlockCount Blocks(absl::string_view key, uint32_t block_bytes) {
    const uint64_t bytes = Bytes(key, 0);
    if (block_bytes == 0 || bytes % block_bytes == 0) {
      return DeviceBlockCount(block_bytes == 0 ? 0 : bytes / block_bytes);
    }
    Wrong(key, absl::StrCat(*spec_.Find(key), " is not a multiple of the block, ",
                            block_bytes, " bytes"));
    return DeviceBlockCount(0);
  }
  // A number, zero allowed.
  template <typename T>
  T Count(absl::string_view key, T missing) {
    const std::string* text = spec_.Find(key);
    if (text == nullptr) return missing;
    T value = 0;
    if (absl::SimpleAtoi(*text, &value)) return value;
    return static_cast<T>(Wrong(key, absl::StrCat("\"", *text, "\" is not a number")));
  }

  // A probability; 0 if the key is not there. Its bounds are the backend's.
  double Rate(absl::string_view key) {
    const std::string* text = spec_.Find(key);
    double value = 0;
    if (text == nullptr || absl::SimpleAtod(*text, &value)) return value;
    Wrong(key, absl::StrCat("\"", *text, "\" is not a number"));
    return 0;
  }

  const absl::Status& status() const { return status_; }

 private:
  uint64_t Wrong(absl::string_view key, absl::string_view what) {
    if (status_.ok()) {
      status_ =
          absl::InvalidArgumentError(absl::StrCat(spec_.backend, ": ", key, ": ", what));
    }
    return 0;
  }

  const DeviceSpec& spec_;
  absl::Status status_;
};

absl::StatusOr<uint32_t> BlockBytes(Values& values, uint32_t missing) {
  const uint64_t bytes = values.Bytes("block", missing);
  GLEANER_RETURN_IF_ERROR(values.status());
  if (bytes == 0 || (bytes >= 512 && bytes <= 65536 && (bytes & (bytes - 1)) == 0)) {
    return static_cast<uint32_t>(bytes);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("block: ", bytes, " is not a power of two from 512 to 65536"));
}

OpenResult OpenMem(const DeviceSpec& spec, const OpenOptions& options) {
  Values values(spec);
  if (spec.Find("size") == nullptr) {
    return absl::InvalidArgumentError("mem: size is missing, as in mem:size=1G");
  }
  MemDeviceOptions mem;
  mem.access = options.access;
  GLEANER_ASSIGN_OR_RETURN(mem.block_bytes, BlockBytes(values, mem.block_bytes));
  mem.capacity = values.Blocks("size", mem.block_bytes);
  mem.zone_size = values.Blocks("zone", mem.block_bytes);
  mem.zone_capacity = values.Blocks("zone_capacity", mem.block_bytes);
  mem.max_open_zones = values.Count("max_open", mem.max_open_zones);
  CopyLimits& limits = mem.copy_limits;
  limits.max_copy_blocks = values.Count("max_copy_blocks", limits.max_copy_blocks);
  limits.max_copy_ranges = values.Count("max_copy_ranges", limits.max_copy_ranges);
  limits.max_range_blocks = values.Count("max_range_blocks", limits.max_range_blocks);
  GLEANER_RETURN_IF_ERROR(values.status());
  return MemDevice::Create(mem);
}

OpenResult OpenFile(const DeviceSpec& spec, const OpenOptions& options) {
  Values values(spec);
  FileDeviceOptions file;
  file.access = options.access;
  GLEANER_ASSIGN_OR_RETURN(file.block_bytes, BlockBytes(values, 0));
  file.create_bytes = values.Bytes("size", 0);
  file.message = options.message;
  GLEANER_RETURN_IF_ERROR(values.status());
  return OpenFileDevice(spec.argument, file);
}

OpenResult OpenNvme(const DeviceSpec& spec, const OpenOptions& options) {
  NvmeDeviceOptions nvme;
  nvme.access = options.access;
  nvme.message = options.message;
  return OpenNvmeDevice(spec.argument, nvme);
}

OpenResult OpenScsi(const DeviceSpec& spec, const OpenOptions& options) {
  ScsiDeviceOptions scsi;
  scsi.access = options.access;
  scsi.message = options.message;
  return OpenScsiDevice(spec.argument, scsi);
}

OpenResult OpenFaulty(const DeviceSpec& spec, const OpenOptions& options) {
  Values values(spec);
  FaultModel model;
  model.seed = values.Count("seed", model.seed);
  model.fail = values.Rate("fail");
  model.partial = values.Rate("partial");
  model.wrong = values.Rate("wrong");
  model.hang = values.Rate("hang");
  model.slow = values.Rate("slow");
  model.lost = values.Rate("lost");
  model.copies_only = values.Count("copies_only", 0) != 0;
  model.hang_ms = values.Count("hang_ms", model.hang_ms);
  model.slow_ms = values.Count("slow_ms", model.slow_ms);
  model.real_copy_blocks = values.Count("real_copy_blocks", model.real_copy_blocks);
  model.real_copy_ranges = values.Count("real_copy_ranges", model.real_copy_ranges);
  model.real_range_blocks = values.Count("real_range_blocks", model.real_range_blocks);
  GLEANER_RETURN_IF_ERROR(values.status());
  GLEANER_ASSIGN_OR_RETURN(auto device, OpenDevice(spec.inner.front(), options));
  return MakeFaultyDevice(std::move(device), model);
}

absl::StatusOr<std::vector<std::unique_ptr<Device>>> OpenMembers(
    const DeviceSpec& spec, const OpenOptions& options) {
  std::vector<std::unique_ptr<Device>> members;
  for (const std::string& inner : spec.inner) {
    OpenResult member = OpenDevice(inner, options);
    if (!member.ok()) {
      return absl::Status(member.status().code(),
                          absl::StrCat(spec.backend, ": member ", members.size() + 1,
                                       ": ", member.status().message()));
    }
    members.push_back(*std::move(member));
  }
  return members;
}

OpenResult OpenStripe(const DeviceSpec& spec, const OpenOptions& options) {
  const absl::StatusOr<uint64_t> chunk = ParseSize(spec.argument);
  if (!chunk.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("stripe: CHUNK: ", chunk.status().message()));
  }
  GLEANER_ASSIGN_OR_RETURN(auto members, OpenMembers(spec, options));
  return MakeStripeDevice(std::move(members), *chunk);
}

OpenResult OpenConcat(const DeviceSpec& spec, const OpenOptions& options) {
  GLEANER_ASSIGN_OR_RETURN(auto members, OpenMembers(spec, options));
  return MakeConcatDevice(std::move(members));
}

constexpr const char* kMemKeys[] = {"size",
                                    "block",
                                    "zone",
                                    "zone_capacity",
                                    "max_open",
                                    "max_copy_blocks",
                                    "max_copy_ranges",
                                    "max_range_blocks"};
constexpr const char* kFileKeys[] = {"size", "block"};
constexpr const char* kFaultyKeys[] = {"seed",
                                       "fail",
                                       "partial",
                                       "wrong",
                                       "hang",
                                       "slow",
                                       "lost",
                                       "copies_only",
                                       "hang_ms",
                                       "slow_ms",
                                       "real_copy_blocks",
                                       "real_copy_ranges",
                                       "real_range_blocks"};

constexpr DeviceBackend kBackends[] = {
    {"mem",
     "mem:size=1G[,block=4096][,zone=64M,zone_capacity=48M,max_open=14][,max_copy_blocks="
     "1024,"
     "max_copy_ranges=128,max_range_blocks=128]: memory; executes Copy",
     nullptr, kMemKeys, false, OpenMem},
    {"file",
     "file:PATH[,size=1G][,block=4096]: a regular file (size= creates a missing one) or "
     "a block "
     "device, by direct I/O",
     "PATH", kFileKeys, false, OpenFile},
    {"nvme",
     "nvme:NODE: an NVMe namespace (/dev/nvme0n1 or /dev/ng0n1) or a partition "
     "(/dev/nvme0n1p1), with its own Copy",
     "NODE",
     {},
     false,
     OpenNvme},
    {"scsi",
     "scsi:NODE: a SCSI disk (/dev/sda or /dev/sg0) or a partition (/dev/sda1), with its "
     "own EXTENDED COPY",
     "NODE",
     {},
     false,
     OpenScsi},
    {"faulty",
     "faulty:seed=1[,fail=RATE][,partial=RATE][,wrong=RATE][,hang=RATE,hang_ms=10]"
     "[,slow=RATE,slow_ms=1][,lost=RATE][,copies_only=1][,real_copy_blocks=N][,real_copy_"
     "ranges=N]"
     "[,real_range_blocks=N];SPEC: another device, failing as told; for tests",
     nullptr, kFaultyKeys, true, OpenFaulty},
    {"stripe",
     "stripe:CHUNK;SPEC;SPEC...: several devices as one, dealt chunks of that many bytes "
     "in "
     "turn; a SPEC with a \";\" of its own stands in parentheses, "
     "stripe:1M;(faulty:;SPEC);"
     "SPEC",
     "CHUNK",
     {},
     true,
     OpenStripe,
     true},
    {"concat",
     "concat:SPEC;SPEC...: several devices as one, each after the one before; zoned "
     "ones, too",
     nullptr,
     {},
     true,
     OpenConcat,
     true},
};

}  // namespace

absl::Span<const DeviceBackend> DeviceBackends() { return kBackends; }

absl::StatusOr<std::unique_ptr<Device>> OpenDevice(absl::string_view text,
                                                   const OpenOptions& options) {
  GLEANER_ASSIGN_OR_RETURN(const DeviceSpec spec, ParseSpec(text));
  const DeviceBackend& backend =
      *std::find_if(std::begin(kBackends), std::end(kBackends),
                    [&spec](const DeviceBackend& b) { return b.name == spec.backend; });
  GLEANER_ASSIGN_OR_RETURN(std::unique_ptr<Device> device, backend.open(spec, options));
  // Of what stands in front of others, those have been looked at.
  if (options.access == Access::kReadWrite && !options.force && !backend.has_inner) {
    GLEANER_RETURN_IF_ERROR(CheckOverwritable(*device));
  }
  return device;
}

}  // namespace gleaner
