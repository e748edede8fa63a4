// The flags of a subcommand: CLI11 with our error messages.
//
//   CLI::App app("Geometry and copy limits of a device", "gleaner identify");
//   app.add_option("device", spec, "SPEC")->required();
//   if (std::optional<int> code = ParseFlags(app, arguments)) return *code;
//
// Single-threaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "device/copy_engine.h"
#include "device/geometry.h"

namespace gleaner {

// Parses; after --help or an error what there is to say was printed, and the exit code is
// returned. An unknown flag is answered with the nearest known one.
std::optional<int> ParseFlags(CLI::App& app, std::vector<std::string> arguments);

// For an option's check(): digits that say a number from `least` to `most`. CLI11 by itself takes
// -1 for 2^64 - 1, cuts what is too large to it, and reads 010 as eight.
CLI::Validator WholeNumber(uint64_t least, uint64_t most);
// Any number; the range is the command's affair.
CLI::Validator Number();

// --max_copy_blocks, --max_copy_ranges, --max_range_blocks. Zero is refused: it would mean that
// nothing can be copied, which --copy=emulate says more clearly.
struct LimitFlags {
  std::optional<uint64_t> max_copy_blocks;
  std::optional<uint32_t> max_copy_ranges;
  std::optional<uint64_t> max_range_blocks;

  void AddTo(CLI::App& app);
  CopyLimits wish() const;
};

// A rate of copying, in bytes per second as sizes are written in SPECs; 0 where it is not given.
struct CopyRateFlag {
  std::string value;

  void AddTo(CLI::App& app, const char* name);
  absl::StatusOr<uint64_t> bytes_per_second() const;

 private:
  std::string name_;
};

// --copy.
struct CopyModeFlag {
  std::string value = "auto";

  void AddTo(CLI::App& app);
  absl::StatusOr<CopyMode> mode() const;
};

}  // namespace gleaner
