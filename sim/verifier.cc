#include "sim/verifier.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "sim/stamp.h"

namespace gleaner {

Verifier::Verifier(Store* store, Options options)
    : store_(store),
      options_(std::move(options)),
      random_(options_.seed ^ Mix64(0x766572696679)),
      generations_(options_.volume_blocks),
      write_buffer_(size_t{kReadBlocks} * options_.block_bytes),
      until_sample_(options_.sample_every_blocks) {
  for (size_t i = 0; i < kReads; ++i) {
    free_slots_.push_back(std::make_unique<ReadSlot>());
    free_slots_.back()->buffer =
        AlignedBuffer(size_t{kReadBlocks} * options_.block_bytes);
  }
}

absl::Status Verifier::Write(LbaRange range) {
  GLEANER_RETURN_IF_ERROR(error_);
  while (!range.empty()) {
    const LbaRange part{range.start, std::min(range.count, BlockCount(kReadBlocks))};
    for (uint64_t i = 0; i < part.count.value(); ++i) {
      const Lba lba = part.start + BlockCount(i);
      const Stamp stamp{lba, ++generations_[lba.value()], options_.seed};
      stamp.Fill({write_buffer_.data() + i * options_.block_bytes, options_.block_bytes});
    }
    GLEANER_RETURN_IF_ERROR(store_->Write(part, write_buffer_.data()));
    range = {part.end(), range.count - part.count};
    until_sample_ -= std::min(until_sample_, part.count.value());
    if (until_sample_ > 0) continue;
    until_sample_ = options_.sample_every_blocks;
    GLEANER_RETURN_IF_ERROR(
        StartRead({Lba(random_.Below(options_.volume_blocks)), BlockCount(1)}));
  }
  return absl::OkStatus();
}

absl::Status Verifier::Trim(LbaRange range) {
  GLEANER_RETURN_IF_ERROR(error_);
  for (Lba lba = range.start; lba < range.end(); ++lba) generations_[lba.value()] = 0;
  return store_->Trim(range);
}

absl::Status Verifier::Read(LbaRange range) {
  read_blocks_ += range.count.value();
  while (!range.empty()) {
    const LbaRange part{range.start, std::min(range.count, BlockCount(kReadBlocks))};
    GLEANER_RETURN_IF_ERROR(StartRead(part));
    range = {part.end(), range.count - part.count};
  }
  return absl::OkStatus();
}

absl::Status Verifier::StartRead(LbaRange range) {
  while (free_slots_.empty() && error_.ok()) GLEANER_RETURN_IF_ERROR(store_->Drain());
  GLEANER_RETURN_IF_ERROR(error_);
  std::unique_ptr<ReadSlot> slot = std::move(free_slots_.back());
  free_slots_.pop_back();
  // As they are now: later writes do not change what this read must find.
  slot->generations.assign(
      generations_.begin() + static_cast<ptrdiff_t>(range.start.value()),
      generations_.begin() + static_cast<ptrdiff_t>(range.end().value()));
  char* const data = slot->buffer.data();
  store_->Read(range, data,
               [this, range, slot = std::move(slot)](const absl::Status& status) mutable {
                 const absl::Status checked =
                     status.ok() ? CheckSlot(range, *slot) : status;
                 if (error_.ok()) error_ = checked;
                 verified_blocks_ += range.count.value();
                 free_slots_.push_back(std::move(slot));
               });
  return absl::OkStatus();
}

absl::Status Verifier::CheckSlot(LbaRange range, const ReadSlot& slot) const {
  for (uint64_t i = 0; i < range.count.value(); ++i) {
    const Stamp stamp{range.start + BlockCount(i), slot.generations[i], options_.seed};
    absl::Status status = stamp.Check(
        {slot.buffer.data() + i * options_.block_bytes, options_.block_bytes});
    if (status.ok()) continue;
    const PhysicalBlock at =
        options_.locate ? options_.locate(stamp.lba) : PhysicalBlock();
    if (!at.valid()) return status;
    return absl::DataLossError(
        absl::StrCat("physical block ", at.value(), ", ", std::string(status.message())));
  }
  return absl::OkStatus();
}

absl::Status Verifier::CheckAll() {
  GLEANER_RETURN_IF_ERROR(store_->Drain());
  for (uint64_t lba = 0; lba < options_.volume_blocks; lba += kReadBlocks) {
    const uint64_t n = std::min<uint64_t>(kReadBlocks, options_.volume_blocks - lba);
    GLEANER_RETURN_IF_ERROR(StartRead({Lba(lba), BlockCount(n)}));
    GLEANER_RETURN_IF_ERROR(store_->Poll());
  }
  GLEANER_RETURN_IF_ERROR(store_->Drain());
  return error_;
}

}  // namespace gleaner
