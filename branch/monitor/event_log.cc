#include "branch/monitor/event_log.h"

#include <iterator>
#include <utility>

namespace bank::monitor {

EventLog::EventLog(AgentPtr agent, const WallClock& clock)
    : agent_(std::move(agent)), clock_(clock) {}

Event EventLog::Add(EventKind kind, std::string text, std::optional<AuditRecord> audit) {
  Event event{.time_unix_ns = clock_.UnixNs(),
              .agent = agent_->name,
              .incarnation = agent_->incarnation,
              .number = 0,
              .kind = kind,
              .text = std::move(text),
              .audit = std::move(audit)};
  absl::MutexLock lock(&mutex_);
  event.number = ++last_number_;
  if (waiting_.size() == kWaitingMax) waiting_.pop_front();
  waiting_.push_back(event);
  return event;
}

std::vector<Event> EventLog::TakeNew() {
  std::deque<Event> taken;
  {
    absl::MutexLock lock(&mutex_);
    taken.swap(waiting_);
  }
  return {std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end())};
}

}  // namespace bank::monitor
