// libFuzzer target of decompression and of the line reader. Lines and fixed records of
// the same input must both end, in bounded memory, and agree on how many bytes there are.
//
//   ./dev fuzz line_reader_fuzzer
//   testdata/fuzz/line_reader
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "sim/traces/line_reader.h"

namespace gleaner {
namespace {

// A few bytes can decompress to terabytes.
constexpr uint64_t kMostLines = 1 << 14;

void Fuzz(absl::string_view input) {
  const auto lines = LineReader::FromMemory(input, "fuzz");
  const size_t peeked = lines->Peek().size();
  size_t seen = 0;
  absl::string_view line;
  for (uint64_t i = 0; i < kMostLines; ++i) {
    const auto more = lines->NextLine(&line);
    if (!more.ok()) break;
    if (!*more) {
      GLEANER_CHECK(seen >= peeked);
      break;
    }
    GLEANER_CHECK(line.size() <= LineReader::kMaxLineBytes);
    GLEANER_CHECK(line.find('\n') == absl::string_view::npos);
    seen += line.size() + 2;  // "\r\n" at most
  }
  const auto records = LineReader::FromMemory(input, "fuzz");
  for (uint64_t i = 0; i < kMostLines; ++i) {
    const auto more = records->NextRecord(32, &line);
    if (!more.ok() || !*more) break;
    GLEANER_CHECK(line.size() == 32);
  }
}

}  // namespace
}  // namespace gleaner

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gleaner::Fuzz(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
