#include "device/faulty_device.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/check.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "device/aligned_buffer.h"
#include "device/copy_recovery.h"
#include "device/nvme_encoding.h"
#include "device/unflushed_log.h"

namespace gleaner {
namespace {

enum class Fault : uint8_t { kNone, kFail, kPartial, kWrong, kHang, kSlow, kLost };

// What one operation will meet.
struct Draw {
  Fault fault = Fault::kNone;
  NvmeStatus status;
  uint64_t where = 0;   // for the caller to take a remainder of
  bool beyond = false;  // later ranges are copied, too
};

Geometry GeometryOf(const Device& device, const FaultModel& model) {
  Geometry geometry = device.geometry();
  if (model.lost > 0) geometry.volatile_write_cache = true;
  return geometry;
}

class FaultyDevice : public Device {
 public:
  FaultyDevice(std::unique_ptr<Device> device, const FaultModel& model,
               const Clock& clock)
      : Device(absl::StrCat("faulty ", device->name()), device->access(),
               GeometryOf(*device, model), Reported(*device, model)),
        device_(std::move(device)),
        model_(model),
        clock_(clock),
        random_(model.seed),
        log_(geometry().block_bytes, geometry().atomic_write) {}

  const FaultModel& model() const { return model_; }
  const Clock& clock() const { return clock_; }

  Draw DrawFor(OpType type) {
    MutexLock lock(&mu_);
    Draw draw;
    double dice = random_.NextDouble();
    const auto hits = [&dice](double rate) { return (dice -= rate) < 0; };
    const bool copy = type == OpType::kCopy;
    if (model_.copies_only && !copy) return draw;
    if (hits(model_.fail)) {
      draw.fault = Fault::kFail;
    } else if (hits(model_.partial)) {
      if (copy || type == OpType::kWrite) draw.fault = Fault::kPartial;
    } else if (hits(model_.wrong)) {
      if (copy) draw.fault = Fault::kWrong;
    } else if (hits(model_.hang)) {
      draw.fault = Fault::kHang;
    } else if (hits(model_.slow)) {
      draw.fault = Fault::kSlow;
    } else if (hits(model_.lost)) {
      draw.fault = Fault::kLost;
    }
    draw.status = AnyStatus(copy);
    draw.where = random_.Next();
    draw.beyond = random_.Below(2) == 0;
    return draw;
  }

  // Where power can be lost, operations of all queues run one after another, and only they use the
  // log: `run` is one of them.
  void Serially(absl::FunctionRef<void(UnflushedLog& log)> run) {
    MutexLock lock(&log_mu_);
    run(log_);
    operations_logged_.store(log_.operations());
  }
  uint64_t operations_logged() const { return operations_logged_.load(); }
  uint64_t cuts() const { return cuts_.load(); }
  void CountCut() {
    ++cuts_;
    CountLoss();
  }

  bool Refuses(absl::Span<const DeviceRange> sources) const {
    return !KeepsLimits(sources, Lowered(device_->copy_limits(),
                                         {.max_copy_blocks = model_.real_copy_blocks,
                                          .max_copy_ranges = model_.real_copy_ranges,
                                          .max_range_blocks = model_.real_range_blocks}));
  }

 protected:
  absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int depth) override;
  absl::StatusOr<std::vector<ZoneInfo>> DoReportZones(DeviceRange range) override {
    return device_->ReportZones(range);
  }
  CopyWindow DoCopyWindow(DeviceBlock block) const override {
    return device_->copy_window(block);
  }
  uint64_t DoLosses() const override { return device_->losses(); }

 private:
  static CopyLimits Reported(const Device& device, const FaultModel& model) {
    const CopyLimits& limits = device.hardware_copy_limits();
    const bool hidden = model.hide_limits && WithCaps(limits).can_copy();
    return hidden ? CopyLimits{.unknown = true} : limits;
  }

