#include "store/append_buffers.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace gleaner {

AppendBuffers::AppendBuffers(IoQueue* queue, Device* device, const BlockLayout& layout,
                             const SegmentGeometry& geometry, const Options& options)
    : queue_(queue),
      device_(device),
      zoned_(device->geometry().zoned()),
      layout_(layout),
      geometry_(geometry),
      options_(options),
      staged_(options.classes) {
  for (uint32_t i = 0; i < options.classes + options.spare_buffers; ++i) {
    free_.push_back(std::make_unique<Buffer>());
    free_.back()->memory =
        AlignedBuffer(size_t{options.buffer_blocks} * options.block_bytes);
  }
}

void AppendBuffers::Stage(ClassId log_class, PhysicalRange run, const char* data) {
  GLEANER_CHECK(run.count.value() <= options_.buffer_blocks);
  BufferPtr& buffer = staged_[log_class.value()];
  const bool follows =
      buffer != nullptr && buffer->run.end() == run.start &&
      geometry_.segment_of(buffer->run.start) == geometry_.segment_of(run.start) &&
      buffer->run.count.value() + run.count.value() <= options_.buffer_blocks;
  if (buffer != nullptr && !follows) Submit(log_class);
  if (buffer == nullptr) {
    GLEANER_CHECK(!free_.empty());
    buffer = std::move(free_.back());
    free_.pop_back();
    buffer->log_class = log_class;
    buffer->run = {run.start, BlockCount(0)};
    buffer->failed = false;
    buffer->arrived = DeviceBlockCount(0);
  }
  std::memcpy(buffer->memory.data() + buffer->run.count.value() * options_.block_bytes,
              data, run.count.value() * options_.block_bytes);
  buffer->run.count += run.count;
  if (buffer->run.count.value() == options_.buffer_blocks) Submit(log_class);
}

void AppendBuffers::Submit(ClassId log_class) {
  BufferPtr& buffer = staged_[log_class.value()];
  if (buffer == nullptr) return;
  buffer->number = next_number_++;
  waiting_.push_back(std::move(buffer));
  Pump();
}

void AppendBuffers::SubmitAll() {
  for (size_t i = 0; i < staged_.size(); ++i) Submit(ClassId(static_cast<uint8_t>(i)));
}

void AppendBuffers::Pump() {
  if (!status_.ok()) return;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (!MayGo(**it)) {
      ++it;
      continue;
    }
    if (!Start(*it)) return;
    it = waiting_.erase(it);
  }
}

bool AppendBuffers::MayGo(const Buffer& buffer) const {
  if (!zoned_) return true;
  // One write per class at a time, in order: a second one to the zone may overtake the first, and
  // one to the next zone would open it before this one is full. The same goes for held runs.
  const auto same_class = [&](const BufferPtr& other) {
    return other->log_class == buffer.log_class;
  };
  if (std::any_of(in_flight_.begin(), in_flight_.end(), same_class)) return false;
  if (std::find_if(waiting_.begin(), waiting_.end(), same_class)->get() != &buffer)
    return false;
  return !IsHeldBefore(buffer.log_class, buffer.number);
}

bool AppendBuffers::Start(BufferPtr& buffer) {
  const absl::Status submitted = Send(buffer.get());
  if (submitted.ok()) {
    in_flight_.push_back(std::move(buffer));
    return true;
  }
  // A full queue takes it later.
  if (!absl::IsResourceExhausted(submitted)) status_ = submitted;
  return false;
}

absl::Status AppendBuffers::Send(Buffer* buffer) {
  const DeviceRange run = layout_.ToDevice(buffer->run);
  const DeviceBlock next = run.start + buffer->arrived;
  if (zoned_ && buffer->failed) {
    GLEANER_ASSIGN_OR_RETURN(
        const std::vector<ZoneInfo> zones,
        device_->ReportZones(
            {device_->geometry().ZoneStart(run.start), DeviceBlockCount(1)}));
    const DeviceBlock pointer = zones.front().write_pointer;
    if (pointer < next || pointer > run.end()) {
      return absl::FailedPreconditionError(
          absl::StrCat(device_->name(), ": a zone's write pointer stands at block ",
                       pointer.value(), ", and blocks ", next.value(), "+",
                       (run.end() - next).value(), " are to be written"));
    }
    if (pointer > next) return ReadArrived(buffer, {next, pointer - next});
  }
  return queue_->Write(
      {next, run.end() - next},
      buffer->memory.data() + buffer->arrived.value() * device_->geometry().block_bytes,
      {}, [this, buffer](const OpResult& r) { Finish(buffer, r.status); });
}

