// Runs commands that block, on threads of its own, so that whoever sends them does not.
//
//   CommandThreads<Command, int> threads(32, [fd](const Command& c, int pauses) {
//     const int error = Run(fd, c);  // blocks
//     return error == EAGAIN && pauses < 50 ? std::nullopt : std::optional<int>(error);
//   });
//   threads.Send(7, command);
//   threads.Reap(/*wait=*/true, [](uint32_t id, int error) { ... });
//
// A command that comes back with nothing is put off: it is run again after a pause of a tenth of a
// second, behind those that wait. At most eight threads; no more commands run at a time. The
// destructor waits for commands that run, and forgets the others.
//
// Send and Reap are for one thread, `run` is called on any of the pool's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/mutex.h"

namespace gleaner {

template <typename Command, typename Completion>
class CommandThreads {
 public:
  // `pauses`: how often this command has been put off.
  using Run = std::function<std::optional<Completion>(const Command&, int pauses)>;

  // Threads for at most `depth` commands at a time.
  CommandThreads(int depth, Run run) : run_(std::move(run)) {
    constexpr int kMaxThreads = 8;
    for (int i = 0; i < std::min(depth, kMaxThreads); ++i)
      threads_.emplace_back([this] { Work(); });
  }
  ~CommandThreads() {
    {
      MutexLock lock(&mu_);
      stopping_ = true;
    }
    work_.SignalAll();
    pause_.SignalAll();
    for (std::thread& thread : threads_) thread.join();
  }
  CommandThreads(const CommandThreads&) = delete;
  CommandThreads& operator=(const CommandThreads&) = delete;

  // What the command points to must live until it is reaped.
  void Send(uint32_t id, const Command& command) {
    {
      MutexLock lock(&mu_);
      waiting_.push_back({id, command, 0});
    }
    work_.Signal();
  }

  // Calls done(id, completion) for each command that has ended; may wait for one. `done` may send.
  template <typename Done>
  void Reap(bool wait, Done done) {
    reaped_.clear();
    {
      MutexLock lock(&mu_);
      while (wait && done_.empty()) finished_.Wait(&mu_);
      reaped_.swap(done_);
    }
    for (const auto& [id, completion] : reaped_) done(id, completion);
  }

 private:
  struct Waiting {
    uint32_t id = 0;
    Command command;
    int pauses = 0;
  };

  void Work() {
    while (true) {
      Waiting next;
      {
        MutexLock lock(&mu_);
        while (waiting_.empty() && !stopping_) work_.Wait(&mu_);
        if (stopping_) return;
        next = std::move(waiting_.front());
        waiting_.pop_front();
      }
      std::optional<Completion> completion = run_(next.command, next.pauses);
      MutexLock lock(&mu_);
      if (!completion.has_value()) {
        if (!stopping_) pause_.WaitFor(&mu_, absl::Milliseconds(100));
        ++next.pauses;
        waiting_.push_back(std::move(next));
        continue;
      }
      done_.emplace_back(next.id, *std::move(completion));
      finished_.Signal();
    }
  }

  const Run run_;
  std::vector<std::pair<uint32_t, Completion>> reaped_;  // keeps its memory between uses
  Mutex mu_;
  CondVar work_;
  CondVar finished_;
  CondVar pause_;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  std::vector<std::pair<uint32_t, Completion>> done_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace gleaner
