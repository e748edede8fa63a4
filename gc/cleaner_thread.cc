#include "gc/cleaner_thread.h"

#include <utility>

namespace gleaner {

CleanerThread::CleanerThread(Mutex* mu, Step step)
    : mu_(mu), step_(std::move(step)), thread_([this] { Run(); }) {}

CleanerThread::~CleanerThread() {
  {
    MutexLock lock(mu_);
    stop_ = true;
    wake_.SignalAll();
  }
  thread_.join();
}

void CleanerThread::Notify() {
  notified_ = true;
  wake_.SignalAll();
}

void CleanerThread::Run() {
  for (;;) {
    {
      MutexLock lock(mu_);
      if (stop_) return;
      // Cleared before the step: a Notify after it has looked must not be lost.
      notified_ = false;
      Sleep(step_());
    }
    std::this_thread::yield();  // the mutex is not fair
  }
}

void CleanerThread::Sleep(absl::Duration at_most) {
  if (at_most <= absl::ZeroDuration()) return;
  if (at_most < absl::InfiniteDuration()) {
    // Waking early for no reason costs a step, no more.
    if (!notified_ && !stop_) wake_.WaitFor(mu_, at_most);
    return;
  }
  while (!notified_ && !stop_) wake_.Wait(mu_);
}

}  // namespace gleaner
