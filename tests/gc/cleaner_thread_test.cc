#include "gc/cleaner_thread.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "base/mutex.h"

namespace gleaner {
namespace {

// Several users produce work that the thread consumes; nothing is lost, whoever wins the races.
TEST(CleanerThreadTest, NoNotificationIsLost) {
  constexpr int kUsers = 4;
  constexpr int kEach = 2000;
  Mutex mu;
  CondVar done;
  int queued = 0;
  int cleaned = 0;
  CleanerThread thread(&mu, [&] {
    if (queued == 0) return absl::InfiniteDuration();
    --queued;
    ++cleaned;
    done.SignalAll();
    return queued > 0 ? absl::ZeroDuration() : absl::InfiniteDuration();
  });
  std::vector<std::thread> users;
  for (int u = 0; u < kUsers; ++u) {
    users.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        MutexLock lock(thread.mu());
        ++queued;
        thread.Notify();
      }
    });
  }
  for (std::thread& user : users) user.join();
  MutexLock lock(&mu);
  while (cleaned < kUsers * kEach) done.Wait(&mu);
  EXPECT_EQ(queued, 0);
}

TEST(CleanerThreadTest, ATimedSleepEndsByItself) {
  Mutex mu;
  CondVar done;
  int steps = 0;
  CleanerThread thread(&mu, [&] {
    ++steps;
    done.SignalAll();
    return absl::Microseconds(1);
  });
  MutexLock lock(&mu);
  while (steps < 10) done.Wait(&mu);
}

TEST(CleanerThreadTest, StopsInEveryState) {
  for (const absl::Duration sleep : {absl::ZeroDuration(), absl::Microseconds(5),
                                     absl::Hours(1), absl::InfiniteDuration()}) {
    for (int i = 0; i < 50; ++i) {
      Mutex mu;
      int steps = 0;
      auto thread = std::make_unique<CleanerThread>(&mu, [&] {
        ++steps;
        return sleep;
      });
      if (i % 2 == 0) std::this_thread::yield();
      thread.reset();
      const int at_stop = steps;
      std::this_thread::yield();
      EXPECT_EQ(steps, at_stop);
    }
  }
}

}  // namespace
}  // namespace gleaner
