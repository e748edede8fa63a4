// Reads literal traces in tests.
//
//   EXPECT_THAT(ReadTrace("7,W,4096,512,1\n", "alibaba"), ElementsAre("7 write 4096+512
//   @1000")); EXPECT_THAT(TraceError("7,W\n", "alibaba"),
//   StatusIs(absl::StatusCode::kInvalidArgument));
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "sim/trace_reader.h"

namespace gleaner::testing {

// Appends one line per record, "volume op offset+length @time_ns". The trace is called
// "t".
inline absl::Status CollectTrace(absl::string_view contents, absl::string_view format,
                                 std::vector<std::string>* records) {
  auto reader = OpenTraceFromMemory(contents, "t", format);
  if (!reader.ok()) return reader.status();
  for (;;) {
    TraceRecord r;
    const auto more = (*reader)->Next(&r);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
    constexpr const char* kOps[] = {"read", "write", "trim"};
    records->push_back(absl::StrCat((*reader)->volume_name(r.volume), " ",
                                    kOps[static_cast<int>(r.op)], " ", r.offset_bytes,
                                    "+", r.length_bytes, " @", r.time_ns));
  }
}

inline std::vector<std::string> ReadTrace(absl::string_view contents,
                                          absl::string_view format) {
  std::vector<std::string> records;
  const absl::Status status = CollectTrace(contents, format, &records);
  EXPECT_TRUE(status.ok()) << status;
  return records;
}

inline absl::Status TraceError(absl::string_view contents, absl::string_view format) {
  std::vector<std::string> records;
  return CollectTrace(contents, format, &records);
}

}  // namespace gleaner::testing
