// Opens a device from what the user wrote: BACKEND:ARGUMENT[,key=value...][;SPEC...].
//
//   OpenOptions options;
//   options.access = Access::kReadOnly;
//   GLEANER_ASSIGN_OR_RETURN(auto device, OpenDevice("file:/data/log,size=2G", options));
//   GLEANER_ASSIGN_OR_RETURN(auto scratch, OpenDevice("mem:size=1G,zone=64M"));
//   for (const DeviceBackend& backend : DeviceBackends()) puts(backend.synopsis);
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "device/device.h"
#include "device/geometry.h"

namespace gleaner {

struct OpenOptions {
  Access access = Access::kReadWrite;
  // Open for writing although the first or last MiB holds data that is not Gleaner's (see
  // marker.h).
  bool force = false;
  // Told of what the user should know though it is no error, one line each without a
  // newline. Null: nobody listens.
  std::function<void(absl::string_view)> message;
};

// A SPEC taken apart. Keys are known to the backend and unique; values are as written.
struct DeviceSpec {
  std::string backend;
  std::string
      argument;  // what is not key=value: a path; empty where the backend has none
  std::vector<std::pair<std::string, std::string>> values;
  std::vector<std::string> inner;  // the SPECs of the devices behind this one

  // The value of `key`; null if it was not given.
  const std::string* Find(absl::string_view key) const;
};

// A row of the table of backends.
struct DeviceBackend {
  const char* name;
  const char* synopsis;  // one line for help
  const char* argument;  // what the argument is called; null: there is none
  absl::Span<const char* const> keys;
  bool has_inner;  // stands in front of another device: "…;SPEC"
  absl::StatusOr<std::unique_ptr<Device>> (*open)(const DeviceSpec& spec,
                                                  const OpenOptions& options);
  bool has_members = false;  // and has_inner: of two or more, "…;SPEC;SPEC…"
};

absl::Span<const DeviceBackend> DeviceBackends();

// Takes a SPEC apart without touching any device. InvalidArgument: an unknown backend or
// key (the message names the nearest known one), a key given twice, a value or argument
// missing, too few members, SPECs nested more than 16 deep.
//
// A SPEC behind another may stand in parentheses, and does where it is one of several and has
// a ";" of its own: it then ends at the ")" that matches, and holds as many "(" as ")".
// Elsewhere parentheses mean nothing.
absl::StatusOr<DeviceSpec> ParseSpec(absl::string_view text);

// Opens the device. InvalidArgument also for a value that is zero or absurd; NotFound: no
// such file; FailedPrecondition: in use elsewhere, holding foreign data, or not of the
// size asked for; PermissionDenied. Nothing is written to the device, and an existing
// file is left as it is.
absl::StatusOr<std::unique_ptr<Device>> OpenDevice(absl::string_view text,
                                                   const OpenOptions& options = {});

// A size in bytes: digits, then nothing or K, M, G or T (powers of 1024). InvalidArgument
// for anything else, and for zero.
absl::StatusOr<uint64_t> ParseSize(absl::string_view text);

}  // namespace gleaner
