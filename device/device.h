// A block device, zoned or not: the contract that every backend keeps.
//
//   GLEANER_ASSIGN_OR_RETURN(auto queue, device->OpenQueue(32));
//   GLEANER_RETURN_IF_ERROR(queue->Write({DeviceBlock(8), DeviceBlockCount(2)}, data, {},
//                                        [&](const OpResult& r) { status = r.status; }));
//   GLEANER_RETURN_IF_ERROR(queue->Wait());  // `done` has run
//   GLEANER_RETURN_IF_ERROR(status);
//
// Threads: a Device may be used from any thread; an IoQueue belongs to one thread, which
// submits to it and polls it. Blocking helpers stand in blocking_io.h.
//
// Order: operations in flight together run in any order, on the same blocks too. On a
// zoned device at most one write, write-zeroes or copy may be in flight per zone (any
// number of appends).
//
// Flush covers every operation, Copy included, that completed before the flush was
// submitted, from any queue; nothing that was still in flight.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "base/types.h"
#include "device/geometry.h"

namespace gleaner {

enum class OpType : uint8_t {
  kRead,
  kWrite,
  kAppend,
  kWriteZeroes,
  kCopy,
  kDeallocate,
  kFlush,
  kZoneOpen,
  kZoneClose,
  kZoneFinish,
  kZoneReset,
};

// "read", "write zeroes", ...: for messages.
absl::string_view OpName(OpType type);

// Where the device should put data that lives and dies together: NVMe's DTYPE and DSPEC.
// All zeroes: no hint. A device without placement ignores it.
struct PlacementHint {
  uint8_t dtype = 0;
  uint16_t dspec = 0;
};

struct WriteOptions {
  PlacementHint hint;
};

struct CopyOptions {
  PlacementHint hint;
};

// The status field of an NVMe completion; all zeroes where the backend has none.
struct NvmeStatus {
  uint8_t type = 0;  // status code type: compare it together with the code
  uint8_t code = 0;
  bool do_not_retry = false;
};

struct OpResult {
  // ResourceExhausted: no space left. DataLoss: the medium failed. PermissionDenied: not
  // writable. FailedPrecondition: the zone is in the wrong state. Unavailable: the device
  // is gone or busy. The message names the device and the block.
  absl::Status status;
  // Of a successful append: where its first block went.
  DeviceBlock written_at;
  // Of a failed copy: the lowest-numbered range that was not copied; all before it are on
  // media, later ones may be. (Dword 0 of the NVMe completion.)
  uint32_t ranges_copied = 0;
  // Of a failed copy that is too large: that it has too many ranges, if the device says so.
  bool too_many_ranges = false;
  // Of a failure without an NVMe status: that the drive itself has answered, so has power.
  bool answered = false;
  NvmeStatus nvme;
};

// Runs exactly once if the operation was accepted, inside Poll or Wait of its queue;
// never if it was refused. May submit to the queue; must not poll it.
using OpDone = absl::AnyInvocable<void(const OpResult&)>;

enum class ZoneState : uint8_t { kEmpty, kOpen, kClosed, kFull, kReadOnly, kOffline };

struct ZoneInfo {
  DeviceBlock start;
  DeviceBlockCount capacity;
  DeviceBlock write_pointer;  // the next block to write; start + capacity if full
  ZoneState state = ZoneState::kEmpty;
};

// Successful operations since the device was opened, from all queues. A read or write
// that was split counts once.
struct DeviceCounters {
  uint64_t reads = 0;
  uint64_t writes = 0;  // appends included
  uint64_t write_zeroes = 0;
  uint64_t copies = 0;
  uint64_t copy_ranges = 0;
  uint64_t deallocates = 0;
  uint64_t flushes = 0;
  uint64_t zone_operations = 0;  // open, close, finish, reset
  DeviceBlockCount blocks_read;
  DeviceBlockCount blocks_written;
  DeviceBlockCount blocks_zeroed;
  DeviceBlockCount blocks_copied;
  DeviceBlockCount blocks_deallocated;
  uint64_t bytes_read = 0;     // across the host boundary, as are
  uint64_t bytes_written = 0;  // these; a copy or write-zeroes moves none
};

// What a drive itself has counted of data across the host boundary, since it was made.
struct HostTraffic {
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t bytes() const { return bytes_read + bytes_written; }
};

enum class Access : uint8_t { kReadOnly, kReadWrite };

class Device;

// Where native copies can go: neither a source range nor the target of a Copy leaves its
// window (a zone, a stripe's chunk, a member), and all of them are of one domain. Whole
// operations that leave a window are split there, but for copies.
struct CopyWindow {
  DeviceRange range;
  // What executes the copy: the device, or the member that the blocks lie on. Only to be
  // compared.
  const Device* domain = nullptr;
};

// A queue of operations. Every submitting function returns, without ever blocking:
//   OK                  accepted: `done` will run
//   ResourceExhausted   depth() operations are in flight: poll, then try again
//   OutOfRange          a block past the end of the device, or of a zone's capacity
//   InvalidArgument     an empty range, a misaligned buffer, a copy or append beyond the
//   limits,
//                       overlapping source and target, a copy that leaves a window or
//                       its domain, a zone operation elsewhere than at a zone's start
//   PermissionDenied    a change of a device that was opened read-only
//   Unimplemented       the device cannot do that (no Copy, no zones, deallocate on
//   zones)
// and then, if not OK, does nothing else. An operation starts at the latest in the next
// Poll or Wait. Buffers are the caller's: at least as long as the range, aligned to
// Geometry::buffer_alignment, and alive until completion.
//
// Destroying a queue waits until the device has let go of the buffers; completions that
// have not run yet never run. The Device must outlive its queues.
class IoQueue {
 public:
  virtual ~IoQueue();
  IoQueue(const IoQueue&) = delete;
  IoQueue& operator=(const IoQueue&) = delete;

