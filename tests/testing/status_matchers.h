// GoogleMock matchers for absl::Status and absl::StatusOr, which Abseil 20220623 lacks.
//
//   EXPECT_THAT(device->Flush(), IsOk());
//   EXPECT_THAT(OpenDevice("tape:"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tape")));
//   ASSERT_OK_AND_ASSIGN(auto device, OpenDevice("mem:size=1M"));
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gleaner::testing {

inline const absl::Status& GetStatus(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& GetStatus(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

MATCHER(IsOk, "is OK") {
  *result_listener << GetStatus(arg);
  return GetStatus(arg).ok();
}

MATCHER_P(StatusIs, code, std::string("has code ") + absl::StatusCodeToString(code)) {
  *result_listener << GetStatus(arg);
  return GetStatus(arg).code() == code;
}

MATCHER_P2(StatusIs, code, message_matcher,
           std::string("has code ") + absl::StatusCodeToString(code) +
               " and a fitting message") {
  *result_listener << GetStatus(arg);
  return GetStatus(arg).code() == code &&
         ::testing::ExplainMatchResult(
             message_matcher, std::string(GetStatus(arg).message()), result_listener);
}

}  // namespace gleaner::testing

#define GLEANER_TESTING_CONCAT_INNER(a, b) a##b
#define GLEANER_TESTING_CONCAT(a, b) GLEANER_TESTING_CONCAT_INNER(a, b)
#define ASSERT_OK_AND_ASSIGN(declaration, expression)            \
  auto GLEANER_TESTING_CONCAT(result_, __LINE__) = (expression); \
  ASSERT_TRUE(GLEANER_TESTING_CONCAT(result_, __LINE__).ok())    \
      << GLEANER_TESTING_CONCAT(result_, __LINE__).status();     \
  declaration = *std::move(GLEANER_TESTING_CONCAT(result_, __LINE__))
