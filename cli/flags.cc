#include "cli/flags.h"

#include <algorithm>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/nearest_name.h"
#include "cli/command.h"
#include "device/device_factory.h"
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

// What CLI11 reads otherwise than it is meant: it takes the next argument for the value that
// "--flag=" lacks, and a value for a flag that has none. Empty: nothing.
std::string WrongValue(const CLI::App& app, const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    const size_t equals = argument.find('=');
    if (argument.rfind("--", 0) != 0 || equals == std::string::npos) continue;
    const std::string name = argument.substr(0, equals);
    const CLI::Option* const option = app.get_option_no_throw(name);
    if (option == nullptr) continue;
    if (option->get_items_expected_max() == 0) return name + ": takes no value";
    if (equals + 1 == argument.size()) return name + ": needs a value";
  }
  return "";
}

// Why a flag has too few values, or too many.
std::string WrongCount(const CLI::App& app, const std::string& sentence) {
  const std::string name = sentence.substr(0, sentence.find(':'));
  const CLI::Option* const option = app.get_option_no_throw(name);
  return option != nullptr && option->count() > 1 ? name + ": is given more than once"
                                                  : name + ": needs a value";
}

int WrongUse(const CLI::App& app, const std::string& reason) {
  std::cerr << app.get_name() << ": " << reason << "\n";
  return kExitUsage;
}

}  // namespace

CLI::Validator WholeNumber(uint64_t least, uint64_t most) {
  return CLI::Validator(
      [least, most](const std::string& text) {
        uint64_t value;
        const bool whole = std::all_of(text.begin(), text.end(), absl::ascii_isdigit) &&
                           absl::SimpleAtoi(text, &value) && value >= least &&
                           value <= most;
        return whole ? std::string()
                     : absl::StrCat("\"", text, "\" is not a whole number from ", least,
                                    " to ", most);
      },
      "");
}

CLI::Validator Number() {
  return CLI::Validator(
      [](const std::string& text) {
        double value;
        return absl::SimpleAtod(text, &value)
                   ? std::string()
                   : absl::StrCat("\"", text, "\" is not a number");
      },
      "");
}

std::optional<int> ParseFlags(CLI::App& app, std::vector<std::string> arguments) {
  if (const std::string wrong = WrongValue(app, arguments); !wrong.empty())
    return WrongUse(app, wrong);
  app.allow_extras();
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    const absl::string_view name = app.get_name();
    return FinishOutput(std::string(absl::StripPrefix(name, "gleaner ")), kExitDone);
  } catch (const CLI::ArgumentMismatch& e) {
    return WrongUse(app, WrongCount(app, e.what()));
  } catch (const CLI::ParseError& e) {
    const std::vector<std::string> extras = app.remaining();
    return WrongUse(app,
                    extras.empty() ? OneLine(e.what()) : UnknownFlag(app, extras[0]));
  }
  if (const std::vector<std::string> extras = app.remaining(); !extras.empty())
    return WrongUse(app, UnknownFlag(app, extras[0]));
  return std::nullopt;
}

void LimitFlags::AddTo(CLI::App& app) {
  const CLI::Validator positive = WholeNumber(1, uint64_t{1} << 40);
  app.add_option(
         "--max_copy_blocks", max_copy_blocks,
         "Most blocks of a Copy command: lowers a device's limit, sets the model's "
         "(1024)")
      ->check(positive);
  app.add_option("--max_copy_ranges", max_copy_ranges,
                 "Most source ranges of a Copy command, likewise (128)")
      ->check(WholeNumber(1, UINT32_MAX));
  app.add_option("--max_range_blocks", max_range_blocks,
                 "Most blocks of one source range, likewise (128)")
      ->check(positive);
}

CopyLimits LimitFlags::wish() const {
  return {.max_copy_blocks = max_copy_blocks.value_or(0),
          .max_copy_ranges = max_copy_ranges.value_or(0),
          .max_range_blocks = max_range_blocks.value_or(0)};
}

void CopyRateFlag::AddTo(CLI::App& app, const char* name) {
  name_ = name;
  app.add_option(name, value,
                 "Copies no faster than so many bytes per second, as in 64M; default: no "
                 "limit");
}

absl::StatusOr<uint64_t> CopyRateFlag::bytes_per_second() const {
  if (value.empty()) return 0;
  absl::StatusOr<uint64_t> bytes = ParseSize(value);
  if (!bytes.ok()) return UsageError(name_, bytes.status());
  return bytes;
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
