#include "device/address_map.h"

#include <algorithm>

#include "base/check.h"

namespace gleaner {

AddressMap AddressMap::Stripe(DeviceBlockCount chunk, size_t members,
                              uint64_t chunks_per_member) {
  GLEANER_CHECK(chunk.value() > 0 && members > 0);
  AddressMap map;
  map.chunk_ = chunk.value();
  map.members_ = members;
  map.capacity_ = chunk * (members * chunks_per_member);
  return map;
}

AddressMap AddressMap::Concat(const std::vector<DeviceBlockCount>& capacities) {
  AddressMap map;
  for (const DeviceBlockCount capacity : capacities) {
    map.starts_.push_back(DeviceBlock(map.capacity_.value()));
    map.capacity_ += capacity;
  }
  return map;
}

AddressMap::Place AddressMap::PlaceOf(DeviceBlock block) const {
  GLEANER_CHECK(block.value() < capacity_.value());
  if (chunk_ > 0) {
    const uint64_t chunk = block.value() / chunk_;
    const uint64_t offset = block.value() % chunk_;
    return {.member = static_cast<size_t>(chunk % members_),
            .block = DeviceBlock(chunk / members_ * chunk_ + offset),
            .window = {DeviceBlock(chunk * chunk_), DeviceBlockCount(chunk_)}};
  }
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), block);
  const DeviceBlock start = *(next - 1);
  const DeviceBlock end = next == starts_.end() ? DeviceBlock(capacity_.value()) : *next;
  return {.member = static_cast<size_t>(next - starts_.begin() - 1),
          .block = DeviceBlock((block - start).value()),
          .window = {start, end - start}};
}

DeviceBlock AddressMap::BlockOf(size_t member, DeviceBlock block) const {
  if (chunk_ == 0) return starts_[member] + DeviceBlockCount(block.value());
  const uint64_t chunk = block.value() / chunk_ * members_ + member;
  return DeviceBlock(chunk * chunk_ + block.value() % chunk_);
}

}  // namespace gleaner
