#include "store/zone_ordered_relocator.h"

#include <optional>
#include <utility>

#include "base/check.h"

namespace gleaner {
namespace {

class ZoneOrderedRelocator : public Relocator {
 public:
  ZoneOrderedRelocator(std::unique_ptr<Relocator> relocator, AppendBuffers* buffers,
                       const SegmentGeometry& geometry)
      : relocator_(std::move(relocator)), buffers_(buffers), geometry_(geometry) {}

  void Copy(absl::Span<const Move> moves, Done done) override {
    GLEANER_CHECK(!waiting_.has_value());  // the cleaner has one copy under way at a time
    waiting_.emplace(Waiting{moves, std::move(done)});
    StartIfReady();
  }

  int Poll() override {
    StartIfReady();
    return relocator_->Poll();
  }
  absl::Status Wait() override {
    StartIfReady();
    return relocator_->Wait();
  }
  RelocationCounters counters() const override { return relocator_->counters(); }

 private:
  struct Waiting {
    absl::Span<const Move> moves;
    Done done;
  };

  bool Ready() const {
    PhysicalBlock follows;
    for (const Move& move : waiting_->moves) {
      const bool checked = move.to == follows;  // its zone and all before it
      follows = move.to + move.count;
      if (!checked && !buffers_->WrittenBefore(geometry_.segment_of(move.to), move.to))
        return false;
    }
    return true;
  }

  void StartIfReady() {
    if (!waiting_.has_value() || !Ready()) return;
    Waiting waiting = *std::exchange(waiting_, std::nullopt);
    relocator_->Copy(waiting.moves, std::move(waiting.done));
  }

  const std::unique_ptr<Relocator> relocator_;
  AppendBuffers* const buffers_;
  const SegmentGeometry geometry_;
  std::optional<Waiting> waiting_;
};

}  // namespace

std::unique_ptr<Relocator> MakeZoneOrderedRelocator(std::unique_ptr<Relocator> relocator,
                                                    AppendBuffers* buffers,
                                                    const SegmentGeometry& geometry) {
  return std::make_unique<ZoneOrderedRelocator>(std::move(relocator), buffers, geometry);
}

}  // namespace gleaner
