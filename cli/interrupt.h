// An interrupt from the terminal (SIGINT, SIGTERM) ends the work and says how far it came.
//
//   StopOnInterrupt();
//   while (!done && !Interrupted()) { ... }
//
// The first is told by Interrupted; the second ends the process, as if nothing were here.
#pragma once

namespace gleaner {

void StopOnInterrupt();

// Thread-safe.
bool Interrupted();

}  // namespace gleaner