  // Reads and writes of any length (split at max_transfer and windows, one completion).
  // If any part fails, what of the range is on media is unknown.
  absl::Status Read(DeviceRange range, char* data, OpDone done);
  absl::Status Write(DeviceRange range, const char* data, const WriteOptions& options,
                     OpDone done);
  // Writes at the write pointer of the zone that starts at `zone`; the result says where.
  absl::Status Append(DeviceBlock zone, DeviceBlockCount count, const char* data,
                      const WriteOptions& options, OpDone done);
  absl::Status WriteZeroes(DeviceRange range, OpDone done);
  // Copies the ranges, in list order, to consecutive blocks from `target` on. Beyond the
  // effective limits: InvalidArgument; CopyEngine splits. `sources` need not outlive the
  // call.
  absl::Status Copy(absl::Span<const DeviceRange> sources, DeviceBlock target,
                    const CopyOptions& options, OpDone done);
  // The same from ranges of `from`, for which copy_limits_from says what is possible. It
  // must outlive the operation.
  absl::Status CopyFrom(const Device& from, absl::Span<const DeviceRange> sources,
                        DeviceBlock target, const CopyOptions& options, OpDone done);
  // The contents are undefined afterwards until written.
  absl::Status Deallocate(DeviceRange range, OpDone done);
  absl::Status Flush(OpDone done);
  // Zone operations on the zone that starts at `zone`.
  absl::Status ZoneOpen(DeviceBlock zone, OpDone done);
  absl::Status ZoneClose(DeviceBlock zone, OpDone done);
  absl::Status ZoneFinish(DeviceBlock zone, OpDone done);
  absl::Status ZoneReset(DeviceBlock zone, OpDone done);

  // Runs the completions of what has finished; returns how many ran. Never blocks.
  int Poll();
  // Blocks until at least one completion has run. FailedPrecondition if nothing is in
  // flight.
  absl::Status Wait();

  int in_flight() const { return in_flight_; }
  int depth() const { return static_cast<int>(ops_.size()); }

 protected:
  // One command for the backend: a whole operation, or a part of a read, write or
  // write-zeroes.
  struct Piece {
    OpType type = OpType::kRead;
    DeviceRange
        range;  // of a copy: the target; of a zone operation: the zone's first block
    char* data = nullptr;  // of a write: not to be changed
    absl::Span<const DeviceRange> sources;
    const Device* from = nullptr;  // of a copy: what the sources lie on
    PlacementHint hint;

   private:
    friend class IoQueue;
    uint32_t op_ = 0;
  };

  IoQueue(Device* device, int depth);

  // Starts piece `id` (below depth(); its own until Finish). Must not block or run
  // completions.
  virtual void DoStart(uint32_t id, const Piece& piece) = 0;
  enum class ReapMode { kPoll, kWait };
  // Calls Finish for every piece that is done; kWait: at least one, if any was started.
  virtual void DoReap(ReapMode mode) = 0;

  // For a device that stands in front of another: hands the operation on to a queue of that one.
  static absl::Status Forward(const Piece& piece, IoQueue& to, OpDone done);

  // Told by the backend, from DoStart or DoReap, once for each started piece.
  void Finish(uint32_t id, const OpResult& result);
  const Piece& piece(uint32_t id) const { return pieces_[id]; }
  Device& device() const { return device_; }

 private:
  struct Op {
    Piece whole;
    DeviceBlockCount sent;  // how much of whole.range was handed to the backend
    bool all_sent = false;
    uint32_t pieces_in_flight = 0;
    std::vector<DeviceRange> sources;  // keeps its memory between uses
    OpResult result;
    OpDone done;
  };

  absl::Status CheckWritable() const;
  absl::Status CheckRange(DeviceRange range) const;
  absl::Status CheckWriteRange(DeviceRange range) const;
  absl::Status CheckBuffer(const char* data) const;
  absl::Status CheckZone(DeviceBlock zone) const;
  absl::Status CheckCopy(const Device& from, absl::Span<const DeviceRange> sources,
                         DeviceBlock target) const;
  absl::Status CheckCopyWindows(const Device& from, absl::Span<const DeviceRange> sources,
                                DeviceRange written) const;
  absl::Status SubmitZoneOperation(OpType type, DeviceBlock zone, OpDone done);
  absl::Status Submit(const Piece& whole, absl::Span<const DeviceRange> sources,
                      OpDone done);
  bool SendPieces(uint32_t op_index);  // false: more to send later
  DeviceBlockCount NextPieceLength(const Op& op) const;
  void SendWaiting();
  int RunCompletions();

