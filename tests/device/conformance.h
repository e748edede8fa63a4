// What the conformance suites share: the list of backends, and a fixture that opens each.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "device/device.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {

struct Backend {
  std::string name;
  // A fresh, empty device: at least 512 blocks, a multiple of 64. If zoned, zones of 64
  // blocks with a capacity of 48, at most 3 open and 4 active. If it can copy, at most
  // max_copy_blocks in 3 ranges of at most 8.
  std::function<absl::StatusOr<std::unique_ptr<Device>>(Access access)> open;
  bool copies = false;
  bool zoned = false;
  uint64_t max_copy_blocks = 16;
};

// Every backend, in the variants that matter. A new backend is one more row here. The last,
// "given", is the device that the environment's GLEANER_TEST_DEVICE names by its SPEC, if it
// names one: everything on it is lost.
std::vector<Backend> Backends();
// Those that a suite applies to: no case is run, and skipped, on the others.
std::vector<Backend> BackendsThat(const std::function<bool(const Backend&)>& fit);

inline DeviceRange Blocks(uint64_t start, uint64_t count) {
  return {DeviceBlock(start), DeviceBlockCount(count)};
}

inline OpDone Ignore() {
  return [](const OpResult&) {};
}

// A device, a queue, and buffers whose contents name their block and version.
class DeviceConformanceTest : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Open(Access::kReadWrite, 8));
    ASSERT_EQ(zoned(), GetParam().zoned);
    ASSERT_EQ(device_->hardware_copy_limits().can_copy(), GetParam().copies);
  }

  void Open(Access access, int depth) {
    queue_.reset();
    device_.reset();
    ASSERT_OK_AND_ASSIGN(device_, GetParam().open(access));
    ASSERT_OK_AND_ASSIGN(queue_, device_->OpenQueue(depth));
  }
  void OpenQueue(int depth) {
    queue_.reset();
    ASSERT_OK_AND_ASSIGN(queue_, device_->OpenQueue(depth));
  }

  const Geometry& geometry() const { return device_->geometry(); }
  bool zoned() const { return geometry().zoned(); }
  uint64_t capacity() const { return geometry().capacity.value(); }

  AlignedBuffer Buffer(uint64_t blocks) const {
    return AlignedBuffer(blocks * geometry().block_bytes);
  }
  // Blocks whose contents differ from each other and by version.
  AlignedBuffer Stamped(DeviceRange range, uint64_t version) const {
    AlignedBuffer buffer = Buffer(range.count.value());
    for (size_t at = 0; at < buffer.size(); at += sizeof(uint64_t)) {
      const uint64_t block = range.start.value() + at / geometry().block_bytes;
      const uint64_t word = Mix64(block ^ Mix64(version)) + at % geometry().block_bytes;
      std::memcpy(buffer.data() + at, &word, sizeof(word));
    }
    return buffer;
  }
  void WriteStamped(DeviceRange range, uint64_t version) {
    const AlignedBuffer buffer = Stamped(range, version);
    ASSERT_THAT(WriteBlocks(*queue_, range, buffer.data()), IsOk());
  }
  void ExpectContents(DeviceRange range, absl::string_view expected) {
    AlignedBuffer buffer = Buffer(range.count.value());
    ASSERT_THAT(ReadBlocks(*queue_, range, buffer.data()), IsOk());
    EXPECT_TRUE(buffer.view() == expected) << "contents differ in " << range;
  }
  void ExpectStamped(DeviceRange range, uint64_t version) {
    ExpectContents(range, Stamped(range, version).view());
  }
  void ExpectZeroes(DeviceRange range) {
    ExpectContents(range, Buffer(range.count.value()).view());
  }
  // Submits an operation, waits for it, returns its result.
  OpResult Run(const std::function<absl::Status(OpDone)>& submit) {
    OpResult result;
    result.status = absl::UnknownError("not completed");
    const absl::Status submitted = submit([&](const OpResult& r) { result = r; });
    if (!submitted.ok()) {
      result.status = submitted;
      return result;
    }
    EXPECT_THAT(queue_->Wait(), IsOk());
    return result;
  }
  OpResult Copy(std::vector<DeviceRange> sources, uint64_t target) {
    return Run([&](OpDone done) {
      return queue_->Copy(sources, DeviceBlock(target), {}, std::move(done));
    });
  }
  ZoneInfo Zone(uint64_t block) {
    auto zones = device_->ReportZones(Blocks(block, 1));
    EXPECT_THAT(zones, IsOk());
    EXPECT_EQ(zones->size(), 1u);
    return zones->front();
  }

  std::unique_ptr<Device> device_;
  std::unique_ptr<IoQueue> queue_;
};

}  // namespace gleaner::testing