  // A copy can fail with any status, another operation with those that are not a copy's own.
  NvmeStatus AnyStatus(bool copy) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const absl::Span<const RecoveryRule> rules = RecoveryRules();
    for (;;) {
      const RecoveryRule& rule = rules[random_.Below(rules.size())];
      const bool is_nvme = rule.type != 0 || rule.code != 0;
      if (is_nvme && (copy || rule.type != 1))
        return {rule.type, rule.code, random_.Below(4) == 0};
    }
  }

  const std::unique_ptr<Device> device_;
  const FaultModel model_;
  const Clock& clock_;
  Mutex mu_;
  Random random_ ABSL_GUARDED_BY(mu_);
  Mutex log_mu_;
  UnflushedLog log_ ABSL_GUARDED_BY(log_mu_);
  std::atomic<uint64_t> operations_logged_{0};
  std::atomic<uint64_t> cuts_{0};
};

OpResult Failure(const Device& device, NvmeStatus status) {
  OpResult result;
  result.status = absl::Status(StatusCodeOf(status),
                               absl::StrCat(device.name(), ": ", DescribeStatus(status)));
  result.nvme = status;
  return result;
}

class FaultyQueue : public IoQueue {
 public:
  FaultyQueue(FaultyDevice* device, std::unique_ptr<IoQueue> inner, int depth)
      : IoQueue(device, depth),
        faulty_(*device),
        can_lose_(device->model().lost > 0),
        inner_(std::move(inner)) {}

 protected:
  void DoStart(uint32_t id, const Piece& piece) override {
    if (piece.type == OpType::kCopy && faulty_.Refuses(piece.sources))
      return Hold(id, Failure(faulty_, {1, 0x83, true}));
    const Draw draw = faulty_.DrawFor(piece.type);
    if (!can_lose_) return Run(id, piece, draw);
    started_.push_back({id, draw, faulty_.cuts(), faulty_.operations_logged()});
  }

  void DoReap(ReapMode mode) override {
    for (;;) {
      can_lose_ ? RunStarted() : static_cast<void>(inner_->Poll());
      if (Release() || mode == ReapMode::kPoll) return;
      if (held_.empty()) {
        GLEANER_CHECK(inner_->Wait().ok());
      } else if (inner_->in_flight() == 0) {
        faulty_.clock().SleepUntil(
            std::min_element(held_.begin(), held_.end(),
                             [](const Held& a, const Held& b) { return a.due < b.due; })
                ->due);
      } else {
        std::this_thread::yield();
      }
    }
  }

 private:
  struct Held {
    uint32_t id;
    OpResult result;
    absl::Duration due;
    uint64_t cuts;
  };
  // An operation that waits for its turn.
  struct Started {
    uint32_t id;
    Draw draw;
    uint64_t cuts;       // before it
    uint64_t completed;  // how many operations had been logged by then
  };

  void Run(uint32_t id, const Piece& piece, const Draw& draw) {
    const FaultModel& model = faulty_.model();
    switch (draw.fault) {
      case Fault::kNone:
        return Pass(piece, [this, id](const OpResult& r) { Hold(id, r); });
      case Fault::kSlow:
        return Pass(piece, [this, id, &model](const OpResult& r) {
          Hold(id, r, absl::Milliseconds(model.slow_ms));
        });
      case Fault::kHang:
        return Pass(piece, [this, id, &model](const OpResult&) {
          OpResult result;
          result.status = absl::DeadlineExceededError(
              absl::StrCat(faulty_.name(), ": no answer in ", model.hang_ms, " ms"));
          Hold(id, result, absl::Milliseconds(model.hang_ms));
        });
      case Fault::kFail:
        return Hold(id, Failure(faulty_, draw.status));
      case Fault::kWrong:
        return StartWrong(id, piece);
      case Fault::kPartial:
        return piece.type == OpType::kCopy ? StartPartialCopy(id, piece, draw)
                                           : StartPartialWrite(id, piece, draw);
      case Fault::kLost:
        return Hold(id, CutPower(draw));
    }
  }

