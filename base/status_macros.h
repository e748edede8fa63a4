// Early return on a non-OK absl::Status; Abseil 20220623 has no such macros.
//
//   GLEANER_RETURN_IF_ERROR(device->Flush());
//   GLEANER_ASSIGN_OR_RETURN(auto device, OpenDevice(spec));
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define GLEANER_RETURN_IF_ERROR(expression)                               \
  do {                                                                    \
    if (absl::Status status_macro_s = (expression); !status_macro_s.ok()) \
      return status_macro_s;                                              \
  } while (false)

#define GLEANER_STATUS_CONCAT_INNER(a, b) a##b
#define GLEANER_STATUS_CONCAT(a, b) GLEANER_STATUS_CONCAT_INNER(a, b)

#define GLEANER_ASSIGN_OR_RETURN(declaration, expression)                    \
  GLEANER_ASSIGN_OR_RETURN_IMPL(GLEANER_STATUS_CONCAT(status_or_, __LINE__), \
                                declaration, expression)

#define GLEANER_ASSIGN_OR_RETURN_IMPL(result, declaration, expression) \
  auto result = (expression);                                          \
  if (!result.ok()) return std::move(result).status();                 \
  declaration = *std::move(result)
