// What every report carries within: its style, its script, the library that draws, and the
// library's licence. The build makes them from page.css, page.js and third_party's files.
//
//   absl::StrAppend(&html, "<style>", kPageStyle, "</style>");
//
// Constants; thread-safe.
#pragma once

namespace gleaner {

extern const char kPageStyle[];
extern const char kPageScript[];
extern const char kChartLibrary[];
extern const char kChartLibraryLicense[];

}  // namespace gleaner
