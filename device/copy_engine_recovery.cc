// What follows a failed Copy command: the rest of it is sent again, in smaller commands, or by host
// reads and writes; and a failed read or write: it is sent again. All as the table in
// copy_recovery.cc says.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "device/copy_compiler.h"
#include "device/copy_engine_impl.h"
#include "device/copy_recovery.h"

namespace gleaner {

void CopyEngine::Impl::Recover(Unit* unit, const OpResult& result) {
  ++counters_.failed_commands;
  // All ranges before the lowest that was not copied are on media; a number beyond the last range
  // is not to be believed.
  const size_t copied =
      result.ranges_copied < unit->sources.size() ? result.ranges_copied : 0;
  const auto rest = unit->sources.begin() + static_cast<ptrdiff_t>(copied);
  const CopyLimitsLearner::Shape shape = ShapeOf(unit->sources);
  DeviceBlockCount blocks = TotalBlocks({unit->sources.data(), copied});
  const std::string pointer = WrongWritePointer(*unit, &blocks);
  Credit(unit, blocks);
  unit->attempts = copied > 0 ? 1 : unit->attempts + 1;
  unit->rest.insert(unit->rest.begin(), rest, unit->sources.end());
  Job& job = *unit->job;
  RecoveryAction action = RecoveryFor(result, unit->attempts);
  const bool first = probing_ == unit && !learner_.any_accepted();
  if (probing_ == unit && learner_.IsProbe(shape))
    action = AfterFailedProbe(action, result.nvme);
  // Of two namespaces it may be the source that the controller does not have.
  if (unit->source != &target_ && result.nvme.type == 0 && result.nvme.code == 0x0b)
    action = RecoveryAction::kAbandon;
  if (!job.result.status.ok() || !pointer.empty()) action = RecoveryAction::kGiveUp;
  if (action == RecoveryAction::kSplit) {
    action = LearnFromRefusal(shape, result, unit) ? RecoveryAction::kRetry
                                                   : RecoveryAction::kAbandon;
  }
  const bool wants_emulation =
      action == RecoveryAction::kEmulate || action == RecoveryAction::kAbandon;
  if (action == RecoveryAction::kGiveUp ||
      (wants_emulation && options_.mode == CopyMode::kNative)) {
    absl::string_view why;
    if (action == RecoveryAction::kAbandon && first && unit->source == &target_) {
      why = "; it offers native copy, and refuses even one block";
      target_.LearnCopyLimits({.copy_offload = false});
    }
    Fail(job, absl::Status(result.status.code(),
                           absl::StrCat(result.status.message(), pointer, why)));
    EndUnit(unit);
  } else if (wants_emulation) {
    if (action == RecoveryAction::kAbandon && unit->source != &target_) {
      SourceOf(unit->source)->out_of_reach = true;
    } else if (action == RecoveryAction::kAbandon) {
      target_.LearnCopyLimits({.copy_offload = false});
    }
    Emulate(unit);
  } else {
    ++counters_.retries;
    ChargeAgain(TotalBlocks({&*rest, unit->sources.size() - copied}));
    SendRest(unit);
  }
}

// The first command shows whether the device copies at all. Of a later one smaller ones were
// accepted: then it is just this much that it does not copy, in whatever words it says so. Some say
// Internal Error at once.
RecoveryAction CopyEngine::Impl::AfterFailedProbe(RecoveryAction action,
                                                  const NvmeStatus& nvme) {
  constexpr int kOtherFailures = 3;
  const bool refuses =
      action == RecoveryAction::kAbandon || (nvme.type == 0 && nvme.code == 0x06);
  const bool fails =
      action == RecoveryAction::kRetry || action == RecoveryAction::kEmulate;
  if (!learner_.any_accepted()) {
    const bool unable =
        action == RecoveryAction::kEmulate && options_.mode == CopyMode::kAuto;
    return refuses || unable ? RecoveryAction::kAbandon : action;
  }
  if (refuses || (fails && ++failed_probes_ >= kOtherFailures))
    return RecoveryAction::kSplit;
  return action;
}

// A zone is written at its write pointer only: it must stand behind the blocks that the failed
// command has `copied`. What it has passed and the command did not account for is nobody knows
// what, and cannot be written again; what it has not reached is not copied. Empty if it does.
std::string CopyEngine::Impl::WrongWritePointer(const Unit& unit,
                                                DeviceBlockCount* copied) {
  const Geometry& g = target_.geometry();
  if (!g.zoned()) return "";
  const DeviceBlock first = unit.target.start + unit.done;
  const DeviceBlock next = first + *copied;
  const auto zones = target_.ReportZones({g.ZoneStart(first), DeviceBlockCount(1)});
  if (!zones.ok()) {
    *copied = DeviceBlockCount(0);
    return absl::StrCat("; and the zone cannot be asked how far it was written: ",
                        zones.status().message());
  }
  const DeviceBlock pointer = zones->front().write_pointer;
  if (pointer == next) return "";
  *copied = std::clamp(pointer, first, next) - first;
  return absl::StrCat("; the zone's write pointer stands at block ", pointer.value(),
                      ", not ", next.value());
}

CopyLimitsLearner::Shape CopyEngine::Impl::ShapeOf(absl::Span<const DeviceRange> ranges) {
  CopyLimitsLearner::Shape shape{static_cast<uint32_t>(ranges.size())};
  for (const DeviceRange& range : ranges) {
    shape.blocks += range.count.value();
    shape.longest = std::max(shape.longest, range.count.value());
  }
  return shape;
}

// False if the command cannot be smaller.
bool CopyEngine::Impl::LearnFromRefusal(CopyLimitsLearner::Shape shape,
                                        const OpResult& refusal, Unit* unit) {
  if (probing_ == unit && learner_.any_accepted() && learner_.IsProbe(shape)) {
    target_.LearnCopyLimits(learner_.Refused(shape));
    probing_ = nullptr;
    failed_probes_ = 0;
    return true;
  }
  if (shape.ranges > 1 && refusal.too_many_ranges) {
    target_.LearnCopyLimits({.max_copy_ranges = shape.ranges / 2});
    return true;
  }
  if (shape.ranges > 1) {
    unit->refused = shape;
    unit->max_ranges = shape.ranges / 2;
    return true;
  }
  if (shape.blocks == 1) return false;
  target_.LearnCopyLimits({.max_range_blocks = shape.blocks / 2});
  unit->refused = {};
  unit->max_ranges = 0;
  return true;
}

// The next command of what is left, under the limits as they are now known.
void CopyEngine::Impl::SendRest(Unit* unit) {
  CopyLimits limits = LimitsFrom(unit->source);
  if (!limits.can_copy()) {  // another command has found that out
    if (options_.mode == CopyMode::kNative) {
      Fail(*unit->job, absl::UnimplementedError(
                           absl::StrCat(target_.name(), " cannot copy natively")));
      return EndUnit(unit);
    }
    return Emulate(unit);
  }
  if (limits.unknown) limits = learner_.ForNext({}, limits, false);
  if (unit->max_ranges > 0)
    limits.max_copy_ranges = std::min(limits.max_copy_ranges, unit->max_ranges);
  unit->sources.clear();
  uint64_t room = limits.max_copy_blocks;
  while (!unit->rest.empty() && room > 0 &&
         unit->sources.size() < limits.max_copy_ranges) {
    DeviceRange& range = unit->rest.front();
    const DeviceBlockCount n(
        std::min({range.count.value(), room, limits.max_range_blocks}));
    unit->sources.push_back({range.start, n});
    range = {range.start + n, range.count - n};
    room -= n.value();
    if (range.empty()) unit->rest.pop_front();
  }
  Transfer(unit);
}

bool CopyEngine::Impl::WantsVerification(const Job& job) {
  return !job.job.checksums.empty() && sample_.NextDouble() < options_.verified_share;
}

// Reads the next part of what a command said it has copied.
void CopyEngine::Impl::VerifyNext(Unit* unit) {
  const DeviceBlockCount all = TotalBlocks(unit->sources);
  const bool failed = !unit->job->result.status.ok();
  if (unit->verified == all || failed) {
    unit->verifying = false;
    recovering_ = nullptr;
    // What was to be verified and was not does not count as copied.
    failed ? EndUnit(unit) : GoOn(unit);
    return EmulateNextInLine();
  }
  const uint64_t fit = options_.chunk_bytes / target_.geometry().block_bytes;
  const DeviceBlockCount n(std::min(fit, (all - unit->verified).value()));
  const DeviceRange range{unit->target.start + unit->done + unit->verified, n};
  const absl::Status status =
      queue_->Read(range, recovery_buffer_.data(),
                   [this, unit, n](const OpResult& r) { EndVerify(unit, n, r); });
  if (!status.ok()) Mismatch(unit, status);
}

void CopyEngine::Impl::EndVerify(Unit* unit, DeviceBlockCount blocks,
                                 const OpResult& result) {
  absl::Status status = result.status;
  if (status.ok()) {
    const DeviceRange range{unit->target.start + unit->done + unit->verified, blocks};
    counters_.host_bytes_read += blocks.value() * target_.geometry().block_bytes;
    status = CompareChecksums(*unit, unit->verified, recovery_buffer_.data(), range);
  }
  if (!status.ok()) return Mismatch(unit, status);
  counters_.verified_blocks += blocks;
  unit->verified += blocks;
  VerifyNext(unit);
}

// What the command has copied counts for nothing. In a zone it cannot be written again.
void CopyEngine::Impl::Mismatch(Unit* unit, const absl::Status& status) {
  ++counters_.mismatches;
  unit->verifying = false;
  recovering_ = nullptr;
  if (options_.mode == CopyMode::kNative || target_.geometry().zoned()) {
    Fail(*unit->job, status);
    EndUnit(unit);
    return EmulateNextInLine();
  }
  unit->rest.insert(unit->rest.begin(), unit->sources.begin(), unit->sources.end());
  Emulate(unit);
}

// `data` is `range` of the target, which begins `skip` blocks after what the unit has done.
absl::Status CopyEngine::Impl::CompareChecksums(const Unit& unit, DeviceBlockCount skip,
                                                const char* data,
                                                DeviceRange range) const {
  const std::vector<uint32_t>& checksums = unit.job->job.checksums;
  if (checksums.empty()) return absl::OkStatus();
  const uint64_t first =
      unit.job->first_checksum[unit.run] + (unit.offset + skip).value();
  const uint32_t block_bytes = target_.geometry().block_bytes;
  for (uint64_t i = 0; i < range.count.value(); ++i) {
    if (Crc32c({data + i * block_bytes, block_bytes}) == checksums[first + i]) continue;
    return absl::DataLossError(absl::StrCat(target_.name(), ": what was copied to block ",
                                            (range.start + DeviceBlockCount(i)).value(),
                                            " does not match its checksum"));
  }
  return absl::OkStatus();
}

void CopyEngine::Impl::Emulate(Unit* unit) {
  --commands_in_flight_;
  unit->path = CopyPath::kEmulated;
  unit->buffer = kRecoveryBuffer;
  to_recover_.push_back(unit);
  EmulateNextInLine();
}

void CopyEngine::Impl::EmulateNextInLine() {
  if (recovering_ != nullptr || to_recover_.empty()) return;
  recovering_ = to_recover_.front();
  to_recover_.pop_front();
  if (recovery_buffer_.size() == 0)
    recovery_buffer_ = AlignedBuffer(options_.chunk_bytes);
  Unit* const unit = recovering_;
  if (unit->verifying) return VerifyNext(unit);
  if (!unit->job->result.status.ok()) return EndUnit(unit);
  EmulateChunk(unit);
}

void CopyEngine::Impl::EmulateChunk(Unit* unit) {
  unit->next_read = 0;
  unit->reads_in_flight = 0;
  unit->attempts = 0;
  unit->chunk.Begin(target_.geometry(), options_.chunk_bytes);
  DeviceBlock to = unit->target.start + unit->done;
  while (!unit->rest.empty()) {
    DeviceRange& range = unit->rest.front();
    const DeviceBlockCount n = unit->chunk.Take(unit->source, range, to);
    if (n.value() == 0) break;
    range = {range.start + n, range.count - n};
    to += n;
    if (range.empty()) unit->rest.pop_front();
  }
  GLEANER_CHECK(!unit->chunk.target().empty());
  unit->ready = false;
  reading_.push_back(unit);  // Pump sends the reads
}

bool CopyEngine::Impl::MayReadAgain(Unit* unit, size_t index, const OpResult& result) {
  if (!unit->job->result.status.ok()) return false;
  const int attempt = ++unit->read_failures[index];
  if (HostRecoveryFor(result, attempt) == RecoveryAction::kGiveUp) return false;
  ++counters_.retries;
  return true;
}

// Sent again: counts against the rate once more.
void CopyEngine::Impl::ChargeAgain(DeviceBlockCount blocks) {
  if (throttle_.on())
    throttle_.Charge(clock_.Now(), blocks.value() * target_.geometry().block_bytes);
}

// The same blocks with the same data once more: harmless, but in a zone only where the write has
// not begun.
void CopyEngine::Impl::EndFailedWrite(Unit* unit, const OpResult& result) {
  Job& job = *unit->job;
  DeviceBlockCount none;
  const std::string pointer =
      job.result.status.ok() ? WrongWritePointer(*unit, &none) : "";
  if (job.result.status.ok() && pointer.empty() &&
      HostRecoveryFor(result, ++unit->attempts) != RecoveryAction::kGiveUp) {
    ++counters_.retries;
    ChargeAgain(unit->chunk.target().count);
    return Transfer(unit);
  }
  const absl::Status status =
      WithPlace(result.status, "writing", target_, unit->chunk.target());
  Fail(job, absl::Status(status.code(), absl::StrCat(status.message(), pointer)));
  EndUnit(unit);
}

absl::Status CopyEngine::Impl::WithPlace(const absl::Status& status,
                                         absl::string_view doing, const Device& device,
                                         DeviceRange range) {
  return absl::Status(
      status.code(),
      absl::StrCat(status.message(), "; ", doing, " blocks ", range.start.value(), "+",
                   range.count.value(), " of ", device.name()));
}

}  // namespace gleaner
