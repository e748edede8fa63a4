#include "device/scsi_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "device/copy_recovery.h"
#include "tests/testing/status_matchers.h"

namespace gleaner {
namespace {

using ::gleaner::testing::StatusIs;
using ::testing::HasSubstr;
using Code = absl::StatusCode;
using enum ScsiRetry;
using enum RecoveryAction;

ScsiResult WithSense(int key, uint8_t asc, uint8_t ascq) {
  ScsiResult result;
  result.status = 0x02;
  result.driver = 0x08;
  result.sense.valid = true;
  result.sense.key = static_cast<ScsiSenseKey>(key);
  result.sense.asc = asc;
  result.sense.ascq = ascq;
  return result;
}

ScsiResult WithStatus(uint8_t status) {
  ScsiResult result;
  result.status = status;
  return result;
}

ScsiResult WithHost(uint16_t host) {
  ScsiResult result;
  result.host = host;
  return result;
}

// What a failed command comes to: its code, whether it is repeated, and what the copy engine does
// about a copy that has ended so for the first time.
struct Row {
  ScsiResult result;
  Code code;
  ScsiRetry retry;
  RecoveryAction action;
  const char* words;
};

const Row kRows[] = {
    {WithSense(0x2, 0x04, 0x01), Code::kUnavailable, kLater, kRetry, "becoming ready"},
    {WithSense(0x2, 0x04, 0x0a), Code::kUnavailable, kLater, kRetry, "transition"},
    {WithSense(0x2, 0x3a, 0x00), Code::kUnavailable, kNo, kRetry, "medium not present"},
    {WithSense(0x2, 0x99, 0x00), Code::kUnavailable, kNo, kRetry, "not ready"},
    {WithSense(0x3, 0x11, 0x00), Code::kDataLoss, kNo, kEmulate, "unrecovered read"},
    {WithSense(0x3, 0x0c, 0x02), Code::kDataLoss, kNo, kEmulate, "write error"},
    {WithSense(0x4, 0x99, 0x00), Code::kDataLoss, kNo, kEmulate, "hardware error"},
    {WithSense(0x4, 0x44, 0x00), Code::kUnavailable, kNo, kRetry, "internal target"},
    {WithSense(0x5, 0x1a, 0x00), Code::kInvalidArgument, kNo, kSplit, "list length"},
    {WithSense(0x5, 0x20, 0x00), Code::kUnimplemented, kNo, kAbandon, "operation code"},
    {WithSense(0x5, 0x21, 0x00), Code::kOutOfRange, kNo, kGiveUp, "out of range"},
    {WithSense(0x5, 0x24, 0x00), Code::kUnimplemented, kNo, kAbandon, "in command"},
    {WithSense(0x5, 0x25, 0x00), Code::kUnavailable, kNo, kRetry, "not supported"},
    {WithSense(0x5, 0x26, 0x00), Code::kInvalidArgument, kNo, kSplit, "parameter list"},
    {WithSense(0x5, 0x26, 0x06), Code::kUnimplemented, kNo, kAbandon, "many target"},
    {WithSense(0x5, 0x26, 0x07), Code::kUnimplemented, kNo, kAbandon, "target desc"},
    {WithSense(0x5, 0x26, 0x08), Code::kInvalidArgument, kNo, kSplit, "many segment"},
    {WithSense(0x5, 0x26, 0x09), Code::kUnimplemented, kNo, kAbandon, "segment desc"},
    {WithSense(0x5, 0x99, 0x00), Code::kInvalidArgument, kNo, kSplit, "illegal request"},
    {WithSense(0x6, 0x29, 0x00), Code::kUnavailable, kAtOnce, kRetry, "attention"},
    // What happened before, not what is wrong with this command.
    {WithSense(0x6, 0x3a, 0x00), Code::kUnavailable, kAtOnce, kRetry, "attention"},
    {WithSense(0x7, 0x27, 0x00), Code::kPermissionDenied, kNo, kGiveUp, "write prot"},
    {WithSense(0x7, 0x27, 0x07), Code::kResourceExhausted, kNo, kGiveUp, "allocation"},
    {WithSense(0x7, 0x99, 0x00), Code::kPermissionDenied, kNo, kGiveUp, "protected"},
    {WithSense(0xa, 0x0d, 0x01), Code::kUnavailable, kNo, kRetry, "third party"},
    {WithSense(0xa, 0x0d, 0x02), Code::kUnavailable, kNo, kRetry, "not reachable"},
    {WithSense(0xa, 0x0d, 0x03), Code::kUnimplemented, kNo, kAbandon, "device type"},
    {WithSense(0xa, 0x11, 0x00), Code::kDataLoss, kNo, kEmulate, "unrecovered read"},
    {WithSense(0xa, 0x26, 0x0d), Code::kUnimplemented, kNo, kAbandon, "granularity"},
    {WithSense(0xa, 0x99, 0x00), Code::kUnavailable, kNo, kRetry, "copy aborted"},
    {WithSense(0xb, 0x99, 0x00), Code::kUnavailable, kAtOnce, kRetry, "aborted command"},
    {WithSense(0xb, 0x10, 0x01), Code::kDataLoss, kNo, kEmulate, "guard check"},
    {WithSense(0xe, 0x1d, 0x00), Code::kDataLoss, kNo, kEmulate, "miscompare"},
    {WithStatus(0x02), Code::kUnavailable, kNo, kRetry, "failed (SCSI status 02h)"},
    {WithStatus(0x08), Code::kUnavailable, kLater, kRetry, "busy (SCSI status 08h)"},
    {WithStatus(0x18), Code::kPermissionDenied, kNo, kGiveUp, "reservation conflict"},
    {WithStatus(0x28), Code::kUnavailable, kLater, kRetry, "task set full"},
    {WithStatus(0x40), Code::kUnavailable, kAtOnce, kRetry, "task aborted"},
    {WithHost(0x01), Code::kUnavailable, kNo, kRetry, "no connection"},
    {WithHost(0x03), Code::kUnavailable, kNo, kRetry, "timed out"},
    {WithHost(0x0e), Code::kUnavailable, kLater, kRetry, "transport disrupted"},
    {WithHost(0x55), Code::kUnavailable, kNo, kRetry, "host status 55h"},
};

TEST(ScsiStatusTest, EachEndHasItsCodeItsRetryAndItsRecovery) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.words);
    EXPECT_FALSE(Succeeded(row.result));
    const absl::Status status = ScsiStatus(row.result, "scsi:/dev/sda: copy");
    EXPECT_THAT(status, StatusIs(row.code, HasSubstr(row.words)));
    EXPECT_THAT(status, StatusIs(row.code, HasSubstr("scsi:/dev/sda: copy: ")));
    EXPECT_EQ(RetryOf(row.result), row.retry);
    OpResult failed;
    failed.status = status;
    EXPECT_EQ(RecoveryActionName(RecoveryFor(failed, 1)), RecoveryActionName(row.action));
  }
}