absl::Status AppendBuffers::ReadArrived(Buffer* buffer, DeviceRange range) {
  buffer->read = AlignedBuffer(range.count.value() * device_->geometry().block_bytes);
  return queue_->Read(
      range, buffer->read.data(),
      [this, buffer, range](const OpResult& r) { EndRead(buffer, range, r.status); });
}

void AppendBuffers::EndRead(Buffer* buffer, DeviceRange range, absl::Status status) {
  const char* const expected =
      buffer->memory.data() + buffer->arrived.value() * device_->geometry().block_bytes;
  const AlignedBuffer read = std::move(buffer->read);
  if (status.ok() && std::memcmp(read.data(), expected, read.size()) != 0) {
    status = absl::DataLossError(absl::StrCat(
        device_->name(), ": a failed write has left something else at blocks ",
        range.start.value(), "+", range.count.value(), " of a zone"));
  }
  if (status.ok()) buffer->arrived += range.count;
  if (!status.ok() || buffer->arrived == layout_.ToDevice(buffer->run).count)
    return Finish(buffer, status);
  waiting_.push_front(TakeFromFlight(buffer));
  Pump();
}

void AppendBuffers::Finish(Buffer* written, const absl::Status& status) {
  BufferPtr buffer = TakeFromFlight(written);
  if (status.ok()) {
    blocks_written_ += buffer->run.count.value();
    free_.push_back(std::move(buffer));
  } else {
    if (status_.ok()) status_ = status;
    buffer->failed = true;
    // At the front: on a zoned device the rest of its class comes after it.
    waiting_.push_front(std::move(buffer));
  }
  Pump();
}

AppendBuffers::BufferPtr AppendBuffers::TakeFromFlight(const Buffer* buffer) {
  const auto it =
      std::find_if(in_flight_.begin(), in_flight_.end(),
                   [buffer](const BufferPtr& b) { return b.get() == buffer; });
  BufferPtr taken = std::move(*it);
  in_flight_.erase(it);
  return taken;
}

void AppendBuffers::Hold(ClassId log_class, PhysicalRange run) {
  if (zoned_) holds_.push_back({log_class, run, next_number_++});
}

void AppendBuffers::Unhold(PhysicalRange part) {
  if (!zoned_) return;
  for (auto it = holds_.begin(); it != holds_.end(); ++it) {
    if (it->run.start != part.start) continue;
    it->run = {part.end(), it->run.count - part.count};
    if (it->run.empty()) holds_.erase(it);
    break;
  }
  Pump();
}

const AppendBuffers::Held* AppendBuffers::FindHeld(PhysicalRange run) const {
  const auto held = std::find_if(holds_.begin(), holds_.end(), [run](const Held& h) {
    return h.run.start <= run.start && run.start < h.run.end();
  });
  return held == holds_.end() ? nullptr : &*held;
}

bool AppendBuffers::IsReached(PhysicalRange run) const {
  const Held* const held = FindHeld(run);
  const auto before = [held](const BufferPtr& b) {
    return b->log_class == held->log_class && b->number < held->number;
  };
  return held == nullptr || (std::none_of(waiting_.begin(), waiting_.end(), before) &&
                             std::none_of(in_flight_.begin(), in_flight_.end(), before));
}

bool AppendBuffers::IsNext(PhysicalRange run) const {
  const Held* const held = FindHeld(run);
  return held == nullptr ||
         (IsReached(run) && !IsHeldBefore(held->log_class, held->number));
}

bool AppendBuffers::IsHeldBefore(ClassId log_class, uint64_t number) const {
  return std::any_of(holds_.begin(), holds_.end(), [&](const Held& held) {
    return held.log_class == log_class && held.number < number;
  });
}

template <typename Visit>
bool AppendBuffers::AnyOf(Visit visit) const {
  for (const BufferPtr& b : staged_)
    if (b != nullptr && visit(*b)) return true;
  for (const BufferPtr& b : waiting_)
    if (visit(*b)) return true;
  for (const BufferPtr& b : in_flight_)
    if (visit(*b)) return true;
  return false;
}

bool AppendBuffers::AnyStaged() const {
  return std::any_of(staged_.begin(), staged_.end(),
                     [](const BufferPtr& b) { return b != nullptr; });
}

bool AppendBuffers::WrittenBefore(SegmentId segment, PhysicalBlock end) const {
  return !AnyOf([&](const Buffer& b) {
    return geometry_.segment_of(b.run.start) == segment && b.run.start < end;
  });
}

const char* AppendBuffers::Find(PhysicalBlock block) const {
  const char* data = nullptr;
  AnyOf([&](const Buffer& b) {
    if (!b.run.contains(block)) return false;
    data = b.memory.data() + (block - b.run.start).value() * options_.block_bytes;
    return true;
  });
  return data;
}

}  // namespace gleaner
