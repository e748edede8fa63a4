// Several devices as one: a stripe deals chunks of blocks to its members in turn, a
// concatenation puts one member after the other.
//
//   GLEANER_ASSIGN_OR_RETURN(auto device, MakeStripeDevice(std::move(members), 1 << 20));
//   device->copy_window(DeviceBlock(300)).range;  // the chunk that holds it
//   // or: OpenDevice("stripe:1M;nvme:/dev/nvme0n1;nvme:/dev/nvme1n1")
//
// Blocks are copied natively within a member. Its limits, of copies and of all else, are the
// least of the members', so that each takes what keeps them; a flush goes to all. An error
// names the member. There is no redundancy: what one member loses is lost, and members
// have to be given in the same order each time, for nothing on them says which they are.
//
// Thread-safe, as every Device.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "device/device.h"

namespace gleaner {

// As many whole chunks of each member as the smallest has. InvalidArgument: fewer than two
// members, a chunk that is no multiple of the block or larger than a member, members with
// unlike blocks or with zones.
absl::StatusOr<std::unique_ptr<Device>> MakeStripeDevice(
    std::vector<std::unique_ptr<Device>> members, uint64_t chunk_bytes);

// InvalidArgument: fewer than two members, members with unlike blocks or zones.
absl::StatusOr<std::unique_ptr<Device>> MakeConcatDevice(
    std::vector<std::unique_ptr<Device>> members);

}  // namespace gleaner
