// libFuzzer target of the trace parsers and of the source behind them. The first byte
// chooses the format: 'a' the first of the table, 'b' the second, …, anything else
// "auto". The rest is the file.
//
//   ./dev fuzz trace_fuzzer
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/check.h"
#include "sim/request.h"
#include "sim/trace_reader.h"
#include "sim/trace_source.h"

namespace gleaner {
namespace {

// A hostile trace may ask for gigabytes of numbers; a few requests show all there is to
// see.
constexpr uint64_t kMostBlocks = 1 << 16;

void ReadSome(absl::string_view contents, absl::string_view format,
              const TraceSourceOptions& options) {
  auto reader = OpenTraceFromMemory(contents, "fuzz", format);
  if (!reader.ok()) return;
  auto source = TraceSource::Make(*std::move(reader), options);
  GLEANER_CHECK(source.ok());
  std::vector<Request> batch(16);
  while ((*source)->counts().written_blocks < kMostBlocks) {
    const auto n = (*source)->Next(absl::MakeSpan(batch));
    if (!n.ok())
      GLEANER_CHECK((*source)->Next(absl::MakeSpan(batch)).status() == n.status());
    if (!n.ok() || *n == 0) return;
    for (size_t i = 0; i < *n; ++i) GLEANER_CHECK(batch[i].blocks > 0);
  }
}

void Fuzz(absl::string_view input) {
  if (input.empty()) return;
  const std::vector<absl::string_view> names = TraceFormatNames();
  const size_t choice = static_cast<uint8_t>(input[0]) - size_t{'a'};
  const absl::string_view format = choice < names.size() ? names[choice] : "auto";
  input.remove_prefix(1);
  // Large blocks, so that no request becomes very many.
  ReadSome(input, format, {.block_bytes = 1 << 20});
  ReadSome(input, format, {.block_bytes = 1 << 20, .volume_blocks = uint64_t{1} << 40});
}

}  // namespace
}  // namespace gleaner

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gleaner::Fuzz(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
