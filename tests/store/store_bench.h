// A store and what its user expects of it: a plain array of versions. Each block written holds a
// stamp of its lba and version; each read is compared when it completes. Where the device may lose
// what was not flushed, a block is not expected to hold what neither a flush covers nor power has
// been on for all the time since.
//
//   StoreBench bench(std::move(options));
//   EXPECT_THAT(bench.Write(7, 3), IsOk());
//   bench.Read(0, 96);
//   EXPECT_EQ(bench.DrainAndCheck(), "");
//
// For one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/types.h"
#include "device/aligned_buffer.h"
#include "store/volatile_store.h"

namespace gleaner::testing {

class StoreBench {
 public:
  // The options must make a store: the process stops if they do not.
  explicit StoreBench(VolatileStoreOptions options);

  // Writes new versions. After an error the same ones are to be written again: Retry.
  absl::Status Write(uint64_t lba, uint64_t count);
  absl::Status Retry();
  void Trim(uint64_t lba, uint64_t count);
  // Waits for nothing. `done` may be null.
  void Flush(Store::Done done = nullptr);
  // Compares with what is expected now, later writes aside.
  void Read(uint64_t lba, uint64_t count);

  // Waits for everything, however often the store reports an error, then reads every block. The
  // first thing that was read wrong, or nothing.
  std::string DrainAndCheck();

  VolatileStore& store() { return *store_; }
  int failed_reads() const { return failed_reads_; }
  int flushes() const { return flushes_; }
  // Blocks read whose contents were not expected to be anything, and those that were flushed.
  uint64_t blocks_excused() const { return blocks_excused_; }
  uint64_t flushed_blocks_read() const { return flushed_blocks_read_; }

 private:
  struct Expected {
    uint64_t version = 0;   // 0: unmapped
    bool flushed = true;    // by the store, since it was written
    uint64_t losses = 0;    // of the device, when it was written
    bool given_up = false;  // the store has told that it may be lost
  };

  void Compare(uint64_t lba, const std::vector<Expected>& expected,
               const AlignedBuffer& buffer);
  bool MayBeLost(const Expected& expected) const;
  void EndFlush(uint64_t last_version, const absl::Status& status);

  const uint32_t block_bytes_;
  std::unique_ptr<VolatileStore> store_;
  const Device* const device_;
  std::vector<Expected> blocks_;  // by lba
  uint64_t last_version_ = 0;
  int flushes_ = 0;
  int losses_told_ = 0;
  uint64_t blocks_excused_ = 0;
  uint64_t flushed_blocks_read_ = 0;
  uint64_t write_lba_ = 0;  // the last write
  std::vector<uint64_t> write_versions_;
  int failed_reads_ = 0;
  int reads_under_way_ = 0;
  std::string wrong_;
};

}  // namespace gleaner::testing
