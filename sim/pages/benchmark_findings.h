// What relocation's benchmark found, in words and in a few large figures.
//
//   page.AddParagraph(FindingsText(group), ParagraphKind::kLead);
//   page.AddTiles(FindingsTiles(group));
//
// Pure functions; thread-safe.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sim/pages/benchmark_comparison.h"

namespace gleaner {

// A paragraph: the medians by run length, where native is slower and by how much, and how near
// automatic choice comes to the faster path. Slower means that the quartiles do not overlap.
std::string FindingsText(const ComparisonGroup& group);

// (figure, meaning)
std::vector<std::pair<std::string, std::string>> FindingsTiles(
    const ComparisonGroup& group);

// "50 % live, runs of 16 blocks", or what of it the names say.
std::string StateName(absl::string_view live, absl::string_view run);

}  // namespace gleaner
