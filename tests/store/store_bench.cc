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
    : block_bytes_(options.block_bytes),
      device_(options.device),
      blocks_(options.volume_blocks) {
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
  const uint64_t losses = device_->losses();
  const int told = losses_told_;
  absl::Status status =
      store_->Write(Lbas(write_lba_, write_versions_.size()), data.data());
  if (!status.ok()) return status;
  for (size_t i = 0; i < write_versions_.size(); ++i) {
    blocks_[write_lba_ + i] = {.version = write_versions_[i],
                               .flushed = false,
                               .losses = losses,
                               .given_up = losses_told_ != told};
  }
  return status;
}

void StoreBench::Trim(uint64_t lba, uint64_t count) {
  GLEANER_CHECK(store_->Trim(Lbas(lba, count)).ok());
  std::fill_n(blocks_.begin() + static_cast<ptrdiff_t>(lba), count, Expected());
}

void StoreBench::Flush(Store::Done done) {
  auto shared = std::make_shared<Store::Done>(std::move(done));
  store_->Flush([this, shared, last = last_version_](const absl::Status& status) {
    EndFlush(last, status);
    if (*shared != nullptr) (*shared)(status);
  });
}

void StoreBench::EndFlush(uint64_t last_version, const absl::Status& status) {
  flushes_ += status.ok();
  // A flush can also fail with the status of a bad medium.
  const bool lost = absl::IsDataLoss(status) && device_->losses() > 0;
  losses_told_ += lost;
  for (Expected& block : blocks_) {
    if (lost && !block.flushed) block.given_up = true;
    if (status.ok() && !block.given_up && block.version <= last_version)
      block.flushed = true;
  }
}

bool StoreBench::MayBeLost(const Expected& expected) const {
  return !expected.flushed && (expected.given_up || device_->losses() != expected.losses);
}

void StoreBench::Read(uint64_t lba, uint64_t count) {
  auto buffer = std::make_shared<AlignedBuffer>(count * block_bytes_);
  const auto begin = blocks_.begin() + static_cast<ptrdiff_t>(lba);
  std::vector<Expected> expected(begin, begin + static_cast<ptrdiff_t>(count));
  ++reads_under_way_;
  store_->Read(Lbas(lba, count), buffer->data(),
               [this, lba, buffer, expected](const absl::Status& status) {
                 --reads_under_way_;
                 if (!status.ok()) {
                   ++failed_reads_;
                 } else if (wrong_.empty()) {
                   Compare(lba, expected, *buffer);
                 }
               });
}

void StoreBench::Compare(uint64_t lba, const std::vector<Expected>& expected,
                         const AlignedBuffer& buffer) {
  for (size_t block = 0; block < expected.size(); ++block) {
    if (MayBeLost(expected[block])) {
      ++blocks_excused_;
      continue;
    }
    flushed_blocks_read_ += expected[block].flushed && expected[block].version > 0;
    const uint64_t stamp = Stamp(lba + block, expected[block].version);
    for (size_t i = 0; i < block_bytes_; i += sizeof(uint64_t)) {
      uint64_t read;
      std::memcpy(&read, buffer.data() + block * block_bytes_ + i, sizeof(read));
      if (read == stamp) continue;
      wrong_ =
          absl::StrCat(expected[block].flushed ? "flushed " : "", "lba ", lba + block,
                       " reads ", absl::Hex(read), ", not ", absl::Hex(stamp));
      return;
    }
  }
}

std::string StoreBench::DrainAndCheck() {
  for (int i = 0; !store_->Drain().ok(); ++i)
    if (i == 1000) return "the store does not drain";
  for (uint64_t lba = 0; lba < blocks_.size(); ++lba) {
    if (blocks_[lba].version != 0 && !store_->Locate(Lba(lba)).valid())
      return "a block is lost";
    for (int i = 0, failed = -1; failed_reads_ != failed; ++i) {
      if (i == 1000) return "the store fails to read";
      failed = failed_reads_;
      Read(lba, 1);
      (void)store_->Drain();
    }
  }
  if (reads_under_way_ > 0) return "a read did not complete";
  const auto mapped = static_cast<uint64_t>(std::count_if(
      blocks_.begin(), blocks_.end(), [](const Expected& b) { return b.version != 0; }));
  if (store_->stats().mapped_blocks != mapped) return "mapped_blocks";
  if (store_->table().live_blocks() != mapped) return "live_blocks";
  return wrong_;
}

}  // namespace gleaner::testing
