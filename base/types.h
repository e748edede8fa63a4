// Strong types for addresses and counts: an lba is never a physical block, a store's block is
// never a device block, and a count is never an address.
//
//   Lba lba(7);
//   PhysicalRange run{PhysicalBlock(512), BlockCount(8)};
//   run.end();                      // PhysicalBlock(520)
//   PhysicalBlock(520) - run.start; // BlockCount(8)
//
// All are trivially copyable, ordered, hashable (AbslHashValue) and print themselves.
// Default-constructed addresses and ids are invalid; a default-constructed count is zero.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <ostream>

namespace gleaner {

namespace internal {

// An address or an id. `Count` is the type of the difference of two of them.
template <typename Tag, typename Rep, typename Count>
class StrongAddress {
 public:
  using rep = Rep;
  using count_type = Count;
  static constexpr Rep kInvalid = std::numeric_limits<Rep>::max();

  constexpr StrongAddress() = default;
  explicit constexpr StrongAddress(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr bool valid() const { return value_ != kInvalid; }

  friend constexpr auto operator<=>(StrongAddress, StrongAddress) = default;
  constexpr StrongAddress& operator++() {
    ++value_;
    return *this;
  }
  constexpr StrongAddress& operator+=(Count n) {
    value_ += n.value();
    return *this;
  }
  friend constexpr StrongAddress operator+(StrongAddress a, Count n) {
    return StrongAddress(a.value_ + n.value());
  }
  friend constexpr StrongAddress operator-(StrongAddress a, Count n) {
    return StrongAddress(a.value_ - n.value());
  }
  friend constexpr Count operator-(StrongAddress a, StrongAddress b) {
    return Count(a.value_ - b.value_);
  }
  template <typename H>
  friend H AbslHashValue(H h, StrongAddress a) {
    return H::combine(std::move(h), a.value_);
  }
  friend std::ostream& operator<<(std::ostream& os, StrongAddress a) {
    if (!a.valid()) return os << Tag::kName << "(invalid)";
    return os << Tag::kName << "(" << a.value_ << ")";
  }

 private:
  Rep value_ = kInvalid;
};

// A number of blocks. Subtraction must not go below zero.
template <typename Tag>
class StrongCount {
 public:
  constexpr StrongCount() = default;
  explicit constexpr StrongCount(uint64_t value) : value_(value) {}
  constexpr uint64_t value() const { return value_; }

  friend constexpr auto operator<=>(StrongCount, StrongCount) = default;
  constexpr StrongCount& operator+=(StrongCount n) {
    value_ += n.value_;
    return *this;
  }
  constexpr StrongCount& operator-=(StrongCount n) {
    value_ -= n.value_;
    return *this;
  }
  friend constexpr StrongCount operator+(StrongCount a, StrongCount b) { return a += b; }
  friend constexpr StrongCount operator-(StrongCount a, StrongCount b) { return a -= b; }
  friend constexpr StrongCount operator*(StrongCount a, uint64_t n) {
    return StrongCount(a.value_ * n);
  }
  template <typename H>
  friend H AbslHashValue(H h, StrongCount a) {
    return H::combine(std::move(h), a.value_);
  }
  friend std::ostream& operator<<(std::ostream& os, StrongCount a) {
    return os << a.value_ << " " << Tag::kName;
  }

 private:
  uint64_t value_ = 0;
};

struct BlockCountTag {
  static constexpr const char* kName = "blocks";
};
struct DeviceBlockCountTag {
  static constexpr const char* kName = "device blocks";
};
struct LbaTag {
  static constexpr const char* kName = "lba";
};
struct PhysicalBlockTag {
  static constexpr const char* kName = "block";
};
struct DeviceBlockTag {
  static constexpr const char* kName = "device block";
};

}  // namespace internal

// Counts of a store's blocks (--block_bytes) and of a device's logical blocks.
using BlockCount = internal::StrongCount<internal::BlockCountTag>;
using DeviceBlockCount = internal::StrongCount<internal::DeviceBlockCountTag>;

// Logical block address: what a store's user addresses.
using Lba = internal::StrongAddress<internal::LbaTag, uint64_t, BlockCount>;
// A store's block on the device: block i of the store's area.
using PhysicalBlock =
    internal::StrongAddress<internal::PhysicalBlockTag, uint64_t, BlockCount>;
// A device's logical block: the unit of device/, the copy engine and CopyLimits.
using DeviceBlock =
    internal::StrongAddress<internal::DeviceBlockTag, uint64_t, DeviceBlockCount>;

// A segment's index, from 0.
class SegmentId {
 public:
  constexpr SegmentId() = default;
  explicit constexpr SegmentId(uint32_t value) : value_(value) {}
  constexpr uint32_t value() const { return value_; }
  constexpr bool valid() const { return value_ != std::numeric_limits<uint32_t>::max(); }
  friend constexpr auto operator<=>(SegmentId, SegmentId) = default;
  template <typename H>
  friend H AbslHashValue(H h, SegmentId id) {
    return H::combine(std::move(h), id.value_);
  }
  friend std::ostream& operator<<(std::ostream& os, SegmentId id) {
    if (!id.valid()) return os << "segment(invalid)";
    return os << "segment(" << id.value_ << ")";
  }

 private:
  uint32_t value_ = std::numeric_limits<uint32_t>::max();
};

// The log (stream) that a block is appended to, from 0.
class ClassId {
 public:
  constexpr ClassId() = default;
  explicit constexpr ClassId(uint8_t value) : value_(value) {}
  constexpr uint8_t value() const { return value_; }
  friend constexpr auto operator<=>(ClassId, ClassId) = default;
  friend std::ostream& operator<<(std::ostream& os, ClassId id) {
    return os << "class(" << int{id.value_} << ")";
  }

 private:
  uint8_t value_ = 0;
};

// Half-open run [start, start + count).
template <typename Address>
struct Range {
  Address start;
  typename Address::count_type count;

  constexpr Address end() const { return start + count; }
  constexpr bool empty() const { return count.value() == 0; }
  constexpr bool contains(Address a) const { return start <= a && a < end(); }
  constexpr bool overlaps(const Range& other) const {
    return start < other.end() && other.start < end();
  }
  friend constexpr bool operator==(const Range&, const Range&) = default;
  friend std::ostream& operator<<(std::ostream& os, const Range& r) {
    return os << r.start << "+" << r.count.value();
  }
};

using LbaRange = Range<Lba>;
using PhysicalRange = Range<PhysicalBlock>;
using DeviceRange = Range<DeviceBlock>;

}  // namespace gleaner
