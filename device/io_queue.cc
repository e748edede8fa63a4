// The part of a queue that is the same for every backend: checks, splitting, completions,
// counts.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "device/device.h"

namespace gleaner {
namespace {

std::string Name(DeviceRange range) {
  return absl::StrCat("blocks ", range.start.value(), "+", range.count.value());
}

absl::Status CheckRangeOf(const Device& device, DeviceRange range) {
  if (range.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(device.name(), ": an empty range at block ", range.start.value()));
  }
  const DeviceBlockCount capacity = device.geometry().capacity;
  if (!InBounds(range, capacity)) {
    return absl::OutOfRangeError(absl::StrCat(
        device.name(), ": ", Name(range), " are past the end, block ", capacity.value()));
  }
  return absl::OkStatus();
}

// A drive that answers has power; a path that is gone may have taken the drive with it.
bool MayHaveLostPower(const OpResult& result) {
  constexpr uint8_t kPathRelated = 3;
  return absl::IsUnavailable(result.status) && !result.answered &&
         ((result.nvme.type == 0 && result.nvme.code == 0) ||
          result.nvme.type == kPathRelated);
}

}  // namespace

IoQueue::IoQueue(Device* device, int depth)
    : device_(*device), geometry_(device->geometry()), ops_(depth), pieces_(depth) {
  // Taken from the back: low numbers first, so that a shallow use touches little memory.
  for (int i = depth - 1; i >= 0; --i) {
    free_ops_.push_back(i);
    free_pieces_.push_back(i);
  }
}

IoQueue::~IoQueue() = default;

absl::Status IoQueue::CheckWritable() const {
  if (device_.access() == Access::kReadWrite) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat(device_.name(), " was opened read-only"));
}

absl::Status IoQueue::CheckRange(DeviceRange range) const {
  return CheckRangeOf(device_, range);
}

absl::Status IoQueue::CheckWriteRange(DeviceRange range) const {
  GLEANER_RETURN_IF_ERROR(CheckRange(range));
  if (!geometry_.zoned()) return absl::OkStatus();
  const DeviceBlock writable_end =
      geometry_.ZoneStart(range.start) + geometry_.zone_capacity;
  if (range.end() <= writable_end) return absl::OkStatus();
  return absl::OutOfRangeError(absl::StrCat(device_.name(), ": ", Name(range),
                                            " are past their zone's capacity, block ",
                                            writable_end.value()));
}

absl::Status IoQueue::CheckBuffer(const char* data) const {
  if (data != nullptr &&
      reinterpret_cast<uintptr_t>(data) % geometry_.buffer_alignment == 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(device_.name(),
                                                 ": the buffer is not aligned to ",
                                                 geometry_.buffer_alignment, " bytes"));
}

absl::Status IoQueue::CheckZone(DeviceBlock zone) const {
  if (!geometry_.zoned()) {
    return absl::UnimplementedError(absl::StrCat(device_.name(), " is not zoned"));
  }
  GLEANER_RETURN_IF_ERROR(CheckRange({zone, DeviceBlockCount(1)}));
  if (geometry_.ZoneStart(zone) == zone) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(device_.name(), ": no zone starts at block ", zone.value()));
}

absl::Status IoQueue::CheckCopy(const Device& from, absl::Span<const DeviceRange> sources,
                                DeviceBlock target) const {
  const CopyLimits limits = device_.copy_limits_from(from);
  if (!limits.can_copy()) {
    return absl::UnimplementedError(absl::StrCat(
        device_.name(), " cannot copy", &from == &device_ ? "" : " natively from ",
        &from == &device_ ? "" : from.name()));
  }
  DeviceBlockCount total;
  for (const DeviceRange& source : sources) {
    GLEANER_RETURN_IF_ERROR(CheckRangeOf(from, source));
    if (source.count.value() > limits.max_range_blocks) {
      return absl::InvalidArgumentError(
          absl::StrCat(device_.name(), ": source ", Name(source),
                       " exceed the limit of a range, ", limits.max_range_blocks));
    }
    total += source.count;
  }
  if (sources.empty() || sources.size() > limits.max_copy_ranges ||
      total.value() > limits.max_copy_blocks) {
    return absl::InvalidArgumentError(
        absl::StrCat(device_.name(), ": a copy of ", total.value(), " blocks in ",
                     sources.size(), " ranges is not within the limits, ",
                     limits.max_copy_blocks, " blocks in ", limits.max_copy_ranges));
  }
  const DeviceRange written{target, total};
  GLEANER_RETURN_IF_ERROR(CheckWriteRange(written));
  return CheckCopyWindows(from, sources, written);
}

