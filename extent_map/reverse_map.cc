#include "extent_map/reverse_map.h"

#include <sstream>

namespace gleaner {

absl::Status RamReverseMap::Get(PhysicalRange range, absl::Span<Lba> lbas) const {
  GLEANER_CHECK(lbas.size() == range.count.value());
  if (range.start.value() > size().value() ||
      range.count.value() > size().value() - range.start.value()) {
    std::ostringstream message;
    message << range << " is past the end of the reverse map, " << size();
    return absl::OutOfRangeError(message.str());
  }
  for (uint64_t i = 0; i < lbas.size(); ++i)
    lbas[i] = GetBlock(range.start + BlockCount(i));
  return absl::OkStatus();
}

void RamReverseMap::SetWide(PhysicalBlock block, Lba lba) {
  if (wide_.empty()) {
    if (!lba.valid()) {
      narrow_[block.value()] = kNarrowInvalid;
      return;
    }
    wide_.resize(narrow_.size());
    for (uint64_t i = 0; i < narrow_.size(); ++i) wide_[i] = GetNarrow(i).value();
    Vector<uint32_t>().swap(narrow_);
  }
  wide_[block.value()] = lba.value();
}

void RamReverseMap::Grow(BlockCount blocks) {
  GLEANER_CHECK(blocks >= size());
  if (wide_.empty())
    narrow_.resize(blocks.value(), kNarrowInvalid);
  else
    wide_.resize(blocks.value(), Lba::kInvalid);
}

uint64_t RamReverseMap::memory_bytes() const {
  return narrow_.capacity() * sizeof(narrow_[0]) + wide_.capacity() * sizeof(wide_[0]);
}

}  // namespace gleaner
