// The `gleaner` command.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "base/nearest_name.h"
#include "cli/command.h"
#include "device/device_factory.h"

namespace gleaner {
namespace {

constexpr char kVersion[] = "0.1.0";

struct Command {
  const char* name;
  CommandFunction run;
  const char* summary;
};

int RunHelp(std::vector<std::string> arguments);
int RunVersion(std::vector<std::string> arguments);

constexpr Command kCommands[] = {
    {"simulate", RunSimulate,
     "replay a trace or a synthetic workload under chosen policies"},
    {"copy", RunCopy, "copy ranges within or between devices"},
    {"identify", RunIdentify, "geometry and copy limits of a device"},
    {"report", RunReport, "turn benchmark or simulation JSON into a page with charts"},
    {"version", RunVersion, "print the version"},
    {"help", RunHelp, "this text, or help [command]"},
};

const Command* Find(const std::string& name) {
  for (const Command& command : kCommands)
    if (name == command.name) return &command;
  return nullptr;
}

int UnknownCommand(const std::string& name) {
  std::vector<absl::string_view> names;
  for (const Command& command : kCommands) names.push_back(command.name);
  std::cerr << "gleaner: " << UnknownNameError("command", name, names).message() << "\n";
  return kExitUsage;
}

// The type is that of every command. NOLINTNEXTLINE(performance-unnecessary-value-param)
int RunVersion(std::vector<std::string> arguments) {
  if (!arguments.empty()) {
    std::cerr << "gleaner version: takes no arguments\n";
    return kExitUsage;
  }
  std::cout << "gleaner " << kVersion << "\n";
  return FinishOutput("version", kExitDone);
}

int RunHelp(std::vector<std::string> arguments) {
  if (arguments.size() > 1) {
    std::cerr << "gleaner help: takes one command\n";
    return kExitUsage;
  }
  if (arguments.size() == 1) {
    const Command* command = Find(arguments[0]);
    if (command == nullptr) return UnknownCommand(arguments[0]);
    if (command->run != RunHelp && command->run != RunVersion)
      return command->run({"--help"});
  }
  std::cout << "Gleaner cleans log-structured storage: it selects victim segments and "
               "relocates\n"
               "their live data, by NVMe Simple Copy or by host reads and writes.\n\n";
  for (const Command& command : kCommands)
    std::printf("  gleaner %-10s %s\n", command.name, command.summary);
  std::fflush(stdout);
  std::cout << "\nDevices (SPEC):\n";
  for (const DeviceBackend& backend : DeviceBackends())
    std::cout << "  " << backend.synopsis << "\n";
  std::cout << "\nCommon flags: --json prints one JSON object to standard output and "
               "nothing else "
               "there.\nExit codes: 0 done, 1 the work failed, 2 wrong use.\n";
  return FinishOutput("help", kExitDone);
}

// A volume or a trace too large for the machine: one line, on whichever thread it happens.
// The rest of the standard library allocates; what is called here does not.
void OutOfMemory() {
  constexpr char kMessage[] = "gleaner: out of memory\n";
  [[maybe_unused]] const ssize_t written =
      write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1);
  _exit(kExitFailed);
}

// A file that is opened while standard output is closed would take its place, and what is
// printed would go into it. Writing to what stands in here fails.
void KeepStandardDescriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd) _exit(kExitFailed);
}

int Main(int argc, char** argv) {
  KeepStandardDescriptors();
  std::set_new_handler(OutOfMemory);
  // A reader that closes the pipe is reported as any other failure to write.
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) {
    std::cerr << "gleaner: which command? See `gleaner help`\n";
    return kExitUsage;
  }
  std::string name = arguments[0];
  arguments.erase(arguments.begin());
  if (name == "--help" || name == "-h") name = "help";
  if (name == "--version") name = "version";
  const Command* command = Find(name);
  if (command == nullptr) return UnknownCommand(name);
  return command->run(std::move(arguments));
}

}  // namespace

}  // namespace gleaner

int main(int argc, char** argv) { return gleaner::Main(argc, argv); }
