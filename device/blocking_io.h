// One operation at a time, for callers that have nothing else to do meanwhile.
//
//   AlignedBuffer buffer(device->geometry().block_bytes);
//   GLEANER_RETURN_IF_ERROR(ReadBlocks(*device, {DeviceBlock(7), DeviceBlockCount(1)},
//                                      buffer.data()));
//
// Each returns the operation's own status (see OpResult), or why it was refused (see
// IoQueue). The forms that take a queue run its other completions, too, while they wait;
// they must not be called from a completion. The forms that take a device open a queue
// for the one operation, which costs some tens of microseconds on a real device; they are
// thread-safe.
#pragma once

#include "absl/status/status.h"
#include "base/types.h"
#include "device/device.h"

namespace gleaner {

absl::Status ReadBlocks(IoQueue& queue, DeviceRange range, char* data);
absl::Status WriteBlocks(IoQueue& queue, DeviceRange range, const char* data);
absl::Status FlushDevice(IoQueue& queue);

absl::Status ReadBlocks(Device& device, DeviceRange range, char* data);
absl::Status WriteBlocks(Device& device, DeviceRange range, const char* data);
absl::Status FlushDevice(Device& device);

}  // namespace gleaner
