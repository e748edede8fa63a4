// ParseSpec never crashes, and what it accepts is something that it accepts again when it
// is put together from its parts.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "device/device_factory.h"

namespace {

std::string Assemble(const gleaner::DeviceSpec& spec) {
  std::string text = absl::StrCat(spec.backend, ":", spec.argument);
  bool comma = !spec.argument.empty();
  for (const auto& [key, value] : spec.values) {
    absl::StrAppend(&text, comma ? "," : "", key, "=", value);
    comma = true;
    if (const auto bytes = gleaner::ParseSize(value); bytes.ok())
      GLEANER_CHECK(*bytes > 0);
  }
  for (const std::string& inner : spec.inner) {
    const bool parentheses = spec.inner.size() > 1 && absl::StrContains(inner, ';');
    absl::StrAppend(&text, text == "concat:" ? "" : ";", parentheses ? "(" : "", inner,
                    parentheses ? ")" : "");
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto spec = gleaner::ParseSpec(text);
  if (!spec.ok()) return 0;
  const auto second = gleaner::ParseSpec(Assemble(*spec));
  GLEANER_CHECK(second.ok());
  GLEANER_CHECK(second->backend == spec->backend && second->argument == spec->argument &&
                second->values == spec->values && second->inner == spec->inner);
  return 0;
}
