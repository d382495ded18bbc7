// The inside of a metric store, shared by metric store.cc (what comes in, views) and feed_reader.cc
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
#include "branch/telemetry/bounded_history.h"
#include "branch/telemetry/metric_store.h"

namespace bank::telemetry {

struct MetricStore::State {
  // A sample batch that is kept. `arrival` numbers all batches of the metric store; `before` is the
  // batch of the same agent that came before it: what lies between the two never came.
  struct Entry {
    SampleBatchPtr batch;
    uint64_t arrival = 0;
    int64_t received_ns = 0;
    StorePosition before;
    size_t bytes = 0;
  };
  struct AgentState {
    AgentPtr agent;
    std::deque<Entry> batches;  // ascending by position and by arrival
    SampleBatchPtr newest;      // also when nothing is kept any more
    StorePosition last;
    Life life;
    std::optional<replication::ReplicatorStatus> status;
  };
  using EventKey = std::tuple<int64_t, std::string, uint64_t, uint64_t>;
  using AuditKey = std::tuple<int64_t, std::string, std::string>;  // issued, id, agent

  State(MetricStoreOptions store_options, const Clock& store_clock)
      : options(store_options),
        clock(store_clock),
        events(store_options.events_max),
        audits(store_options.audits_max) {}

  Liveness LivenessOf(const Life& life, int64_t now_ns) const;
  // nullptr: it cannot be taken in.
  AgentState* Admit(const AgentPtr& agent, int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void AddEvent(Event event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void AddAudit(AuditRecord record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Trim(int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void DropFront(AgentState& agent) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Wakes the readers that wait, and that `agent` (empty: anybody's) concerns.
  void Wake(std::string_view agent) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  const MetricStoreOptions options;
  const Clock& clock;

  mutable absl::Mutex mutex;
  std::map<std::string, AgentState, std::less<>> agents ABSL_GUARDED_BY(mutex);
  uint64_t next_arrival ABSL_GUARDED_BY(mutex) = 1;
  size_t bytes ABSL_GUARDED_BY(mutex) = 0;
  BoundedHistory<EventKey, Event> events ABSL_GUARDED_BY(mutex);
  BoundedHistory<AuditKey, AuditRecord> audits ABSL_GUARDED_BY(mutex);
  std::map<std::pair<std::string, std::string>, AuditKey> audit_keys ABSL_GUARDED_BY(mutex);
  std::set<Reader*> readers ABSL_GUARDED_BY(mutex);
};

// One subscription. All but the constructor and Take() is under the store's lock.
class MetricStore::Reader final : public MetricStore::Subscription {
 public:
  Reader(State& state, Start start, std::function<void()> wake);
  ~Reader() override;

  Chunk Take(size_t batches_max) override;
  void Wake(std::string_view agent);

 private:
  // Where it is with one agent.
  struct Place {
    uint64_t next_arrival = 0;  // nothing before it is taken
    bool since_start = false;   // the agent was there when the reader began
    bool known = false;         // `last` is
    StorePosition last{};       // read, here or before
    int64_t last_unix_ns = 0;
  };
  using AgentState = State::AgentState;
  using Entry = State::Entry;
  // The batches of one agent that are still to be taken.
  struct Pending {
    Place* place;
    std::deque<Entry>::const_iterator next;
    std::deque<Entry>::const_iterator end;
  };

  void TakeEvents(Chunk* out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  Place StartAt(const std::string& name, const AgentState& agent) const;
  std::vector<Pending> AllPending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  void TakeBatches(size_t batches_max, Chunk* out, std::vector<SampleBatchPtr>* missed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex);
  // The reader is too slow: each agent's newest batch is next.
  static void Skip(std::vector<Pending>& pending, std::vector<SampleBatchPtr>* missed);
  void NoteGaps(const Place& place, const Entry& entry, Chunk* out) const;

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
