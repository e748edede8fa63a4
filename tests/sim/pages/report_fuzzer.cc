// libFuzzer target of what `gleaner report` reads: any bytes give a page or an error, and no text
// of theirs gets into the page's markup.
//
//   ./dev fuzz report_fuzzer
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "base/check.h"
#include "sim/pages/report_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto html = gleaner::ReportOfFiles({{"input", text}});
  if (!html.ok()) return 0;
  // The page itself has no bold element but in its tiles, and no image at all.
  GLEANER_CHECK(!absl::StrContains(*html, "<img"));
  GLEANER_CHECK(!absl::StrContains(*html, "<b>\"") && !absl::StrContains(*html, "<!--"));
  return 0;
}
