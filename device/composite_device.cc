#include "device/composite_device.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "device/address_map.h"

namespace gleaner {
namespace {

using Members = std::vector<std::unique_ptr<Device>>;

// ---- What a device of several members is ----

std::string MemberName(const Members& members, size_t i) {
  return absl::StrCat("member ", i + 1, " (", members[i]->name(), ")");
}

std::string NameOf(absl::string_view prefix, const Members& members) {
  std::string name(prefix);
  for (const auto& member : members) {
    absl::StrAppend(&name, name.back() == ':' ? "" : ";", member->name());
  }
  return name;
}

std::string ZonesText(const Geometry& g) {
  if (!g.zoned()) return "no zones";
  return absl::StrCat("zones of ", g.zone_size.value(), " blocks with a capacity of ",
                      g.zone_capacity.value());
}

absl::Status CheckMembers(absl::string_view what, const Members& members) {
  if (members.size() < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": two members or more, not ", members.size()));
  }
  const Geometry& first = members[0]->geometry();
  for (size_t i = 1; i < members.size(); ++i) {
    const Geometry& g = members[i]->geometry();
    if (g.block_bytes != first.block_bytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          what, ": ", MemberName(members, i), " has blocks of ", g.block_bytes,
          " bytes, ", MemberName(members, 0), " of ", first.block_bytes));
    }
    if (g.zone_size != first.zone_size || g.zone_capacity != first.zone_capacity) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": ", MemberName(members, i), " has ", ZonesText(g), ", ",
                       MemberName(members, 0), " ", ZonesText(first)));
    }
  }
  return absl::OkStatus();
}

