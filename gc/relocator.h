// Moves data for the cleaner: on a device, through the copy engine, or in a model, where the same
// plan is compiled and counted and nothing is copied.
//
//   auto relocator = MakeModelRelocator({.limits = {1024, 128, 128}, .block_bytes = 4096});
//   relocator->Copy(moves, [](absl::Status status) { ... });
//
// This is where a store's blocks become device blocks, and nowhere else. Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/types.h"
#include "device/copy_engine.h"
#include "device/device.h"
#include "device/geometry.h"
#include "gc/block_layout.h"
#include "gc/relocation_sink.h"

namespace gleaner {

struct RelocationCounters {
  uint64_t copy_commands = 0;  // native Copy commands
  uint64_t copy_ranges = 0;    // source ranges in them
  uint64_t native_blocks = 0;
  uint64_t emulated_blocks = 0;
  uint64_t host_bytes_read = 0;  // across the host boundary, for emulated copies
  uint64_t host_bytes_written = 0;

  RelocationCounters operator-(const RelocationCounters& before) const;
  friend bool operator==(const RelocationCounters&, const RelocationCounters&) = default;
};

class Relocator {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;

  virtual ~Relocator() = default;

  // Copies the data of all moves, which stay valid until `done`. Their targets do not overlap
  // each other nor any source. After an error some may have been copied.
  virtual void Copy(absl::Span<const Move> moves, Done done) = 0;

  // Runs completions that are there; returns how many copies completed.
  virtual int Poll() = 0;
  // Blocks until a copy makes progress. FailedPrecondition: nothing is under way.
  virtual absl::Status Wait() = 0;

  virtual RelocationCounters counters() const = 0;
};

struct ModelRelocatorOptions {
  CopyLimits limits;  // in the store's blocks: the model's device has no smaller ones
  CopyMode mode = CopyMode::kAuto;  // auto: native where the limits allow it
  uint32_t block_bytes = 4096;
};
// InvalidArgument: native copies asked of limits that allow none.
absl::StatusOr<std::unique_ptr<Relocator>> MakeModelRelocator(
    const ModelRelocatorOptions& options);

// `device` and `clock` must outlive the relocator.
absl::StatusOr<std::unique_ptr<Relocator>> MakeDeviceRelocator(
    Device* device, const BlockLayout& layout, const CopyEngineOptions& options,
    const Clock& clock);

}  // namespace gleaner