TEST(ScsiStatusTest, TheMessageHasTheRawSense) {
  EXPECT_EQ(ScsiStatus(WithSense(0x5, 0x26, 0x08), "x").message(),
            "x: too many segment descriptors (SCSI sense 5h/26h/08h)");
  EXPECT_EQ(ScsiStatus(WithHost(0x01), "x").message(),
            "x: no connection to the device (SCSI host status 01h, driver status 00h)");
}

TEST(ScsiStatusTest, WhatWasRecoveredIsASuccess) {
  EXPECT_TRUE(Succeeded(ScsiResult()));
  EXPECT_TRUE(Succeeded(WithStatus(0x04)));  // condition met
  EXPECT_TRUE(Succeeded(WithSense(0x1, 0x17, 0x01)));
  EXPECT_TRUE(Succeeded(WithSense(0x0, 0x00, 0x00)));
}

TEST(ScsiStatusTest, BlocksThatWereNotTransferredAreAFailure) {
  ScsiResult result;
  result.untransferred_bytes = 512;
  EXPECT_FALSE(Succeeded(result));
  EXPECT_EQ(RetryOf(result), kNo);
  EXPECT_THAT(ScsiStatus(result, "x"),
              StatusIs(Code::kUnavailable, HasSubstr("512 bytes were not transferred")));
}

TEST(ScsiStatusTest, AnErrorOfTheSystemIsExplainedAsOne) {
  ScsiResult result;
  result.error = ENODEV;
  EXPECT_FALSE(Succeeded(result));
  EXPECT_EQ(RetryOf(result), kNo);
  EXPECT_THAT(ScsiStatus(result, "x"),
              StatusIs(Code::kUnavailable, HasSubstr("x: No such device")));
}

TEST(ScsiStatusTest, AnEarlierCommandThatFailedHasLostData) {
  ScsiResult result = WithSense(0x2, 0x99, 0x00);
  result.sense.deferred = true;
  EXPECT_EQ(RetryOf(result), kNo);
  EXPECT_THAT(ScsiStatus(result, "x"),
              StatusIs(Code::kDataLoss, HasSubstr("an earlier command has failed: not")));
  result =
      WithSense(0x1, 0x17, 0x00);  // even if recovered: this command was not executed
  result.sense.deferred = true;
  EXPECT_FALSE(Succeeded(result));
  EXPECT_EQ(RetryOf(result), kAtOnce);
}

TEST(ScsiStatusTest, AnAnswerIsTheDisksOwn) {
  EXPECT_TRUE(Answered(WithSense(0xa, 0x0d, 0x01)));
  EXPECT_TRUE(Answered(WithStatus(0x08)));
  EXPECT_FALSE(Answered(WithHost(0x01)));
  ScsiResult error;
  error.error = 5;
  EXPECT_FALSE(Answered(error));
}

TEST(ScsiStatusTest, TooManySegmentsAreTooManyRanges) {
  EXPECT_TRUE(HasTooManyRanges(WithSense(0x5, 0x26, 0x08)));
  EXPECT_FALSE(HasTooManyRanges(WithSense(0x5, 0x26, 0x00)));
  EXPECT_FALSE(HasTooManyRanges(WithStatus(0x08)));
}

TEST(ScsiStatusTest, OnlyAnAbortedCopySaysHowFarItCame) {
  ScsiResult result = WithSense(0xa, 0x0d, 0x01);
  result.sense.segment = 3;
  EXPECT_EQ(RangesCopied(result), 3u);
  result.sense.deferred = true;
  EXPECT_EQ(RangesCopied(result), 0u);
  EXPECT_EQ(RangesCopied(WithStatus(0x08)), 0u);
}

}  // namespace
}  // namespace gleaner
