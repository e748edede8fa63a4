#include "sim/stamp.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/random.h"
#include "device/marker.h"

namespace gleaner {
namespace {

constexpr size_t kSectorBytes = 512;

// The first words of a sector; the rest of it follows from them.
struct SectorHeader {
  char marker[kGleanerMarkerBytes];
  uint64_t lba;
  uint64_t generation_and_sector;  // generation x 2^32 + sector
  uint64_t seed;
};
static_assert(sizeof(SectorHeader) == 32);

SectorHeader MakeHeader(const Stamp& stamp, uint64_t sector) {
  SectorHeader header;
  std::memcpy(header.marker, kGleanerMarker, kGleanerMarkerBytes);
  header.lba = stamp.lba.value();
  header.generation_and_sector = uint64_t{stamp.generation} << 32 | sector;
  header.seed = stamp.seed;
  return header;
}

void FillSector(const SectorHeader& header, char* sector) {
  std::memcpy(sector, &header, sizeof(header));
  uint64_t word = header.lba ^ Mix64(header.generation_and_sector ^ header.seed);
  for (size_t at = sizeof(header); at < kSectorBytes; at += sizeof(word)) {
    word = word * 0x9e3779b97f4a7c15 + at;
    std::memcpy(sector + at, &word, sizeof(word));
  }
}

absl::Status Mismatch(const Stamp& stamp, size_t at, const char* sector) {
  SectorHeader found;
  std::memcpy(&found, sector, sizeof(found));
  const std::string expected =
      stamp.generation == 0 ? absl::StrCat("lba ", stamp.lba.value(), ": expected zeroes")
                            : absl::StrCat("lba ", stamp.lba.value(),
                                           ": expected generation ", stamp.generation);
  if (std::memcmp(found.marker, kGleanerMarker, kGleanerMarkerBytes) != 0) {
    return absl::DataLossError(absl::StrCat(expected, ", byte ", at,
                                            " of the block is not a stamp of Gleaner's"));
  }
  return absl::DataLossError(absl::StrCat(
      expected, ", byte ", at, " of the block holds lba ", found.lba, " generation ",
      found.generation_and_sector >> 32, " seed ", found.seed));
}

}  // namespace

void Stamp::Fill(absl::Span<char> block) const {
  GLEANER_CHECK(block.size() % kSectorBytes == 0);
  if (generation == 0) {
    std::memset(block.data(), 0, block.size());
    return;
  }
  for (size_t at = 0; at < block.size(); at += kSectorBytes)
    FillSector(MakeHeader(*this, at / kSectorBytes), block.data() + at);
}

absl::Status Stamp::Check(absl::Span<const char> block) const {
  GLEANER_CHECK(block.size() % kSectorBytes == 0);
  char expected[kSectorBytes] = {};
  for (size_t at = 0; at < block.size(); at += kSectorBytes) {
    if (generation > 0) FillSector(MakeHeader(*this, at / kSectorBytes), expected);
    if (std::memcmp(block.data() + at, expected, kSectorBytes) != 0)
      return Mismatch(*this, at, block.data() + at);
  }
  return absl::OkStatus();
}

}  // namespace gleaner
