#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "cli/output_file.h"
#include "sim/pages/report_file.h"
#include "sim/usage_error.h"

namespace gleaner {
namespace {

constexpr char kName[] = "report";
constexpr char kStandard[] = "-";
constexpr size_t kMostMiB = 256;

absl::StatusOr<std::string> ReadAll(const std::string& path) {
  std::FILE* const file = path == kStandard ? stdin : std::fopen(path.c_str(), "re");
  if (file == nullptr)
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  std::string text;
  constexpr size_t kChunk = 1 << 16, kMost = kMostMiB << 20;
  size_t got = kChunk;
  while (got == kChunk && text.size() <= kMost) {
    text.resize(text.size() + kChunk);
    got = std::fread(text.data() + text.size() - kChunk, 1, kChunk, file);
    text.resize(text.size() - kChunk + got);
  }
  const int error = std::ferror(file) != 0 ? errno : 0;
  if (file != stdin) std::fclose(file);
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("cannot read ", path));
  if (text.size() > kMost)
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": larger than ", kMostMiB, " MiB"));
  return text;
}

// results.json -> results.html
std::string BesideIt(const std::string& path) {
  if (path == kStandard) return kStandard;
  return absl::StrCat(absl::StripSuffix(path, ".json"), ".html");
}

absl::Status Write(const std::vector<std::string>& inputs, const std::string& output) {
  std::vector<ReportFile> files;
  for (const std::string& input : inputs) {
    std::error_code ignored;  // one that is not there is no input
    if (output != kStandard && std::filesystem::equivalent(input, output, ignored))
      return UsageError("--output", absl::StrCat(output, " is read from"));
    GLEANER_ASSIGN_OR_RETURN(std::string text, ReadAll(input));
    files.push_back({input == kStandard ? "standard input" : input, std::move(text)});
  }
  GLEANER_ASSIGN_OR_RETURN(const std::string html, ReportOfFiles(files));
  if (output == kStandard) {
    std::cout << html;
    return absl::OkStatus();
  }
  GLEANER_RETURN_IF_ERROR(CheckWritable("--output", output));
  GLEANER_RETURN_IF_ERROR(WriteFile("--output", output, html));
  std::cout << output << "\n";
  return absl::OkStatus();
}

}  // namespace

int RunReport(std::vector<std::string> arguments) {
  std::vector<std::string> inputs;
  std::string output;
  CLI::App app("Turns the JSON of benchmarks or simulations into one HTML page",
               "gleaner report");
  app.add_option(
         "FILE", inputs,
         "What //bench:relocation wrote with --benchmark_out, or gleaner simulate "
         "printed with --json; - is stdin")
      ->required();
  app.add_option(
      "--output", output,
      "The page; default: beside the first FILE, ending in .html; - is stdout");
  app.footer(
      "The page needs no network. Benchmarks of one device are pooled: more files, more "
      "repetitions.");
  if (std::optional<int> code = ParseFlags(app, std::move(arguments))) return *code;
  if (output.empty()) output = BesideIt(inputs.front());
  if (absl::Status status = Write(inputs, output); !status.ok())
    return ReportError(kName, status);
  return FinishOutput(kName, kExitDone);
}

}  // namespace gleaner