absl::Status IoQueue::CheckCopyWindows(const Device& from,
                                       absl::Span<const DeviceRange> sources,
                                       DeviceRange written) const {
  const auto leaves = [](const Device& device, absl::string_view what, DeviceRange range,
                         const CopyWindow& window) {
    return absl::InvalidArgumentError(absl::StrCat(
        device.name(), ": ", what, " ", Name(range), " of a copy cross the end of a ",
        device.geometry().zoned() ? "zone" : "chunk or member", ", block ",
        window.range.end().value()));
  };
  const CopyWindow target = device_.copy_window(written.start);
  if (written.end() > target.range.end()) {
    return leaves(device_, "target", written, target);
  }
  for (const DeviceRange& source : sources) {
    const CopyWindow window = from.copy_window(source.start);
    if (source.end() > window.range.end()) return leaves(from, "source", source, window);
    if (&from != &device_) continue;
    if (source.overlaps(written)) {
      return absl::InvalidArgumentError(
          absl::StrCat(device_.name(), ": source ", Name(source),
                       " of a copy overlap its target, ", Name(written)));
    }
    if (window.domain != target.domain) {
      return absl::InvalidArgumentError(absl::StrCat(
          device_.name(), ": source ", Name(source),
          " of a copy lie on another member than its target, ", Name(written)));
    }
  }
  return absl::OkStatus();
}

absl::Status IoQueue::Read(DeviceRange range, char* data, OpDone done) {
  GLEANER_RETURN_IF_ERROR(CheckRange(range));
  GLEANER_RETURN_IF_ERROR(CheckBuffer(data));
  Piece whole;
  whole.type = OpType::kRead;
  whole.range = range;
  whole.data = data;
  return Submit(whole, {}, std::move(done));
}

absl::Status IoQueue::Write(DeviceRange range, const char* data,
                            const WriteOptions& options, OpDone done) {
  GLEANER_RETURN_IF_ERROR(CheckWritable());
  GLEANER_RETURN_IF_ERROR(CheckWriteRange(range));
  GLEANER_RETURN_IF_ERROR(CheckBuffer(data));
  Piece whole;
  whole.type = OpType::kWrite;
  whole.range = range;
  whole.data = const_cast<char*>(data);
  whole.hint = options.hint;
  return Submit(whole, {}, std::move(done));
}

absl::Status IoQueue::Append(DeviceBlock zone, DeviceBlockCount count, const char* data,
                             const WriteOptions& options, OpDone done) {
  GLEANER_RETURN_IF_ERROR(CheckWritable());
  GLEANER_RETURN_IF_ERROR(CheckZone(zone));
  GLEANER_RETURN_IF_ERROR(CheckWriteRange({zone, count}));
  GLEANER_RETURN_IF_ERROR(CheckBuffer(data));
  if (count > geometry_.max_transfer) {
    return absl::InvalidArgumentError(absl::StrCat(
        device_.name(), ": an append of ", count.value(),
        " blocks exceeds the transfer limit, ", geometry_.max_transfer.value()));
  }
  Piece whole;
  whole.type = OpType::kAppend;
  whole.range = {zone, count};
  whole.data = const_cast<char*>(data);
  whole.hint = options.hint;
  return Submit(whole, {}, std::move(done));
}

absl::Status IoQueue::WriteZeroes(DeviceRange range, OpDone done) {
  GLEANER_RETURN_IF_ERROR(CheckWritable());
  GLEANER_RETURN_IF_ERROR(CheckWriteRange(range));
  Piece whole;
  whole.type = OpType::kWriteZeroes;
  whole.range = range;
  return Submit(whole, {}, std::move(done));
}

absl::Status IoQueue::Copy(absl::Span<const DeviceRange> sources, DeviceBlock target,
                           const CopyOptions& options, OpDone done) {
  return CopyFrom(device_, sources, target, options, std::move(done));
}

