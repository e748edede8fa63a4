#include "device/command_threads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace gleaner {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

using Threads = CommandThreads<int, int>;

TEST(CommandThreadsTest, EachCommandEndsOnceUnderItsId) {
  for (int depth : {1, 3, 100}) {
    std::map<uint32_t, int> ended;
    Threads threads(depth, [](const int& command, int) { return 2 * command; });
    for (uint32_t id = 0; id < 100; ++id) threads.Send(id, static_cast<int>(id) + 5);
    while (ended.size() < 100) {
      threads.Reap(true, [&](uint32_t id, int completion) {
        EXPECT_TRUE(ended.emplace(id, completion).second) << id;
      });
    }
    EXPECT_EQ(ended[0], 10);
    EXPECT_EQ(ended[99], 208);
    threads.Reap(false, [](uint32_t id, int) { ADD_FAILURE() << id; });
  }
}

TEST(CommandThreadsTest, WhatIsPutOffRunsAgainBehindTheOthers) {
  std::vector<std::pair<int, int>> runs;  // on the one thread
  Threads threads(1, [&](const int& command, int pauses) -> std::optional<int> {
    runs.emplace_back(command, pauses);
    if (command == 1 && pauses == 0) return std::nullopt;
    return command;
  });
  threads.Send(0, 1);
  threads.Send(1, 2);
  int ended = 0;
  while (ended < 2) threads.Reap(true, [&](uint32_t, int) { ++ended; });
  EXPECT_EQ(runs.back(), std::make_pair(1, 1));
  EXPECT_EQ(runs.size(), 3u);
}

TEST(CommandThreadsTest, ACommandThatEndsMaySendTheNext) {
  std::vector<std::pair<uint32_t, int>> ended;
  Threads threads(2, [](const int& command, int) { return command; });
  threads.Send(4, 0);
  while (ended.size() < 3) {
    threads.Reap(true, [&](uint32_t id, int completion) {
      ended.emplace_back(id, completion);
      if (completion < 2) threads.Send(id, completion + 1);
    });
  }
  EXPECT_THAT(ended, ElementsAre(Pair(4, 0), Pair(4, 1), Pair(4, 2)));
}

TEST(CommandThreadsTest, TheEndDoesNotWaitForWhatIsPutOff) {
  std::atomic<int> runs{0};
  {
    Threads threads(2, [&](const int&, int) -> std::optional<int> {
      ++runs;
      return std::nullopt;
    });
    for (uint32_t id = 0; id < 4; ++id) threads.Send(id, 0);
    while (runs == 0) threads.Reap(false, [](uint32_t, int) {});
  }
  EXPECT_GE(runs.load(), 1);
}

}  // namespace
}  // namespace gleaner
