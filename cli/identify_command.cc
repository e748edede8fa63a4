#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "device/device.h"
#include "device/device_factory.h"
#include "nlohmann/json.hpp"
#include "sim/usage_error.h"

namespace gleaner {
namespace {

constexpr char kName[] = "identify";

nlohmann::ordered_json LimitsJson(const CopyLimits& limits) {
  nlohmann::ordered_json j;
  j["copy_offload"] = limits.copy_offload;
  j["max_copy_blocks"] = limits.max_copy_blocks;
  j["max_copy_ranges"] = limits.max_copy_ranges;
  j["max_range_blocks"] = limits.max_range_blocks;
  return j;
}

nlohmann::ordered_json DeviceJson(const Device& device) {
  const Geometry& g = device.geometry();
  nlohmann::ordered_json j;
  j["device"] = device.name();
  j["block_bytes"] = g.block_bytes;
  j["capacity_blocks"] = g.capacity.value();
  j["capacity_bytes"] = g.capacity.value() * g.block_bytes;
  j["zoned"] = g.zoned();
  if (g.zoned()) {
    j["zones"] = g.zones();
    j["zone_size_blocks"] = g.zone_size.value();
    j["zone_capacity_blocks"] = g.zone_capacity.value();
    j["max_open_zones"] = g.max_open_zones;
    j["max_active_zones"] = g.max_active_zones;
  }
  j["max_transfer_blocks"] = g.max_transfer.value();
  j["atomic_write_blocks"] = g.atomic_write.value();
  j["volatile_write_cache"] = g.volatile_write_cache;
  j["can_copy"] = device.copy_limits().can_copy();
  j["hardware_copy_limits"] = LimitsJson(device.hardware_copy_limits());
  j["copy_limits"] = LimitsJson(device.copy_limits());
  j["copy_limits_unknown"] = device.copy_limits().unknown;
  return j;
}

void PrintText(const nlohmann::ordered_json& j) {
  for (const auto& [key, value] : j.items()) {
    if (value.is_object()) continue;
    std::cout << absl::StreamFormat(
        "%-22s %s\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  const nlohmann::ordered_json& hardware = j["hardware_copy_limits"];
  std::cout << "copy limits            hardware, in force\n";
  for (const auto& [key, value] : hardware.items()) {
    std::cout << absl::StreamFormat("  %-20s %s, %s\n", key, value.dump(),
                                    j["copy_limits"][key].dump());
  }
  if (j["copy_limits_unknown"].get<bool>()) {
    std::cout
        << "The device offers Copy without limits: those in force are the most that is "
           "tried.\nWhat it takes is unknown, and is learned by trying.\n";
  }
}

}  // namespace

int RunIdentify(std::vector<std::string> arguments) {
  std::string spec;
  bool json = false;
  LimitFlags limits;
  CLI::App app("Geometry and copy limits of a device", "gleaner identify");
  app.add_option("SPEC", spec, "The device, see `gleaner help`")->required();
  app.add_flag("--json", json, "One JSON object");
  limits.AddTo(app);
  if (std::optional<int> code = ParseFlags(app, std::move(arguments))) return *code;

  OpenOptions options;
  options.access = Access::kReadOnly;
  options.message = [](absl::string_view text) {
    std::cerr << "gleaner: " << text << "\n";
  };
  auto device = OpenDevice(spec, options);
  if (absl::IsInvalidArgument(device.status()))
    return ReportError(kName, UsageError("SPEC", device.status()));
  if (!device.ok()) return ReportError(kName, device.status());
  (*device)->LowerCopyLimits(limits.wish());
  const nlohmann::ordered_json j = DeviceJson(**device);
  if (json) {
    std::cout << j.dump(2) << "\n";
  } else {
    PrintText(j);
  }
  return FinishOutput(kName, kExitDone);
}

}  // namespace gleaner
