// The inside of a feed, shared by feed.cc (what comes in, views) and feed_reader.cc
// (subscriptions).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "branch/telemetry/feed.h"
#include "branch/telemetry/kept.h"

namespace bank::telemetry {

struct Feed::State {
  // A frame that is kept. `arrival` numbers all frames of the feed; `before` is the frame of the
  // same agent that came before it: what lies between the two never came.
  struct Entry {
    FramePtr frame;
    uint64_t arrival = 0;
    int64_t received_ns = 0;
    FeedPosition before;
    size_t bytes = 0;
  };
  struct AgentState {
    AgentPtr agent;
    std::deque<Entry> frames;  // ascending by position and by arrival
    FramePtr newest;           // also when nothing is kept any more
    FeedPosition last;
    Life life;
    std::optional<replication::ReplicatorStatus> status;
  };
  using EventKey = std::tuple<int64_t, std::string, uint64_t, uint64_t>;
  using AuditKey = std::tuple<int64_t, std::string, std::string>;  // issued, id, agent

  State(FeedOptions feed_options, const Clock& feed_clock)
      : options(feed_options),
        clock(feed_clock),
        events(feed_options.events_max),
        audits(feed_options.audits_max) {}

  Liveness LivenessOf(const Life& life, int64_t now_ns) const;
  // nullptr: it cannot be taken in.
  AgentState* Admit(const AgentPtr& agent, int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void AddEvent(Event event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void AddAudit(AuditRecord record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Trim(int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void DropFront(AgentState& agent) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Wakes the readers that wait, and that `agent` (empty: anybody's) concerns.
  void Wake(std::string_view agent) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  const FeedOptions options;
  const Clock& clock;

  mutable absl::Mutex mutex;
  std::map<std::string, AgentState, std::less<>> agents ABSL_GUARDED_BY(mutex);
  uint64_t next_arrival ABSL_GUARDED_BY(mutex) = 1;
  size_t bytes ABSL_GUARDED_BY(mutex) = 0;
  Kept<EventKey, Event> events ABSL_GUARDED_BY(mutex);
  Kept<AuditKey, AuditRecord> audits ABSL_GUARDED_BY(mutex);
  std::map<std::pair<std::string, std::string>, AuditKey> audit_keys ABSL_GUARDED_BY(mutex);
  std::set<Reader*> readers ABSL_GUARDED_BY(mutex);
};

// One subscription. All but the constructor and Take() is under the feed's lock.
class Feed::Reader final : public Feed::Subscription {
 public:
  Reader(State& state, Start start, std::function<void()> wake);
  ~Reader() override;

  Portion Take(size_t frames_max) override;
  void Wake(std::string_view agent);

 private:
  // Where it is with one agent.
  struct Place {
    uint64_t next_arrival = 0;  // nothing before it is taken
    bool since_start = false;   // the agent was there when the reader began
    bool known = false;         // `last` is
    FeedPosition last{};        // read, here or before
    int64_t last_unix_ns = 0;
  };
  using AgentState = State::AgentState;
  using Entry = State::Entry;
  // The frames of one agent that are still to be taken.
  struct Pending {
    Place* place;
    std::deque<Entry>::const_iterator next;
    std::deque<Entry>::const_iterator end;
  };

  void TakeEvents(Portion* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  Place StartAt(const std::string& name, const AgentState& agent) const;
  std::vector<Pending> AllPending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  void TakeFrames(size_t frames_max, Portion* out, std::vector<FramePtr>* missed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  // The reader is too slow: each agent's newest frame is next.
  static void Skip(std::vector<Pending>& pending, std::vector<FramePtr>* missed);
  void NoteGaps(const Place& place, const Entry& entry, Portion* out) const;

  State& state_;
  const Start start_;
  const std::function<void()> wake_;
  std::map<std::string, Place, std::less<>> places_;
  bool caught_up_ = false;  // has been, once
  bool waiting_ = false;    // to be woken
  bool begun_ = false;      // the past events were taken
  uint64_t events_taken_ = 0;
  uint64_t audits_taken_ = 0;
};

}  // namespace bank::telemetry
