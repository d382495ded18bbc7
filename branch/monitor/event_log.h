// EventLog: what happened at this branch, numbered, waiting for the next frame to take it along.
//
// Thread-safe; nothing blocks. Holds at most kWaitingMax: then the oldest is dropped, and the hole
// in the numbers shows it.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "branch/monitor/frame.h"
#include "common/clock.h"

namespace bank::monitor {

class EventLog {
 public:
  static constexpr size_t kWaitingMax = 1000;

  // The clock must outlive the log.
  EventLog(AgentPtr agent, const WallClock& clock);

  // `text`: one line. Gives the event as it is numbered and dated.
  Event Add(EventKind kind, std::string text, std::optional<AuditRecord> audit = std::nullopt);

  // What was added since the last call, oldest first.
  std::vector<Event> TakeNew();

 private:
  const AgentPtr agent_;
  const WallClock& clock_;
  absl::Mutex mutex_;
  std::deque<Event> waiting_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace bank::monitor
