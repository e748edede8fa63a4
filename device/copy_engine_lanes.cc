// The order of writes to a zone: jobs in the order of Start, within a job its units.
#include <algorithm>

#include "base/check.h"
#include "device/copy_engine_impl.h"

namespace gleaner {

void CopyEngine::Impl::EnterLanes(Job& job) {
  const Geometry& g = target_.geometry();
  if (!g.zoned()) return;
  for (const CopyRun& run : job.job.runs) {
    const DeviceBlock end = run.to + run.from.count;
    for (DeviceBlock at = run.to; at < end;) {
      const DeviceBlock next = std::min(end, g.ZoneStart(at) + g.zone_size);
      DeviceBlockCount& blocks = job.zone_blocks[ZoneOf(at)];
      if (blocks.value() == 0) lanes_[ZoneOf(at)].jobs.push_back(&job);
      blocks += next - at;
      at = next;
    }
  }
}

// Whether all earlier jobs have planned what they write to the zone that comes next in
// this one.
bool CopyEngine::Impl::IsItsTurn(const Job& job) const {
  return !target_.geometry().zoned() ||
         lanes_.at(ZoneOf(job.batch.target)).jobs.front() == &job;
}

void CopyEngine::Impl::TakeFromZone(Unit* unit) {
  if (!target_.geometry().zoned()) return;
  const uint64_t zone = ZoneOf(unit->target.start);
  Lane& lane = lanes_.at(zone);
  lane.units.push_back(unit);
  const auto left = unit->job->zone_blocks.find(zone);
  left->second -= unit->target.count;
  if (left->second.value() > 0) return;
  unit->job->zone_blocks.erase(left);
  GLEANER_CHECK(lane.jobs.front() == unit->job);
  lane.jobs.pop_front();
}

void CopyEngine::Impl::LeaveLane(Unit* unit) {
  if (!target_.geometry().zoned()) return;
  const auto it = lanes_.find(ZoneOf(unit->target.start));
  Lane& lane = it->second;
  GLEANER_CHECK(lane.units.front() == unit);
  lane.units.pop_front();
  if (lane.units.empty()) {
    if (lane.jobs.empty()) lanes_.erase(it);
  } else if (lane.units.front()->ready) {
    Transfer(lane.units.front());
  }
}

// A job that failed wants nothing more.
void CopyEngine::Impl::LeaveLanes(Job& job) {
  for (const auto& [zone, blocks] : job.zone_blocks) {
    const auto it = lanes_.find(zone);
    std::deque<Job*>& jobs = it->second.jobs;
    jobs.erase(std::find(jobs.begin(), jobs.end(), &job));
    if (jobs.empty() && it->second.units.empty()) lanes_.erase(it);
  }
  job.zone_blocks.clear();
}

}  // namespace gleaner