absl::Status IoQueue::CopyFrom(const Device& from, absl::Span<const DeviceRange> sources,
                               DeviceBlock target, const CopyOptions& options,
                               OpDone done) {
  GLEANER_RETURN_IF_ERROR(CheckWritable());
  GLEANER_RETURN_IF_ERROR(CheckCopy(from, sources, target));
  Piece whole;
  whole.type = OpType::kCopy;
  whole.from = &from;
  whole.range.start = target;
  whole.range.count = TotalBlocks(sources);
  whole.hint = options.hint;
  return Submit(whole, sources, std::move(done));
}

absl::Status IoQueue::Deallocate(DeviceRange range, OpDone done) {
  GLEANER_RETURN_IF_ERROR(CheckWritable());
  if (geometry_.zoned()) {
    return absl::UnimplementedError(
        absl::StrCat(device_.name(), " is zoned: reset the zone instead"));
  }
  GLEANER_RETURN_IF_ERROR(CheckRange(range));
  Piece whole;
  whole.type = OpType::kDeallocate;
  whole.range = range;
  return Submit(whole, {}, std::move(done));
}

absl::Status IoQueue::Flush(OpDone done) {
  Piece whole;
  whole.type = OpType::kFlush;
  whole.range = {DeviceBlock(0), DeviceBlockCount(0)};
  return Submit(whole, {}, std::move(done));
}

absl::Status IoQueue::Forward(const Piece& piece, IoQueue& to, OpDone done) {
  const DeviceBlock start = piece.range.start;
  const WriteOptions options{.hint = piece.hint};
  switch (piece.type) {
    case OpType::kRead:
      return to.Read(piece.range, piece.data, std::move(std::move(done)));
    case OpType::kWrite:
      return to.Write(piece.range, piece.data, options, std::move(std::move(done)));
    case OpType::kAppend:
      return to.Append(start, piece.range.count, piece.data, options,
                       std::move(std::move(done)));
    case OpType::kWriteZeroes:
      return to.WriteZeroes(piece.range, std::move(std::move(done)));
    case OpType::kCopy:
      return to.Copy(piece.sources, start, {.hint = piece.hint},
                     std::move(std::move(done)));
    case OpType::kDeallocate:
      return to.Deallocate(piece.range, std::move(std::move(done)));
    case OpType::kFlush:
      return to.Flush(std::move(done));
    case OpType::kZoneOpen:
      return to.ZoneOpen(start, std::move(std::move(done)));
    case OpType::kZoneClose:
      return to.ZoneClose(start, std::move(std::move(done)));
    case OpType::kZoneFinish:
      return to.ZoneFinish(start, std::move(std::move(done)));
    case OpType::kZoneReset:
      return to.ZoneReset(start, std::move(std::move(done)));
  }
  return absl::InternalError("unknown operation");
}

absl::Status IoQueue::ZoneOpen(DeviceBlock zone, OpDone done) {
  return SubmitZoneOperation(OpType::kZoneOpen, zone, std::move(done));
}
absl::Status IoQueue::ZoneClose(DeviceBlock zone, OpDone done) {
  return SubmitZoneOperation(OpType::kZoneClose, zone, std::move(done));
}
absl::Status IoQueue::ZoneFinish(DeviceBlock zone, OpDone done) {
  return SubmitZoneOperation(OpType::kZoneFinish, zone, std::move(done));
}
absl::Status IoQueue::ZoneReset(DeviceBlock zone, OpDone done) {
  return SubmitZoneOperation(OpType::kZoneReset, zone, std::move(done));
}

absl::Status IoQueue::SubmitZoneOperation(OpType type, DeviceBlock zone, OpDone done) {
  GLEANER_RETURN_IF_ERROR(CheckWritable());
  GLEANER_RETURN_IF_ERROR(CheckZone(zone));
  Piece whole;
  whole.type = type;
  whole.range = {zone, DeviceBlockCount(0)};
  return Submit(whole, {}, std::move(done));
}

