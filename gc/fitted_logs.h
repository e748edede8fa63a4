// How the classes of a placement become logs where there is a limit to how many segments can be
// open at once: a zoned device's. And the other way round, where one class of relocated blocks is
// to have several logs, so that several zones are written at the same time.
//
//   GLEANER_ASSIGN_OR_RETURN(LogMap map, FitLogs({3, 3, 1}, {.most = 2}));
//   // temperature: hot and warm user writes share log 0, cold and relocated blocks have log 1
//   GLEANER_ASSIGN_OR_RETURN(placement, FitPlacement(std::move(placement), {.most = 2}));
//
// FitLogs is pure. A placement belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "base/types.h"
#include "gc/placement.h"

namespace gleaner {

// The classes of a placement, hot to cold: the first `user_classes` take user writes, the last
// `relocation_classes` relocated blocks; together they are all, and they may overlap.
struct ClassShape {
  uint32_t classes = 1;
  uint32_t user_classes = 1;
  uint32_t relocation_classes = 1;
};

struct LogOptions {
  // Logs that can be open at once; 0: as many as are wanted.
  uint32_t most = 0;
  // Logs for each class that relocated blocks go to, where there is room for them. More: copies to
  // more zones at the same time, and more segments that are open and reserved.
  uint32_t logs_per_relocation_class = 1;
};

// The logs of a class are `first`, `first` + 1, ...; classes that were merged have the same.
struct ClassLogs {
  ClassId first;
  uint8_t count =
      1;  // more than one only for relocated blocks; user writes go to the first
  friend bool operator==(const ClassLogs&, const ClassLogs&) = default;
};

struct LogMap {
  std::vector<ClassLogs> classes;  // by class
  uint32_t logs = 0;
  uint32_t relocation_logs = 0;  // the last of them, which relocated blocks can go to
};

// Where there are too few, first each class has one log; then neighbours share one: the coldest
// two of a kind, of the kind that has most logs (user writes only; both; relocated blocks only).
// Kinds stay apart to the end. ResourceExhausted: not even one log for user writes and one for
// relocated blocks, or the one where a single class takes both; the message says how many.
absl::StatusOr<LogMap> FitLogs(const ClassShape& shape, const LogOptions& options);

// The shape of a placement.
ClassShape ShapeOf(const Placement& placement);

// `placement` with its logs for classes; itself where they are the same. Where a class has several
// logs, victims take turns at them.
absl::StatusOr<std::unique_ptr<Placement>> FitPlacement(
    std::unique_ptr<Placement> placement, const LogOptions& options);

}  // namespace gleaner