  void RunStarted() {
    // What is not in started_ any more has no part in a cut.
    while (!started_.empty()) {
      const Started next = started_.front();
      started_.pop_front();
      faulty_.Serially([&](UnflushedLog& log) {
        log_ = &log;
        completed_ = next.completed;
        if (next.cuts != faulty_.cuts()) {
          Hold(next.id, PowerLost());
        } else {
          if (next.draw.fault == Fault::kLost) started_.push_front(next);
          Run(next.id, piece(next.id), next.draw);
          if (next.draw.fault == Fault::kLost) started_.pop_front();
        }
      });
    }
  }

  OpResult PowerLost() const {
    OpResult result;
    result.status =
        absl::UnavailableError(absl::StrCat(faulty_.name(), ": power was lost"));
    return result;
  }

  // The operation that meets the cut is the first in started_.
  OpResult CutPower(const Draw& draw) {
    Random random(draw.where);
    for (const Started& started : started_) {
      const Piece& in_flight = piece(started.id);
      if (started.cuts == faulty_.cuts() && Changes(in_flight.type) &&
          random.Below(2) == 0)
        (void)Execute(in_flight);
    }
    OpResult result = PowerLost();
    AlignedBuffer buffer(faulty_.geometry().block_bytes);
    log_->Cut(random, [&](DeviceBlock block, const char* contents) {
      std::memcpy(buffer.data(), contents, buffer.size());
      Piece restore;
      restore.type = OpType::kWrite;
      restore.range = {block, DeviceBlockCount(1)};
      restore.data = buffer.data();
      const absl::Status status = Forwarded(restore).status;
      if (!status.ok() && absl::IsUnavailable(result.status)) result.status = status;
    });
    faulty_.CountCut();
    return result;
  }

  static bool Changes(OpType type) {
    return type == OpType::kWrite || type == OpType::kWriteZeroes ||
           type == OpType::kCopy || type == OpType::kDeallocate;
  }

  // Waits for an operation of the device.
  OpResult Forwarded(const Piece& piece) {
    OpResult result;
    const absl::Status accepted =
        Forward(piece, *inner_, [&result](const OpResult& r) { result = r; });
    if (!accepted.ok()) result.status = accepted;
    while (inner_->in_flight() > 0) GLEANER_CHECK(inner_->Wait().ok());
    return result;
  }

  // The same, so that it can be undone.
  OpResult Execute(const Piece& piece) {
    if (Changes(piece.type)) {
      Piece read;
      read.type = OpType::kRead;
      read.range = {piece.range.start, piece.type == OpType::kCopy
                                           ? TotalBlocks(piece.sources)
                                           : piece.range.count};
      const uint64_t bytes = read.range.count.value() * faulty_.geometry().block_bytes;
      if (bytes <= kMostUnflushedBytes) {
        if (log_->bytes() + bytes > kMostUnflushedBytes)
          log_->Flushed(log_->operations());
        AlignedBuffer before(bytes);
        read.data = before.data();
        if (Forwarded(read).status.ok()) log_->Record(read.range, before.data());
      }
    }
    OpResult result = Forwarded(piece);
    if (piece.type == OpType::kFlush && result.status.ok()) log_->Flushed(completed_);
    return result;
  }

  void Hold(uint32_t id, OpResult result, absl::Duration delay = absl::ZeroDuration()) {
    held_.push_back(
        {id, std::move(result), faulty_.clock().Now() + delay, faulty_.cuts()});
  }

  // Finishes what is due; whether there was any.
  bool Release() {
    std::vector<Held> due;
    const absl::Duration now = faulty_.clock().Now();
    for (auto it = held_.begin(); it != held_.end();) {
      if (it->due > now) {
        ++it;
        continue;
      }
      due.push_back(std::move(*it));
      it = held_.erase(it);
    }
    // What nobody has been told of was in flight.
    for (const Held& held : due)
      Finish(held.id, held.cuts == faulty_.cuts() ? held.result : PowerLost());
    return !due.empty();
  }

