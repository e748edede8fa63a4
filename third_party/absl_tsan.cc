// Debian's Abseil is built without ThreadSanitizer, which therefore does not see
// libabsl_status drop a reference, only the delete that may follow, and calls it a race
// with those who held one.
#ifdef __SANITIZE_THREAD__

extern "C" const char* __tsan_default_suppressions() {
  return "race:absl::*::Status::Unref\n";
}

#endif
