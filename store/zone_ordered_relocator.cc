#include "store/zone_ordered_relocator.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"

namespace gleaner {
namespace {

class ZoneOrderedRelocator : public Relocator {
 public:
  ZoneOrderedRelocator(std::unique_ptr<Relocator> relocator, AppendBuffers* buffers,
                       const SegmentGeometry& geometry, const SegmentTable* table)
      : relocator_(std::move(relocator)),
        buffers_(buffers),
        geometry_(geometry),
        table_(table) {}

  void Copy(absl::Span<const Move> moves, Done done) override {
    GLEANER_CHECK(parts_.empty());  // the cleaner has one copy under way at a time
    SplitByZone(moves);
    status_ = absl::OkStatus();
    done_ = std::move(done);
    StartWhatMay();
  }

  int Poll() override {
    StartWhatMay();
    return relocator_->Poll();
  }
  absl::Status Wait() override {
    StartWhatMay();
    return relocator_->Wait();
  }
  RelocationCounters counters() const override { return relocator_->counters(); }

 private:
  // What goes to one zone.
  struct Part {
    absl::Span<const Move> moves;
    ClassId log_class;
    uint64_t number = 0;
    bool under_way = false;
  };

  void SplitByZone(absl::Span<const Move> moves) {
    while (!moves.empty()) {
      const SegmentId zone = geometry_.segment_of(moves.front().to);
      size_t n = 1;
      while (n < moves.size() && geometry_.segment_of(moves[n].to) == zone) ++n;
      parts_.push_back({moves.first(n), table_->info(zone).log_class, next_number_++});
      moves.remove_prefix(n);
    }
  }

  bool MayStart(size_t i) const {
    const auto same_class = [&](const Part& other) {
      return other.log_class == parts_[i].log_class;
    };
    if (parts_[i].under_way ||
        std::any_of(parts_.begin(), parts_.begin() + static_cast<ptrdiff_t>(i),
                    same_class))
      return false;
    PhysicalBlock follows;
    for (const Move& move : parts_[i].moves) {
      const bool checked = move.to == follows;
      follows = move.to + move.count;
      if (!checked && !buffers_->IsReached({move.to, move.count})) return false;
    }
    return true;
  }

  // After an error no more is begun, and all ends when what is under way has.
  void StartWhatMay() {
    for (size_t i = 0; i < parts_.size() && status_.ok(); ++i) {
      if (!MayStart(i)) continue;
      parts_[i].under_way = true;
      relocator_->Copy(parts_[i].moves,
                       [this, number = parts_[i].number](const absl::Status& status) {
                         End(number, status);
                       });
    }
  }

  void End(uint64_t number, const absl::Status& status) {
    if (status_.ok()) status_ = status;
    parts_.erase(std::find_if(parts_.begin(), parts_.end(),
                              [number](const Part& p) { return p.number == number; }));
    if (!status_.ok()) std::erase_if(parts_, [](const Part& p) { return !p.under_way; });
    if (parts_.empty()) return std::exchange(done_, nullptr)(status_);
    StartWhatMay();
  }

  const std::unique_ptr<Relocator> relocator_;
  AppendBuffers* const buffers_;
  const SegmentGeometry geometry_;
  const SegmentTable* const table_;
  std::vector<Part> parts_;  // that have not ended, in order
  uint64_t next_number_ = 0;
  absl::Status status_;  // the first error
  Done done_;
};

}  // namespace

std::unique_ptr<Relocator> MakeZoneOrderedRelocator(std::unique_ptr<Relocator> relocator,
                                                    AppendBuffers* buffers,
                                                    const SegmentGeometry& geometry,
                                                    const SegmentTable* table) {
  return std::make_unique<ZoneOrderedRelocator>(std::move(relocator), buffers, geometry,
                                                table);
}

}  // namespace gleaner
