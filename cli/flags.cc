#include "cli/flags.h"

#include <cstdio>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/nearest_name.h"
#include "cli/command.h"
#include "sim/usage_error.h"

namespace gleaner {
namespace {

// CLI11's own sentence may have line breaks.
std::string OneLine(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\n", " "}, {"\t", " "}});
}

std::string UnknownFlag(const CLI::App& app, const std::string& argument) {
  const std::string name = std::vector<std::string>(absl::StrSplit(argument, '='))[0];
  if (name.rfind("--", 0) != 0)
    return absl::StrCat("unexpected argument \"", argument, "\"");
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& flag : option->get_lnames()) known.push_back("--" + flag);
  const std::vector<absl::string_view> views(known.begin(), known.end());
  const absl::string_view nearest = NearestName(name, views);
  if (nearest.empty()) return absl::StrCat("unknown flag ", name);
  return absl::StrCat("unknown flag ", name, "; did you mean ", nearest, "?");
}

}  // namespace

std::optional<int> ParseFlags(CLI::App& app, std::vector<std::string> arguments) {
  app.allow_extras();
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return FinishOutput(app.get_name(), kExitDone);
  } catch (const CLI::ParseError& e) {
    const std::vector<std::string> extras = app.remaining();
    const std::string reason =
        extras.empty() ? OneLine(e.what()) : UnknownFlag(app, extras[0]);
    std::cerr << app.get_name() << ": " << reason << "\n";
    return kExitUsage;
  }
  if (const std::vector<std::string> extras = app.remaining(); !extras.empty()) {
    std::cerr << app.get_name() << ": " << UnknownFlag(app, extras[0]) << "\n";
    return kExitUsage;
  }
  return std::nullopt;
}

void LimitFlags::AddTo(CLI::App& app) {
  const auto positive = CLI::Range(uint64_t{1}, uint64_t{1} << 40);
  app.add_option(
         "--max_copy_blocks", max_copy_blocks,
         "Most blocks of a Copy command: lowers a device's limit, sets the model's "
         "(1024)")
      ->check(positive);
  app.add_option("--max_copy_ranges", max_copy_ranges,
                 "Most source ranges of a Copy command, likewise (128)")
      ->check(CLI::Range(uint64_t{1}, uint64_t{UINT32_MAX}));
  app.add_option("--max_range_blocks", max_range_blocks,
                 "Most blocks of one source range, likewise (128)")
      ->check(positive);
}

CopyLimits LimitFlags::wish() const {
  return {.max_copy_blocks = max_copy_blocks.value_or(0),
          .max_copy_ranges = max_copy_ranges.value_or(0),
          .max_range_blocks = max_range_blocks.value_or(0)};
}

void CopyModeFlag::AddTo(CLI::App& app) {
  app.add_option(
         "--copy", value,
         "auto | native | emulate: by the device's Copy command, by host reads and "
         "writes, or whichever is measured to be faster")
      ->capture_default_str();
}

absl::StatusOr<CopyMode> CopyModeFlag::mode() const {
  if (value == "auto") return CopyMode::kAuto;
  if (value == "native") return CopyMode::kNative;
  if (value == "emulate") return CopyMode::kEmulate;
  constexpr absl::string_view kNames[] = {"auto", "native", "emulate"};
  return UsageError("--copy", UnknownNameError("mode", value, kNames));
}

}  // namespace gleaner
