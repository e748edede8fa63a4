#include "device/zone_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace gleaner {
namespace {

bool IsActive(ZoneState state) {
  return state == ZoneState::kOpen || state == ZoneState::kClosed;
}

}  // namespace

ZoneTable::ZoneTable(std::string name, const Geometry& geometry)
    : name_(std::move(name)),
      geometry_(geometry),
      zones_(geometry.zones()),
      writing_(geometry.zones()) {
  for (size_t i = 0; i < zones_.size(); ++i) {
    zones_[i].start = DeviceBlock(i * geometry.zone_size.value());
    zones_[i].capacity = geometry.zone_capacity;
    zones_[i].write_pointer = zones_[i].start;
  }
}

absl::Status ZoneTable::WrongState(const ZoneInfo& zone, absl::string_view what) const {
  return absl::FailedPreconditionError(
      absl::StrCat(name_, ": zone at block ", zone.start.value(), ": ", what));
}

absl::Status ZoneTable::BeginWrite(DeviceBlock block) {
  const size_t i = Index(block);
  if (writing_[i]) return WrongState(zones_[i], "a write or copy is already in flight");
  writing_[i] = true;
  return absl::OkStatus();
}

void ZoneTable::EndWrite(DeviceBlock block) {
  GLEANER_CHECK(writing_[Index(block)]);
  writing_[Index(block)] = false;
}

void ZoneTable::SetState(ZoneInfo& zone, ZoneState state) {
  open_ += (state == ZoneState::kOpen) - (zone.state == ZoneState::kOpen);
  active_ += IsActive(state) - IsActive(zone.state);
  zone.state = state;
}

absl::Status ZoneTable::MakeOpen(ZoneInfo& zone) {
  if (zone.state == ZoneState::kOpen) return absl::OkStatus();
  if (zone.state == ZoneState::kFull) return WrongState(zone, "it is full");
  if (geometry_.max_open_zones > 0 && open_ == geometry_.max_open_zones) {
    return WrongState(zone, absl::StrCat(open_, " zones are open, the most that can be"));
  }
  if (!IsActive(zone.state) && geometry_.max_active_zones > 0 &&
      active_ == geometry_.max_active_zones) {
    return WrongState(zone,
                      absl::StrCat(active_, " zones are active, the most that can be"));
  }
  SetState(zone, ZoneState::kOpen);
  return absl::OkStatus();
}

absl::Status ZoneTable::Write(DeviceRange range) {
  ZoneInfo& zone = zones_[Index(range.start)];
  if (zone.state == ZoneState::kFull) return WrongState(zone, "it is full");
  if (range.start != zone.write_pointer) {
    return WrongState(zone, absl::StrCat("a write to block ", range.start.value(),
                                         " is not at the write pointer, block ",
                                         zone.write_pointer.value()));
  }
  GLEANER_RETURN_IF_ERROR(MakeOpen(zone));
  zone.write_pointer += range.count;
  GLEANER_CHECK(zone.write_pointer <= zone.start + zone.capacity);
  if (zone.write_pointer == zone.start + zone.capacity) SetState(zone, ZoneState::kFull);
  return absl::OkStatus();
}

absl::StatusOr<DeviceBlock> ZoneTable::Append(DeviceBlock zone_start,
                                              DeviceBlockCount count) {
  const ZoneInfo& zone = zones_[Index(zone_start)];
  const DeviceBlock at = zone.write_pointer;
  if (count > zone.start + zone.capacity - at) {
    return WrongState(zone, absl::StrCat("no room for ", count.value(), " blocks"));
  }
  GLEANER_RETURN_IF_ERROR(Write({at, count}));
  return at;
}

absl::Status ZoneTable::Open(DeviceBlock zone) { return MakeOpen(zones_[Index(zone)]); }

absl::Status ZoneTable::Close(DeviceBlock zone_start) {
  ZoneInfo& zone = zones_[Index(zone_start)];
  if (zone.state == ZoneState::kClosed) return absl::OkStatus();
  if (zone.state != ZoneState::kOpen) return WrongState(zone, "it is not open");
  const bool empty = zone.write_pointer == zone.start;
  SetState(zone, empty ? ZoneState::kEmpty : ZoneState::kClosed);
  return absl::OkStatus();
}

absl::Status ZoneTable::Finish(DeviceBlock zone_start) {
  ZoneInfo& zone = zones_[Index(zone_start)];
  SetState(zone, ZoneState::kFull);
  zone.write_pointer = zone.start + zone.capacity;
  return absl::OkStatus();
}

absl::Status ZoneTable::Reset(DeviceBlock zone_start) {
  ZoneInfo& zone = zones_[Index(zone_start)];
  SetState(zone, ZoneState::kEmpty);
  zone.write_pointer = zone.start;
  return absl::OkStatus();
}

void ZoneTable::LoseFrom(DeviceBlock block) {
  ZoneInfo& zone = zones_[Index(block)];
  if (block >= zone.write_pointer) return;
  zone.write_pointer = block;
  SetState(zone, ZoneState::kClosed);
}

void ZoneTable::PowerCycle() {
  for (ZoneInfo& zone : zones_) {
    if (!IsActive(zone.state)) continue;
    const bool empty = zone.write_pointer == zone.start;
    SetState(zone, empty ? ZoneState::kEmpty : ZoneState::kClosed);
  }
}

std::vector<ZoneInfo> ZoneTable::Report(DeviceRange range) const {
  std::vector<ZoneInfo> result;
  if (range.empty()) return result;
  const size_t last = Index(range.end() - DeviceBlockCount(1));
  for (size_t i = Index(range.start); i <= last; ++i) result.push_back(zones_[i]);
  return result;
}

}  // namespace gleaner