  Device& device_;
  const Geometry& geometry_;
  std::vector<Op> ops_;
  std::vector<Piece> pieces_;
  std::vector<uint32_t> free_ops_;
  std::vector<uint32_t> free_pieces_;
  std::vector<uint32_t> waiting_;   // operations with parts not yet sent, oldest first
  std::vector<uint32_t> finished_;  // operations whose completion has yet to run
  std::vector<uint32_t> running_;   // those whose completions run now
  int in_flight_ = 0;
  bool in_completion_ = false;
};

class Device {
 public:
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // As the user named it, for messages.
  const std::string& name() const { return name_; }
  const Geometry& geometry() const { return geometry_; }
  Access access() const { return access_; }

  // What the device reports, and what is in force: the smaller of that and the last wish. Where
  // the device does not say, the second is the most that may be tried: see CopyLimits::unknown.
  const CopyLimits& hardware_copy_limits() const { return hardware_copy_limits_; }
  CopyLimits copy_limits() const;
  // Sets the effective limits to Lowered(hardware, wish), for copies submitted from now
  // on.
  void LowerCopyLimits(const CopyLimits& wish);
  // The device refused a copy that keeps its limits: the effective limits are never again above
  // these, whatever is wished. Zero: nothing learned of that limit.
  void LearnCopyLimits(const CopyLimits& learned);

  // The window of a block that exists.
  CopyWindow copy_window(DeviceBlock block) const { return DoCopyWindow(block); }
  // What limits a Copy to this device from `source`: from itself copy_limits(); from another
  // namespace of the same controller the smaller ones of both. From all others can_copy() is
  // false.
  CopyLimits copy_limits_from(const Device& source) const;

  // A queue for at most `depth` (1 to 4096) operations in flight.
  absl::StatusOr<std::unique_ptr<IoQueue>> OpenQueue(int depth);

  // The zones that overlap `range`, in order. Blocks. Unimplemented if the device is not
  // zoned.
  absl::StatusOr<std::vector<ZoneInfo>> ReportZones(DeviceRange range);

  // From the drive's own statistics, as coarse as they are (NVMe: units of 512,000 bytes) and of
  // the whole drive. Blocks. Unimplemented: it keeps none.
  absl::StatusOr<HostTraffic> ReportHostTraffic() { return DoReportHostTraffic(); }

  // A snapshot; each number is exact, but not all are of one instant.
  DeviceCounters counters() const;

  // Rises whenever the device may have lost what had completed and no flush had covered: it has a
  // volatile cache, and an operation failed as if power had been lost, with Unavailable and no
  // status from the drive that would explain it. So what completed after losses() was read is
  // durable when a flush that covers it has succeeded and losses() is the same.
  uint64_t losses() const { return losses_.load(std::memory_order_acquire) + DoLosses(); }

 protected:
  Device(std::string name, Access access, const Geometry& geometry,
         const CopyLimits& hardware);

  virtual absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int depth) = 0;
  // `range` is in bounds, and the device is zoned.
  virtual absl::StatusOr<std::vector<ZoneInfo>> DoReportZones(DeviceRange range);
  virtual absl::StatusOr<HostTraffic> DoReportHostTraffic();
  // By default zones, or the whole device.
  virtual CopyWindow DoCopyWindow(DeviceBlock block) const;
  // Losses of what it stands in front of.
  virtual uint64_t DoLosses() const { return 0; }
  void CountLoss() { losses_.fetch_add(1, std::memory_order_acq_rel); }
  // Whether its Copy can read from `source`, another device with blocks of the same size.
  virtual bool DoCopiesFrom(const Device& source) const;

 private:
  friend class IoQueue;

  void UpdateCopyLimits() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Count(OpType type, uint64_t blocks, uint64_t ranges);

  static constexpr int kOpTypes = 11;
  const std::string name_;
  const Access access_;
  const Geometry geometry_;
  const CopyLimits hardware_copy_limits_;
  mutable Mutex mu_;
  CopyLimits wished_copy_limits_ ABSL_GUARDED_BY(mu_);
  CopyLimits learned_copy_limits_ ABSL_GUARDED_BY(mu_);
  CopyLimits copy_limits_ ABSL_GUARDED_BY(mu_);  // what follows; asked for each command
  std::atomic<uint64_t> operations_[kOpTypes] = {};
  std::atomic<uint64_t> blocks_[kOpTypes] = {};
  std::atomic<uint64_t> copy_ranges_{0};
  std::atomic<uint64_t> losses_{0};
};

}  // namespace gleaner
