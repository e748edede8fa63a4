#include "device/copy_engine.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "device/copy_engine_impl.h"

namespace gleaner {
namespace {

absl::Status CheckOptions(const CopyEngineOptions& o, const Device& target) {
  if (target.access() == Access::kReadOnly) {
    return absl::PermissionDeniedError(
        absl::StrCat(target.name(), " was opened read-only"));
  }
  if (o.chunk_bytes == 0 || o.chunk_bytes % AlignedBuffer::kAlignment != 0 ||
      o.chunk_bytes % target.geometry().block_bytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a copy chunk of ", o.chunk_bytes, " bytes is not a multiple of ",
                     AlignedBuffer::kAlignment, " and of the device block"));
  }
  if (o.buffer_bytes < o.chunk_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("copy buffers of ", o.buffer_bytes,
                                                   " bytes do not hold one chunk of ",
                                                   o.chunk_bytes));
  }
  if (!(o.verified_share >= 0 && o.verified_share <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a verified share of ", o.verified_share, " is not from 0 to 1"));
  }
  if (o.queue_depth < 1 || o.copy_depth < 1) {
    return absl::InvalidArgumentError("a copy depth below one");
  }
  return absl::OkStatus();
}

}  // namespace

CopyEngine::CopyEngine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CopyEngine::~CopyEngine() = default;

absl::StatusOr<std::unique_ptr<CopyEngine>> CopyEngine::Create(
    Device* target, const CopyEngineOptions& options, const Clock& clock) {
  GLEANER_RETURN_IF_ERROR(CheckOptions(options, *target));
  const uint64_t buffers = options.buffer_bytes / options.chunk_bytes;
  const uint64_t depth = buffers + static_cast<uint64_t>(options.queue_depth) +
                         static_cast<uint64_t>(options.copy_depth);
  if (depth > 4096) {
    return absl::InvalidArgumentError(
        absl::StrCat("chunks and copy depths add up to ", depth, ", more than 4096"));
  }
  GLEANER_ASSIGN_OR_RETURN(auto queue, target->OpenQueue(static_cast<int>(depth)));
  auto impl = std::make_unique<Impl>(target, options, clock, std::move(queue),
                                     static_cast<int>(buffers));
  return std::unique_ptr<CopyEngine>(new CopyEngine(std::move(impl)));
}

absl::Status CopyEngine::Start(CopyJob job, JobDone done, JobId* id) {
  return impl_->Start(std::move(job), std::move(done), id);
}
void CopyEngine::Cancel(JobId id) { impl_->Cancel(id); }
int CopyEngine::Poll() { return impl_->Poll(); }
absl::Status CopyEngine::Wait() { return impl_->Wait(); }
absl::Duration CopyEngine::next_start() const { return impl_->next_start(); }
bool CopyEngine::idle() const { return impl_->idle(); }
const CopyCounters& CopyEngine::counters() const { return impl_->counters(); }

}  // namespace gleaner
