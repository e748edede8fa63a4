#include "gc/open_logs.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace gleaner {

OpenLogs::OpenLogs(SegmentTable* table, SegmentGeometry geometry, const Options& options)
    : table_(table), geometry_(geometry), options_(options), heads_(options.classes) {
  GLEANER_CHECK(options.classes > 0);
  GLEANER_CHECK(table->capacity_blocks() <= geometry.segment_blocks().value());
}

absl::Status OpenLogs::OpenSegment(ClassId log_class) {
  GLEANER_ASSIGN_OR_RETURN(const SegmentId id, table_->Open(log_class));
  heads_[log_class.value()] = {.segment = id,
                               .next = geometry_.first_block(id),
                               .remaining = table_->capacity_blocks(),
                               .of_reserve = false};
  return absl::OkStatus();
}

PhysicalRange OpenLogs::Take(Head* head, BlockCount at_most, double modified_at_blocks) {
  GLEANER_DCHECK(at_most.value() > 0 && head->remaining > 0);
  const PhysicalRange run{head->next,
                          BlockCount(std::min(at_most.value(), head->remaining))};
  head->next = run.end();
  head->remaining -= run.count.value();
  table_->OnWritten(head->segment, static_cast<uint32_t>(run.count.value()),
                    modified_at_blocks);
  return run;
}

absl::StatusOr<PhysicalRange> OpenLogs::Append(ClassId log_class, BlockCount at_most,
                                               uint64_t now_blocks) {
  Head& head = heads_[log_class.value()];
  if (!MayTake(head)) [[unlikely]] {
    if (!CanOpenForUser()) {
      return absl::ResourceExhaustedError(
          absl::StrCat("no segment for user writes: ", table_->free_segments(),
                       " free and ", table_->released_segments(), " released, ",
                       options_.reserved_segments, " reserved"));
    }
    GLEANER_RETURN_IF_ERROR(OpenSegment(log_class));
  }
  head.of_reserve = false;
  return Take(&head, at_most, static_cast<double>(now_blocks));
}

absl::StatusOr<PhysicalRange> OpenLogs::Reserve(ClassId log_class, BlockCount at_most,
                                                double modified_at_blocks) {
  Head& head = heads_[log_class.value()];
  if (head.remaining == 0) {
    GLEANER_RETURN_IF_ERROR(OpenSegment(log_class));
    head.of_reserve = true;
  }
  const PhysicalRange run = Take(&head, at_most, modified_at_blocks);
  const SegmentId id = geometry_.segment_of(run.start);
  auto it = std::find_if(unsettled_.begin(), unsettled_.end(),
                         [id](const Unsettled& u) { return u.id == id; });
  if (it == unsettled_.end()) it = unsettled_.insert(it, {id, 0});
  it->blocks += run.count.value();
  return run;
}

void OpenLogs::Settle(PhysicalRange reserved, uint64_t now_blocks) {
  const SegmentId id = geometry_.segment_of(reserved.start);
  const auto it = std::find_if(unsettled_.begin(), unsettled_.end(),
                               [id](const Unsettled& u) { return u.id == id; });
  GLEANER_CHECK(it != unsettled_.end() && it->blocks >= reserved.count.value());
  it->blocks -= reserved.count.value();
  if (it->blocks > 0) return;
  unsettled_.erase(it);
  if (table_->remaining_blocks(id) == 0) table_->Seal(id, now_blocks);
}

void OpenLogs::GiveUp(PhysicalRange reserved, uint64_t now_blocks) {
  if (EndsWith(reserved)) {
    const SegmentId id = geometry_.segment_of(reserved.start);
    Head& head = heads_[table_->info(id).log_class.value()];
    head.next = reserved.start;
    head.remaining += reserved.count.value();
    table_->OnUnwritten(id, static_cast<uint32_t>(reserved.count.value()));
  }
  Settle(reserved, now_blocks);
}

void OpenLogs::SealWhenSettled(SegmentId id, uint64_t now_blocks) {
  // Sealed with a reservation under way, it could look empty, be released and reused while a copy
  // still writes to it.
  for (const Unsettled& u : unsettled_) {
    if (u.id == id) return;
  }
  table_->Seal(id, now_blocks);
}

absl::Status OpenLogs::SealEarly(ClassId log_class, uint64_t now_blocks) {
  Head& head = heads_[log_class.value()];
  if (head.remaining == 0) return absl::OkStatus();
  const SegmentId id = geometry_.segment_of(head.next);
  for (const Unsettled& u : unsettled_) {
    if (u.id == id) {
      return absl::FailedPreconditionError(absl::StrCat(
          "segment ", id.value(), " has ", u.blocks, " reserved blocks under way"));
    }
  }
  head = Head();
  table_->Seal(id, now_blocks);
  return absl::OkStatus();
}

SegmentId OpenLogs::open_segment(ClassId log_class) const {
  const Head& head = heads_[log_class.value()];
  return head.remaining == 0 ? SegmentId() : geometry_.segment_of(head.next);
}

}  // namespace gleaner
