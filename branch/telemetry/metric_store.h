// MetricStore: everything this branch knows about the bank's condition: the last hour of every
// agent's batches, recent events, audit records, and who is alive.
//
// On the leader it is fed by the agents, on the other branches by the leader's metric store; so
// every branch holds the same and answers its readers, console and scrapes alone, and a new leader
// begins with what it already has. Frames are told apart by agent, incarnation and sequence: what
// comes twice is taken once, and what is missing is a Gap for every reader, never silence. Frames
// of one agent come in the order of their sequence; an older one than the newest is dropped.
//
// Readers pull: a subscription holds a place in the metric store, not a queue, so a slow reader
// costs nothing; when it has fallen behind what is kept, or by `lag_max_ns`, it goes on at the
// newest and is told what it missed.
//
// Ages are measured on the steady clock of this branch, from when something arrived; an agent's own
// clock only dates its batches.
//
// Thread-safe; nothing blocks. `Wake` callbacks run on the thread that added something, under the
// store's lock: they must be short and must not call back into the metric store.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "branch/telemetry/sample_batch.h"
#include "common/clock.h"

namespace bank::telemetry {

enum class Liveness { kLive, kSuspect, kDead };

// Heartbeats of one agent; times on this branch's steady clock.
struct Life {
  int64_t heard_ns = 0;     // the last one; 0: none yet
  int64_t broken_ns = 0;    // when its connection broke first since then; 0: never
  int64_t interval_ns = 0;  // how far apart they usually are; 0: not known yet
};

struct AgentView {
  AgentPtr agent;
  Liveness liveness = Liveness::kDead;
  SampleBatchPtr newest;                                // nullptr: none yet
  std::optional<replication::ReplicatorStatus> status;  // the newest, also from heartbeats
  Life life;
};

struct StorePosition {
  uint64_t incarnation = 0;
  uint64_t sequence = 0;
  auto operator<=>(const StorePosition&) const = default;
};

// Frames that a reader will not get, between two that it gets.
struct StoreGap {
  std::string agent;
  uint64_t incarnation = 0;
  uint64_t first_sequence = 0;
  // Inclusive. 0: the incarnation ended, and nobody knows whether it sent any more ("restarted").
  uint64_t last_sequence = 0;
  int64_t from_unix_ns = 0;  // the batch before; 0: unknown
  int64_t until_unix_ns = 0;
  std::string_view reason;  // "lost", "restarted", "too_old", "slow_reader"
};

struct MetricStoreOptions {
  int64_t history_ns = int64_t{3600} * 1'000'000'000;
  size_t bytes_max = size_t{64} << 20;  // of all agents' batches together
  size_t agents_max = 256;              // beyond it the longest dead one is forgotten
  size_t events_max = 1000;
  size_t audits_max = 10'000;
  // Of silence: at least so long, and 2.5 or 5 times the agent's usual interval.
  int64_t suspect_after_ns = 1'500'000'000;
  int64_t dead_after_ns = 5'000'000'000;
  int64_t dead_after_break_ns = 800'000'000;  // without a heartbeat since its connection broke
};

class MetricStore {
 public:
  class Subscription;

  MetricStore(MetricStoreOptions options, const Clock& clock);
  ~MetricStore();

  // kNow: the agent itself has just sent it, and so lives. kPast: told by the leader, later.
  enum class Heard { kNow, kPast };
  // A sample batch, and the events in it. What is known is dropped.
  void AddBatch(SampleBatchPtr batch, Heard heard = Heard::kNow);
  // Events that carry an audit record add it too.
  void AddEvent(Event event);
  void AddAudit(AuditRecord record);  // the newer of two with one id and agent stays

  // The agent lives. False: it cannot be taken in: a newer incarnation of it is known, or there are
  // too many agents.
  bool NoteAlive(const AgentPtr& agent);
  // What the leader knows of an agent's life; the later sign and the later break count.
  void NoteLife(const AgentPtr& agent, const Life& life,
                const std::optional<replication::ReplicatorStatus>& status);
  // The connection to or from that agent broke just now: suspect at once.
  void NoteBroken(std::string_view agent);

  // The newest batch that is known of this agent; {0, 0}: none.
  StorePosition LastOf(std::string_view agent) const;
  std::map<std::string, StorePosition> Positions() const;

  std::vector<AgentView> Agents() const;  // branches by number, then the others by name
  // Oldest first, the newest `limit` at most.
  std::vector<Event> Events(size_t limit) const;
  std::vector<AuditRecord> Audits(size_t limit) const;
  // The kept batches of one agent from that time on, oldest first.
  std::vector<SampleBatchPtr> History(std::string_view agent, int64_t since_unix_ns) const;

  // Where a reader begins and what it wants.
  struct Start {
    std::string agent{};  // of this one alone; empty: of all
    bool batches = true;
    int64_t since_unix_ns = 0;                     // 0: the newest batch of each agent only
    std::map<std::string, StorePosition> after{};  // instead, for the agents named
    // A reader that was up to date and then leaves batches waiting for longer loses them. 0: only
    // what is no longer kept is lost.
    int64_t lag_max_ns = 0;
    // How much a sample batch counts when it is missed; by default its samples.
    std::function<uint64_t(const SampleBatch&)> weight{};
    bool events = false;
    size_t events_past = SIZE_MAX;  // of those already known, the newest
    bool audits = false;            // all that are known, then as they come
  };
  // What a reader takes at a time: batches, gaps and events in an order in which each agent's own
  // come oldest first.
  struct Chunk {
    std::vector<SampleBatchPtr> batches;
    std::vector<StoreGap> gaps;
    std::vector<Event> events;
    std::vector<AuditRecord> audits;
    uint64_t missed = 0;  // the weight of the batches left out because the reader was slow
    bool empty() const {
      return batches.empty() && gaps.empty() && events.empty() && audits.empty() && missed == 0;
    }
  };
  // `wake` is called when Take() would give something after it last gave nothing. The metric store
  // must outlive the subscription.
  std::unique_ptr<Subscription> Subscribe(Start start, std::function<void()> wake);

  // One reader's; not thread-safe itself.
  class Subscription {
   public:
    virtual ~Subscription() = default;
    virtual Chunk Take(size_t batches_max) = 0;
  };

 private:
  struct State;
  class Reader;
  std::unique_ptr<State> state_;
};

}  // namespace bank::telemetry
