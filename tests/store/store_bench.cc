#include "tests/store/store_bench.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace gleaner::testing {
namespace {

LbaRange Lbas(uint64_t lba, uint64_t count) { return {Lba(lba), BlockCount(count)}; }

// What every word of a block holds; an unmapped one reads as zeroes.
uint64_t Stamp(uint64_t lba, uint64_t version) {
  return version == 0 ? 0 : (lba + 1) << 32 | version;
}

}  // namespace

StoreBench::StoreBench(VolatileStoreOptions options)
    : block_bytes_(options.block_bytes), versions_(options.volume_blocks) {
  auto store = VolatileStore::Create(std::move(options));
  if (!store.ok()) std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
  GLEANER_CHECK(store.ok());
  store_ = *std::move(store);
}

absl::Status StoreBench::Write(uint64_t lba, uint64_t count) {
  write_lba_ = lba;
  write_versions_.clear();
  for (uint64_t i = 0; i < count; ++i) write_versions_.push_back(++last_version_);
  return Retry();
}

absl::Status StoreBench::Retry() {
  std::vector<char> data(write_versions_.size() * block_bytes_);
  for (size_t i = 0; i < data.size(); i += sizeof(uint64_t)) {
    const size_t block = i / block_bytes_;
    const uint64_t stamp = Stamp(write_lba_ + block, write_versions_[block]);
    std::memcpy(&data[i], &stamp, sizeof(stamp));
  }
  absl::Status status =
      store_->Write(Lbas(write_lba_, write_versions_.size()), data.data());
  if (status.ok()) {
    std::copy(write_versions_.begin(), write_versions_.end(),
              versions_.begin() + static_cast<ptrdiff_t>(write_lba_));
  }
  return status;
}

void StoreBench::Trim(uint64_t lba, uint64_t count) {
  GLEANER_CHECK(store_->Trim(Lbas(lba, count)).ok());
  std::fill_n(versions_.begin() + static_cast<ptrdiff_t>(lba), count, 0);
}

void StoreBench::Read(uint64_t lba, uint64_t count) {
  auto buffer = std::make_shared<AlignedBuffer>(count * block_bytes_);
  const auto begin = versions_.begin() + static_cast<ptrdiff_t>(lba);
  std::vector<uint64_t> versions(begin, begin + static_cast<ptrdiff_t>(count));
  ++reads_under_way_;
  store_->Read(Lbas(lba, count), buffer->data(),
               [this, lba, buffer, versions](const absl::Status& status) {
                 --reads_under_way_;
                 if (!status.ok()) {
                   ++failed_reads_;
                 } else if (wrong_.empty()) {
                   Compare(lba, versions, *buffer);
                 }
               });
}

void StoreBench::Compare(uint64_t lba, const std::vector<uint64_t>& versions,
                         const AlignedBuffer& buffer) {
  for (size_t i = 0; i < buffer.size(); i += sizeof(uint64_t)) {
    const size_t block = i / block_bytes_;
    const uint64_t expected = Stamp(lba + block, versions[block]);
    uint64_t read;
    std::memcpy(&read, buffer.data() + i, sizeof(read));
    if (read == expected) continue;
    wrong_ = absl::StrCat("lba ", lba + block, " reads ", absl::Hex(read), ", not ",
                          absl::Hex(expected));
    return;
  }
}

std::string StoreBench::DrainAndCheck() {
  for (int i = 0; !store_->Drain().ok(); ++i)
    if (i == 1000) return "the store does not drain";
  for (uint64_t lba = 0; lba < versions_.size(); ++lba) {
    Read(lba, 1);
    if (versions_[lba] != 0 && !store_->Locate(Lba(lba)).valid())
      return "a block is lost";
  }
  if (!store_->Drain().ok()) return "the store fails to read";
  if (reads_under_way_ > 0) return "a read did not complete";
  const auto mapped = static_cast<uint64_t>(std::count_if(
      versions_.begin(), versions_.end(), [](uint64_t v) { return v != 0; }));
  if (store_->stats().mapped_blocks != mapped) return "mapped_blocks";
  if (store_->table().live_blocks() != mapped) return "live_blocks";
  return wrong_;
}

}  // namespace gleaner::testing
