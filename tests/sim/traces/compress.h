// Compresses literals in tests.
//
//   std::string stored = Gzip("a\nb\n") + Gzip("c\n");  // two members
#pragma once

#include <zlib.h>
#include <zstd.h>

#include <string>

#include "absl/strings/string_view.h"
#include "base/check.h"

namespace gleaner::testing {

inline std::string Gzip(absl::string_view text) {
  z_stream zlib = {};
  GLEANER_CHECK(
      deflateInit2(&zlib, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&zlib, text.size()), '\0');
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  zlib.avail_in = text.size();
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = out.size();
  GLEANER_CHECK(deflate(&zlib, Z_FINISH) == Z_STREAM_END);
  out.resize(zlib.total_out);
  deflateEnd(&zlib);
  return out;
}

inline std::string Zstd(absl::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const size_t size = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3);
  GLEANER_CHECK(!ZSTD_isError(size));
  out.resize(size);
  return out;
}

}  // namespace gleaner::testing
