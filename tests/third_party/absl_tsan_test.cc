// Under --config=tsan: Debian's Abseil must not make ThreadSanitizer see races where
// there are none. In the other builds there is little to see.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"

namespace gleaner {
namespace {

TEST(AbslTsanTest, ThreadsMayShareAStatus) {
  Mutex mu;
  absl::Status shared;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&mu, &shared, t] {
      for (int i = 0; i < 2000; ++i) {
        absl::Status copy;
        {
          MutexLock lock(&mu);
          shared = absl::DataLossError(absl::StrCat("thread ", t));
          copy = shared;
        }
        // Counted outside the lock; the next thread to assign frees.
        const absl::Status own = copy;
        EXPECT_EQ(own.code(), absl::StatusCode::kDataLoss);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace gleaner