  // Hands the operation on. What the device refuses outright fails.
  void Pass(const Piece& piece, const std::function<void(const OpResult&)>& done) {
    if (can_lose_) return done(Execute(piece));
    const absl::Status accepted = Forward(piece, *inner_, done);
    if (accepted.ok()) return;
    OpResult refused;
    refused.status = accepted;
    done(refused);
  }

  void StartWrong(uint32_t id, const Piece& piece) {
    std::vector<DeviceRange> sources(piece.sources.begin(), piece.sources.end());
    sources.back().count -= DeviceBlockCount(1);
    if (sources.back().empty()) sources.pop_back();
    if (sources.empty()) return Hold(id, OpResult());
    Piece part = piece;
    part.sources = sources;
    Pass(part, [this, id](const OpResult& r) { Hold(id, r); });
  }

  void StartPartialWrite(uint32_t id, const Piece& piece, const Draw& draw) {
    const OpResult failure = Failure(faulty_, draw.status);
    Piece part = piece;
    part.range.count = DeviceBlockCount(draw.where % piece.range.count.value());
    if (part.range.empty()) return Hold(id, failure);
    Pass(part, [this, id, failure](const OpResult&) { Hold(id, failure); });
  }

  void StartPartialCopy(uint32_t id, const Piece& piece, const Draw& draw) {
    const size_t first = draw.where % piece.sources.size();  // that is not copied
    OpResult failure = Failure(faulty_, draw.status);
    failure.ranges_copied = static_cast<uint32_t>(first);
    // Later ranges, where they may be written out of order.
    const DeviceBlock target =
        piece.range.start + TotalBlocks(piece.sources.first(first + 1));
    std::vector<DeviceRange> later;
    if (draw.beyond && !device().geometry().zoned())
      later.assign(piece.sources.begin() + static_cast<ptrdiff_t>(first) + 1,
                   piece.sources.end());
    const auto then = [this, id, failure, target, later](const OpResult& copied) {
      if (!copied.status.ok()) return Hold(id, copied);
      if (later.empty()) return Hold(id, failure);
      Piece rest;
      rest.type = OpType::kCopy;
      rest.range = {target, TotalBlocks(later)};
      rest.sources = later;
      Pass(rest, [this, id, failure](const OpResult&) { Hold(id, failure); });
    };
    if (first == 0) return then(OpResult());
    Piece part = piece;
    part.sources = piece.sources.first(first);
    Pass(part, then);
  }

  FaultyDevice& faulty_;
  const bool can_lose_;
  std::vector<Held> held_;
  std::deque<Started> started_;
  UnflushedLog* log_ = nullptr;           // while an operation runs that can be undone
  uint64_t completed_ = 0;                // before it was submitted
  const std::unique_ptr<IoQueue> inner_;  // goes first: its operations refer to the rest
};

absl::StatusOr<std::unique_ptr<IoQueue>> FaultyDevice::DoOpenQueue(int depth) {
  GLEANER_ASSIGN_OR_RETURN(auto inner, device_->OpenQueue(depth));
  return std::make_unique<FaultyQueue>(this, std::move(inner), depth);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> MakeFaultyDevice(std::unique_ptr<Device> device,
                                                         const FaultModel& model,
                                                         const Clock& clock) {
  for (const double rate :
       {model.fail, model.partial, model.wrong, model.hang, model.slow, model.lost}) {
    if (!(rate >= 0 && rate <= 1)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a fault rate of ", rate, " is not from 0 to 1"));
    }
  }
  if (model.sum() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("fault rates add up to ", model.sum(), ", more than 1"));
  }
  if (model.lost > 0 && device->geometry().zoned()) {
    return absl::InvalidArgumentError(absl::StrCat(
        device->name(), " is zoned: what was written to a zone cannot be lost"));
  }
  return std::make_unique<FaultyDevice>(std::move(device), model, clock);
}

}  // namespace gleaner
