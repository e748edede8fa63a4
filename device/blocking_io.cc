#include "device/blocking_io.h"

#include <optional>

#include "base/status_macros.h"

namespace gleaner {
namespace {

// Calls submit(done) and waits for that one operation.
template <typename Submit>
absl::Status RunOne(IoQueue& queue, Submit submit) {
  std::optional<absl::Status> status;
  const auto try_submit = [&] {
    return submit([&status](const OpResult& result) { status = result.status; });
  };
  absl::Status submitted = try_submit();
  while (
      absl::IsResourceExhausted(submitted)) {  // the queue is full of others' operations
    GLEANER_RETURN_IF_ERROR(queue.Wait());
    submitted = try_submit();
  }
  GLEANER_RETURN_IF_ERROR(submitted);
  while (!status.has_value()) GLEANER_RETURN_IF_ERROR(queue.Wait());
  return *status;
}

}  // namespace

absl::Status ReadBlocks(IoQueue& queue, DeviceRange range, char* data) {
  return RunOne(queue,
                [&](OpDone done) { return queue.Read(range, data, std::move(done)); });
}

absl::Status WriteBlocks(IoQueue& queue, DeviceRange range, const char* data) {
  return RunOne(
      queue, [&](OpDone done) { return queue.Write(range, data, {}, std::move(done)); });
}

absl::Status FlushDevice(IoQueue& queue) {
  return RunOne(queue, [&](OpDone done) { return queue.Flush(std::move(done)); });
}

absl::Status ReadBlocks(Device& device, DeviceRange range, char* data) {
  GLEANER_ASSIGN_OR_RETURN(const auto queue, device.OpenQueue(1));
  return ReadBlocks(*queue, range, data);
}

absl::Status WriteBlocks(Device& device, DeviceRange range, const char* data) {
  GLEANER_ASSIGN_OR_RETURN(const auto queue, device.OpenQueue(1));
  return WriteBlocks(*queue, range, data);
}

absl::Status FlushDevice(Device& device) {
  GLEANER_ASSIGN_OR_RETURN(const auto queue, device.OpenQueue(1));
  return FlushDevice(*queue);
}

}  // namespace gleaner
