// What the tests of the copy engine share: small devices, blocks whose contents name
// their place, and a way to run a job to its end.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "device/aligned_buffer.h"
#include "device/blocking_io.h"
#include "device/copy_engine.h"
#include "device/mem_device.h"
#include "tests/testing/status_matchers.h"

namespace gleaner::testing {

inline DeviceRange Blocks(uint64_t start, uint64_t count) {
  return {DeviceBlock(start), DeviceBlockCount(count)};
}

// Odd limits: 24 blocks a command, 4 ranges of at most 7.
inline std::unique_ptr<MemDevice> Mem(uint64_t blocks, uint32_t block_bytes = 4096,
                                      uint64_t zone_blocks = 0,
                                      uint64_t zone_capacity = 0) {
  MemDeviceOptions options;
  options.name = absl::StrCat("mem", block_bytes);
  options.capacity = DeviceBlockCount(blocks);
  options.block_bytes = block_bytes;
  options.zone_size = DeviceBlockCount(zone_blocks);
  options.zone_capacity = DeviceBlockCount(zone_capacity);
  options.copy_limits = {
      .max_copy_blocks = 24, .max_copy_ranges = 4, .max_range_blocks = 7};
  auto device = MemDevice::Create(options);
  EXPECT_THAT(device, IsOk());
  return *std::move(device);
}

// Fills blocks with words that name their place.
inline void FillDevice(Device& device, DeviceRange range, uint64_t seed) {
  const uint32_t block_bytes = device.geometry().block_bytes;
  AlignedBuffer buffer(range.count.value() * block_bytes);
  for (size_t at = 0; at < buffer.size(); at += sizeof(uint64_t)) {
    const uint64_t word = Mix64(seed ^ (range.start.value() * block_bytes + at));
    std::memcpy(buffer.data() + at, &word, sizeof(word));
  }
  ASSERT_THAT(WriteBlocks(device, range, buffer.data()), IsOk());
}

inline std::string Contents(Device& device, uint64_t start, uint64_t count) {
  AlignedBuffer buffer(count * device.geometry().block_bytes);
  EXPECT_THAT(ReadBlocks(device, Blocks(start, count), buffer.data()), IsOk());
  return std::string(buffer.data(), buffer.size());
}

inline std::unique_ptr<CopyEngine> Engine(Device& target, CopyMode mode,
                                          CopyEngineOptions options = {}) {
  options.mode = mode;
  auto engine = CopyEngine::Create(&target, options, Clock::Real());
  EXPECT_THAT(engine, IsOk());
  return *std::move(engine);
}

// Runs one job to its end.
inline CopyResult RunJob(CopyEngine& engine, CopyJob job) {
  CopyResult result;
  result.status = absl::UnknownError("not completed");
  const absl::Status started =
      engine.Start(std::move(job), [&](const CopyResult& r) { result = r; });
  if (!started.ok()) {
    result.status = started;
    return result;
  }
  while (!engine.idle()) EXPECT_THAT(engine.Wait(), IsOk());
  return result;
}

inline uint64_t Copied(const CopiedRun& run) {
  return (run.native + run.emulated).value();
}

}  // namespace gleaner::testing