// The smaller one, where zero is none.
template <typename T>
T LeastLimit(T a, T b) {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

// But for the capacity, and for where members begin.
Geometry GeometryOf(const Members& members) {
  Geometry all = members[0]->geometry();
  for (const auto& member : members) {
    const Geometry& g = member->geometry();
    // Of zones, too, the least: all that are open may be on one member.
    all.max_open_zones = LeastLimit(all.max_open_zones, g.max_open_zones);
    all.max_active_zones = LeastLimit(all.max_active_zones, g.max_active_zones);
    all.max_transfer = std::min(all.max_transfer, g.max_transfer);
    all.atomic_write = std::min(all.atomic_write, g.atomic_write);
    all.buffer_alignment = std::max(all.buffer_alignment, g.buffer_alignment);
    all.volatile_write_cache = all.volatile_write_cache || g.volatile_write_cache;
  }
  return all;
}

// A power of two of which `blocks` is a multiple, as every boundary has to be for no multiple of
// the unit to lie across one.
DeviceBlockCount AtomicWithin(DeviceBlockCount unit, uint64_t blocks) {
  const uint64_t divisor = blocks & (~blocks + 1);
  return DeviceBlockCount(std::min(std::bit_floor(unit.value()), divisor));
}

// The least of those that members know; a member that cannot copy keeps all from it.
CopyLimits LimitsOf(const Members& members) {
  CopyLimits all;
  bool able = true;
  for (const auto& member : members) {
    const CopyLimits& limits = member->hardware_copy_limits();
    able = able && WithCaps(limits).can_copy();
    all.max_copy_blocks = LeastLimit(all.max_copy_blocks, limits.max_copy_blocks);
    all.max_copy_ranges = LeastLimit(all.max_copy_ranges, limits.max_copy_ranges);
    all.max_range_blocks = LeastLimit(all.max_range_blocks, limits.max_range_blocks);
    all.copy_offload = all.copy_offload && limits.copy_offload;
    all.unknown = all.unknown || limits.unknown;
  }
  if (able) return all;
  return {.copy_offload = all.copy_offload};
}

std::string ChunkText(uint64_t bytes) {
  if (bytes % (1 << 20) == 0) return absl::StrCat(bytes >> 20, "M");
  if (bytes % (1 << 10) == 0) return absl::StrCat(bytes >> 10, "K");
  return absl::StrCat(bytes);
}

// ---- The device ----

class CompositeDevice : public Device {
 public:
  CompositeDevice(std::string name, const Geometry& geometry, AddressMap map,
                  Members members)
      : Device(std::move(name), members[0]->access(), geometry, LimitsOf(members)),
        map_(std::move(map)),
        members_(std::move(members)) {}

  const AddressMap& map() const { return map_; }

 protected:
  absl::StatusOr<std::unique_ptr<IoQueue>> DoOpenQueue(int depth) override;
  absl::StatusOr<std::vector<ZoneInfo>> DoReportZones(DeviceRange range) override;

  uint64_t DoLosses() const override {
    uint64_t losses = 0;
    for (const auto& member : members_) losses += member->losses();
    return losses;
  }
  CopyWindow DoCopyWindow(DeviceBlock block) const override {
    const AddressMap::Place place = map_.PlaceOf(block);
    CopyWindow window = members_[place.member]->copy_window(place.block);
    // The member's window, and what of it is in the chunk or member.
    const DeviceBlockCount before =
        std::min(place.block - window.range.start, block - place.window.start);
    const DeviceBlockCount after =
        std::min(window.range.end() - place.block, place.window.end() - block);
    window.range = {block - before, before + after};
    return window;
  }

 private:
  const AddressMap map_;
  const Members members_;
};

// One operation of a member for each piece, and one of every member for a flush: as deep a queue
// on each member never overflows.
class CompositeQueue : public IoQueue {
 public:
  CompositeQueue(CompositeDevice* device, int depth,
                 std::vector<std::unique_ptr<IoQueue>> queues)
      : IoQueue(device, depth),
        map_(device->map()),
        slots_(depth),
        queues_(std::move(queues)) {}

 protected:
  void DoStart(uint32_t id, const Piece& piece) override {
    slots_[id] = {};
    if (piece.type == OpType::kFlush) {
      slots_[id].to_come = queues_.size();
      for (size_t member = 0; member < queues_.size(); ++member) Send(id, piece, member);
      return;
    }
    slots_[id].to_come = 1;
    const AddressMap::Place place = map_.PlaceOf(piece.range.start);
    Piece part = piece;
    part.range.start = place.block;
    sources_.clear();
    for (const DeviceRange& source : piece.sources) {
      sources_.push_back({map_.PlaceOf(source.start).block, source.count});
    }
    part.sources = sources_;
    Send(id, part, place.member);
  }

  void DoReap(ReapMode mode) override {
    finished_ = 0;
    for (;;) {
      for (const auto& queue : queues_) queue->Poll();
      if (mode == ReapMode::kPoll || finished_ > 0) return;
      // The one with the most in flight is the likeliest to have something first.
      const auto& busiest = *std::max_element(
          queues_.begin(), queues_.end(),
          [](const auto& a, const auto& b) { return a->in_flight() < b->in_flight(); });
      GLEANER_CHECK(busiest->Wait().ok());
    }
  }

 private:
  struct Slot {
    size_t to_come = 0;  // operations of members that have not ended
    OpResult result;
  };

  void Send(uint32_t id, const Piece& part, size_t member) {
    const absl::Status accepted =
        Forward(part, *queues_[member],
                [this, id, member](const OpResult& result) { End(id, member, result); });
    if (accepted.ok()) return;
    OpResult refused;
    refused.status = accepted;
    End(id, member, refused);
  }

  void End(uint32_t id, size_t member, const OpResult& result) {
    Slot& slot = slots_[id];
    if (slot.result.status.ok()) {  // of several failures the first is told
      slot.result = result;
      if (!result.status.ok()) {
        slot.result.status = absl::Status(
            result.status.code(), absl::StrCat(device().name(), ", member ", member + 1,
                                               ": ", result.status.message()));
      } else if (piece(id).type == OpType::kAppend) {
        slot.result.written_at = map_.BlockOf(member, result.written_at);
      }
    }
    if (--slot.to_come > 0) return;
    ++finished_;
    Finish(id, slot.result);
  }

  const AddressMap& map_;
  std::vector<Slot> slots_;
  std::vector<DeviceRange> sources_;  // keeps its memory between uses
  size_t finished_ = 0;
  // Last, so that they go first: what they have in flight refers to the rest.
  const std::vector<std::unique_ptr<IoQueue>> queues_;
};

absl::StatusOr<std::unique_ptr<IoQueue>> CompositeDevice::DoOpenQueue(int depth) {
  std::vector<std::unique_ptr<IoQueue>> queues;
  for (const auto& member : members_) {
    GLEANER_ASSIGN_OR_RETURN(auto queue, member->OpenQueue(depth));
    queues.push_back(std::move(queue));
  }
  return std::make_unique<CompositeQueue>(this, depth, std::move(queues));
}

absl::StatusOr<std::vector<ZoneInfo>> CompositeDevice::DoReportZones(DeviceRange range) {
  std::vector<ZoneInfo> all;
  for (DeviceBlock at = range.start; at < range.end();) {
    const AddressMap::Place place = map_.PlaceOf(at);
    const DeviceBlock end = std::min(range.end(), place.window.end());
    GLEANER_ASSIGN_OR_RETURN(
        const std::vector<ZoneInfo> zones,
        members_[place.member]->ReportZones({place.block, end - at}));
    for (ZoneInfo zone : zones) {
      const DeviceBlockCount written = zone.write_pointer - zone.start;
      zone.start = map_.BlockOf(place.member, zone.start);
      zone.write_pointer = zone.start + written;
      all.push_back(zone);
    }
    at = end;
  }
  return all;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> MakeStripeDevice(Members members,
                                                         uint64_t chunk_bytes) {
  GLEANER_RETURN_IF_ERROR(CheckMembers("stripe", members));
  Geometry geometry = GeometryOf(members);
  if (geometry.zoned()) {
    return absl::InvalidArgumentError(absl::StrCat("stripe: ", MemberName(members, 0),
                                                   " is zoned; concat takes zones"));
  }
  if (chunk_bytes == 0 || chunk_bytes % geometry.block_bytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("stripe: a chunk of ", chunk_bytes,
                     " bytes is not a multiple of the members' block, ",
                     geometry.block_bytes, " bytes"));
  }
  const DeviceBlockCount chunk(chunk_bytes / geometry.block_bytes);
  uint64_t chunks = std::numeric_limits<uint64_t>::max();
  for (size_t i = 0; i < members.size(); ++i) {
    const uint64_t fit = members[i]->geometry().capacity.value() / chunk.value();
    if (fit == 0) {
      return absl::InvalidArgumentError(absl::StrCat("stripe: ", MemberName(members, i),
                                                     " has no room for a chunk of ",
                                                     chunk_bytes, " bytes"));
    }
    chunks = std::min(chunks, fit);
  }
  AddressMap map = AddressMap::Stripe(chunk, members.size(), chunks);
  geometry.capacity = map.capacity();
  geometry.atomic_write = AtomicWithin(geometry.atomic_write, chunk.value());
  std::string name = NameOf(absl::StrCat("stripe:", ChunkText(chunk_bytes)), members);
  return std::make_unique<CompositeDevice>(std::move(name), geometry, std::move(map),
                                           std::move(members));
}

absl::StatusOr<std::unique_ptr<Device>> MakeConcatDevice(Members members) {
  GLEANER_RETURN_IF_ERROR(CheckMembers("concat", members));
  Geometry geometry = GeometryOf(members);
  std::vector<DeviceBlockCount> capacities;
  for (size_t i = 0; i < members.size(); ++i) {
    capacities.push_back(members[i]->geometry().capacity);
    if (i + 1 == members.size()) break;
    geometry.atomic_write =
        AtomicWithin(geometry.atomic_write, capacities.back().value());
  }
  AddressMap map = AddressMap::Concat(capacities);
  geometry.capacity = map.capacity();
  std::string name = NameOf("concat:", members);
  return std::make_unique<CompositeDevice>(std::move(name), geometry, std::move(map),
                                           std::move(members));
}

}  // namespace gleaner
