// The one place in gc that owns a thread: it runs steps under the caller's mutex, and sleeps when
// there is nothing to do.
//
//   Mutex mu;  // guards the store and its cleaner
//   CleanerThread thread(&mu, [&] { return StepOnce(); });  // called with mu held
//   ...
//   { MutexLock lock(thread.mu()); store.Write(...); thread.Notify(); }
//
// Thread-safe, as the comments on the calls say.
#pragma once

#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace gleaner {

class CleanerThread {
 public:
  // Does bounded work and returns how long the thread may sleep until it is called again:
  // zero, at once; InfiniteDuration, until Notify. Called with the mutex held.
  using Step = absl::AnyInvocable<absl::Duration()>;

  // `mu` must outlive the thread, and so must what `step` uses.
  CleanerThread(Mutex* mu, Step step);
  // Waits for a step under way; no other follows. Not with the mutex held.
  ~CleanerThread() ABSL_LOCKS_EXCLUDED(*mu_);
  CleanerThread(const CleanerThread&) = delete;
  CleanerThread& operator=(const CleanerThread&) = delete;

  // The mutex of the constructor. To lock it under this name lets clang's analysis know that
  // Notify may be called.
  Mutex* mu() const ABSL_LOCK_RETURNED(mu_) { return mu_; }

  // There may be something to do: a further step begins after this call.
  void Notify() ABSL_EXCLUSIVE_LOCKS_REQUIRED(*mu_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(*mu_);
  void Sleep(absl::Duration at_most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(*mu_);

  Mutex* const mu_;
  Step step_ ABSL_GUARDED_BY(*mu_);
  CondVar wake_;
  bool notified_ ABSL_GUARDED_BY(*mu_) = false;
  bool stop_ ABSL_GUARDED_BY(*mu_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace gleaner
