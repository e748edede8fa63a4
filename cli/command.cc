#include "cli/command.h"

#include <cstdio>
#include <iostream>

#include "absl/strings/str_replace.h"
#include "sim/usage_error.h"

namespace gleaner {

int ReportError(const std::string& command, const absl::Status& status) {
  std::cerr << "gleaner " << command << ": "
            << absl::StrReplaceAll(std::string(status.message()), {{"\n", " "}}) << "\n";
  return IsUsageError(status) ? kExitUsage : kExitFailed;
}

int FinishOutput(const std::string& command, int exit_code) {
  std::cout.flush();
  if (std::cout.good() && std::fflush(stdout) == 0) return exit_code;
  std::cerr << "gleaner " << command << ": standard output could not be written\n";
  return kExitFailed;
}

}  // namespace gleaner