absl::Status IoQueue::Submit(const Piece& whole, absl::Span<const DeviceRange> sources,
                             OpDone done) {
  if (free_ops_.empty()) {
    return absl::ResourceExhaustedError(
        absl::StrCat(device_.name(), ": ", depth(), " operations are in flight"));
  }
  const uint32_t index = free_ops_.back();
  free_ops_.pop_back();
  Op& op = ops_[index];
  op.whole = whole;
  op.whole.op_ = index;
  op.sources.assign(sources.begin(), sources.end());
  op.whole.sources = op.sources;
  op.sent = DeviceBlockCount(0);
  op.all_sent = false;
  op.result = OpResult();
  op.done = std::move(done);
  ++in_flight_;
  if (!SendPieces(index)) waiting_.push_back(index);
  return absl::OkStatus();
}

bool IoQueue::SendPieces(uint32_t op_index) {
  Op& op = ops_[op_index];
  // Parts of one write to a zone must reach the device one after another.
  const bool one_by_one = geometry_.zoned() && (op.whole.type == OpType::kWrite ||
                                                op.whole.type == OpType::kWriteZeroes);
  while (!op.all_sent) {
    if (free_pieces_.empty() || (one_by_one && op.pieces_in_flight > 0)) return false;
    const uint32_t id = free_pieces_.back();
    free_pieces_.pop_back();
    const DeviceBlockCount length = NextPieceLength(op);
    Piece& piece = pieces_[id];
    piece = op.whole;
    piece.range = {op.whole.range.start + op.sent, length};
    if (piece.data != nullptr) piece.data += op.sent.value() * geometry_.block_bytes;
    op.sent += length;
    op.all_sent = op.sent == op.whole.range.count;
    ++op.pieces_in_flight;
    DoStart(id, piece);
  }
  return true;
}

DeviceBlockCount IoQueue::NextPieceLength(const Op& op) const {
  const DeviceBlockCount left = op.whole.range.count - op.sent;
  switch (op.whole.type) {
    case OpType::kRead:
    case OpType::kWrite:
    case OpType::kWriteZeroes:
    case OpType::kDeallocate: {
      const DeviceBlock at = op.whole.range.start + op.sent;
      const DeviceBlockCount in_window = device_.copy_window(at).range.end() - at;
      return op.whole.type == OpType::kDeallocate
                 ? std::min(left, in_window)
                 : std::min({left, in_window, geometry_.max_transfer});
    }
    default:
      return left;
  }
}

void IoQueue::Finish(uint32_t id, const OpResult& result) {
  const uint32_t index = pieces_[id].op_;
  free_pieces_.push_back(id);
  Op& op = ops_[index];
  --op.pieces_in_flight;
  if (geometry_.volatile_write_cache && MayHaveLostPower(result)) device_.CountLoss();
  if (op.result.status.ok()) op.result = result;
  if (!result.status.ok()) op.all_sent = true;  // the rest is not worth sending
  if (op.all_sent && op.pieces_in_flight == 0) finished_.push_back(index);
}

void IoQueue::SendWaiting() {
  if (waiting_.empty()) return;
  std::erase_if(waiting_, [this](uint32_t index) { return SendPieces(index); });
}

int IoQueue::RunCompletions() {
  // Before any slot is freed: an operation that failed half sent still stands in
  // waiting_.
  SendWaiting();
  running_.swap(finished_);
  const int count = static_cast<int>(running_.size());
  in_completion_ = true;
  for (uint32_t index : running_) {
    Op& op = ops_[index];
    if (op.result.status.ok()) {
      device_.Count(op.whole.type, op.whole.range.count.value(), op.sources.size());
    }
    // The completion may submit, and then reuse this slot.
    OpDone done = std::move(op.done);
    const OpResult result = std::move(op.result);
    free_ops_.push_back(index);
    --in_flight_;
    done(result);
  }
  in_completion_ = false;
  running_.clear();
  return count;
}

int IoQueue::Poll() {
  GLEANER_CHECK(!in_completion_);
  if (in_flight_ == 0) return 0;
  DoReap(ReapMode::kPoll);
  return RunCompletions();
}

absl::Status IoQueue::Wait() {
  GLEANER_CHECK(!in_completion_);
  if (in_flight_ == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(device_.name(), ": nothing is in flight to wait for"));
  }
  do {
    DoReap(finished_.empty() ? ReapMode::kWait : ReapMode::kPoll);
  } while (RunCompletions() == 0);
  return absl::OkStatus();
}

}  // namespace gleaner
