#include "device/unflushed_log.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <utility>

namespace gleaner {

void UnflushedLog::Record(DeviceRange range, const char* before) {
  ++operations_;
  for (DeviceBlock block = range.start; block < range.end(); ++block) {
    auto contents = std::make_unique<char[]>(block_bytes_);
    std::memcpy(contents.get(), before, block_bytes_);
    blocks_[block.value()].push_back({operations_, std::move(contents)});
    before += block_bytes_;
    ++blocks_kept_;
  }
}

void UnflushedLog::Flushed(uint64_t operations) {
  for (auto it = blocks_.begin(); it != blocks_.end();) {
    blocks_kept_ -= std::erase_if(it->second, [operations](const Version& version) {
      return version.operation <= operations;
    });
    it = it->second.empty() ? blocks_.erase(it) : std::next(it);
  }
}

uint64_t UnflushedLog::DrawFirstUndone(Blocks::const_iterator first,
                                       Blocks::const_iterator last,
                                       Random& random) const {
  std::vector<uint64_t> choices;
  for (auto it = first; it != last; ++it)
    for (const Version& version : it->second) choices.push_back(version.operation);
  std::sort(choices.begin(), choices.end());
  choices.erase(std::unique(choices.begin(), choices.end()), choices.end());
  choices.push_back(std::numeric_limits<uint64_t>::max());
  return choices[random.Below(choices.size())];
}

void UnflushedLog::Cut(
    Random& random, absl::FunctionRef<void(DeviceBlock, const char* contents)> restore) {
  for (auto first = blocks_.cbegin(); first != blocks_.cend();) {
    const uint64_t unit = first->first / atomic_write_.value();
    const auto last = blocks_.lower_bound((unit + 1) * atomic_write_.value());
    const uint64_t first_undone = DrawFirstUndone(first, last, random);
    for (auto it = first; it != last; ++it) {
      const auto version =
          std::find_if(it->second.begin(), it->second.end(),
                       [&](const Version& v) { return v.operation >= first_undone; });
      if (version != it->second.end())
        restore(DeviceBlock(it->first), version->contents.get());
    }
    first = last;
  }
  blocks_.clear();
  blocks_kept_ = 0;
}

}  // namespace gleaner
