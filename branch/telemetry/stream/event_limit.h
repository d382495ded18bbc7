// EventLimit: how many events an agent that is not a branch may tell: some at once, and then one a
// second. So it cannot push the bank's own out of what is kept. Pure; of one stream.
#pragma once

#include <algorithm>
#include <cstdint>

#include "bank/v1/monitor.pb.h"

namespace bank::telemetry {

class EventLimit {
 public:
  static constexpr int kAtOnceMax = 50;

  // Leaves the first of the batch's events that may still come, none of a kind that is the bank's
  // own and none from the future. `now_ns` is of a steady clock.
  void Apply(v1::MetricFrame* batch, int64_t now_ns, int64_t now_unix_ns) {
    if (batch->events().empty()) return;
    due_ns_ = std::max(due_ns_, now_ns);
    const auto open = static_cast<int>((due_ns_ - now_ns + kNsPerEvent - 1) / kNsPerEvent);
    const int count = std::min(batch->events_size(), kAtOnceMax - open);
    batch->mutable_events()->DeleteSubrange(count, batch->events_size() - count);
    due_ns_ += count * kNsPerEvent;
    for (v1::Event& event : *batch->mutable_events()) {
      event.set_kind(v1::Event::OTHER);
      event.set_time_unix_nanos(std::clamp<int64_t>(event.time_unix_nanos(), 0, now_unix_ns));
    }
  }

 private:
  static constexpr int64_t kNsPerEvent = 1'000'000'000;

  int64_t due_ns_ = 0;  // when all events that were taken would have come, one a second
};

}  // namespace bank::telemetry
