// A device that fails in the ways that drives fail, by a written and seeded model, in front of one
// that does not: to see what the software above does then.
//
//   FaultModel model;
//   model.fail = 0.01;
//   model.partial = 0.05;
//   std::unique_ptr<Device> faulty = MakeFaultyDevice(std::move(device), model);
//   // or: OpenDevice("faulty:seed=7,fail=0.01,partial=0.05;mem:size=1G")
//
// Each operation meets at most one fault, drawn when it starts; the same seed and the same
// operations in the same order give the same faults. What a fault leaves behind:
//
//   fail     nothing is done, and the operation fails with a status that NVMe has for it
//   partial  a copy ends at some range: those before it are copied, it is not, later ones may be;
//            Dword 0 says which. A write leaves a part of itself. Then as `fail`
//   wrong    a copy says that it succeeded and has left out its last block: only verification can
//            tell
//   hang     the operation is done, but fails with DeadlineExceeded after `hang_ms`
//   slow     the operation is done, `slow_ms` later
//   lost     the drive loses power: the operation and all others in flight fail with Unavailable,
//            and of what had completed since the last flush a seeded choice is undone. Then the
//            device works again
//
// More of `lost`. Writes, write-zeroes, copies and deallocations can be undone. Each block, or all
// blocks together that lie in one unit of Geometry::atomic_write, goes back to before some of the
// operations that no flush has covered, to before all of them at most; a flush covers what device.h
// says. Of the operations in flight in the queue that met the cut each was done or not, and if so
// can be undone, too. Each cut counts in Device::losses(). With `lost` above zero operations run one
// after another, inside Poll and Wait, the old contents of what they change being read first: up to
// kMostUnflushedBytes are kept; before there are more the drive writes its cache out, so that nothing of it is
// undone, and an operation on more than that never is. Zoned devices do without: a write pointer
// cannot be set back from outside.
//
// The device may also lie: commands beyond real_copy_blocks, real_copy_ranges or real_range_blocks
// fail with Command Size Limit Exceeded, though its limits say more.
//
// Thread-safe as every device; the order of draws between threads is theirs.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "device/device.h"

namespace gleaner {

constexpr uint64_t kMostUnflushedBytes = 64 << 20;

struct FaultModel {
  uint64_t seed = 1;
  // Probabilities for one operation; together at most 1.
  double fail = 0;
  double partial = 0;  // of copies and writes
  double wrong = 0;    // of copies
  double hang = 0;
  double slow = 0;
  double lost = 0;           // unflushed data, by a power cut
  bool copies_only = false;  // nothing else meets a fault
  uint32_t hang_ms = 10;
  uint32_t slow_ms = 1;
  // What the device takes in truth; zero: what it says.
  uint64_t real_copy_blocks = 0;
  uint32_t real_copy_ranges = 0;
  uint64_t real_range_blocks = 0;

  double sum() const { return fail + partial + wrong + hang + slow + lost; }
};

// `clock` measures slow and hanging operations. InvalidArgument: probabilities that are none, or
// add up to more than 1; `lost` of a zoned device.
absl::StatusOr<std::unique_ptr<Device>> MakeFaultyDevice(
    std::unique_ptr<Device> device, const FaultModel& model,
    const Clock& clock = Clock::Real());

}  // namespace gleaner
