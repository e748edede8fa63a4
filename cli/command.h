// The subcommands of `gleaner`: one .cc with a Run…() each, one row of the table in main.cc.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace gleaner {

enum ExitCode { kExitDone = 0, kExitFailed = 1, kExitUsage = 2 };

// Arguments after the subcommand's name. Prints results to standard output, messages to standard
// error, and returns the exit code.
using CommandFunction = int (*)(std::vector<std::string> arguments);

int RunSimulate(std::vector<std::string> arguments);
int RunCopy(std::vector<std::string> arguments);
int RunIdentify(std::vector<std::string> arguments);
int RunReport(std::vector<std::string> arguments);

// Prints "gleaner COMMAND: MESSAGE", in one line, to standard error. Returns the exit code that
// belongs to the status: wrong use or failed work.
int ReportError(const std::string& command, const absl::Status& status);

// Standard output may be a full disk or a closed pipe: what was printed must have arrived.
// Returns `exit_code`, or kExitFailed with a message if it has not.
int FinishOutput(const std::string& command, int exit_code);

}  // namespace gleaner
