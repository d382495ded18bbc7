#include "branch/telemetry/metric_store.h"

#include <algorithm>
#include <utility>

#include "branch/telemetry/metric_store_state.h"

namespace bank::telemetry {
namespace {

// An interval grows at once and shrinks slowly, so that one quick repeat does not make an agent
// look late afterwards. A pause longer than this says nothing about the agent's habits.
constexpr int64_t kIntervalNsMax = 60'000'000'000;
// What arrives together is one sign.
constexpr int64_t kIntervalNsMin = 50'000'000;

void LearnInterval(Life& life, int64_t now_ns) {
  const int64_t gap_ns = now_ns - life.heard_ns;
  if (life.heard_ns == 0 || life.broken_ns > life.heard_ns) return;
  if (gap_ns < kIntervalNsMin || gap_ns > kIntervalNsMax) return;
  life.interval_ns += (gap_ns - life.interval_ns) / (gap_ns > life.interval_ns ? 2 : 8);
}

size_t BytesOf(const SampleBatch& batch) {
  size_t bytes =
      sizeof(SampleBatch) + batch.defined_bytes + batch.samples.capacity() * sizeof(Sample);
  if (batch.status && batch.status->checkpoints != nullptr) {
    bytes += batch.status->checkpoints->size() * sizeof(replication::Checkpoint);
  }
  for (const Event& event : batch.events) bytes += sizeof(Event) + event.text.size();
  return bytes;
}

StorePosition PositionOf(const SampleBatch& batch) {
  return {batch.agent->incarnation, batch.sequence};
}

// Of two breaks the one that began the silence: each further attempt to connect that fails is a
// break too, and must not make the agent look as if it had just been there.
int64_t EarlierBreak(int64_t one_ns, int64_t other_ns, int64_t heard_ns) {
  if (one_ns <= heard_ns || other_ns <= heard_ns) return std::max(one_ns, other_ns);
  return std::min(one_ns, other_ns);
}

}  // namespace

MetricStore::MetricStore(MetricStoreOptions options, const Clock& clock)
    : state_(std::make_unique<State>(options, clock)) {}

MetricStore::~MetricStore() = default;

Liveness MetricStore::State::LivenessOf(const Life& life, int64_t now_ns) const {
  const int64_t silence_ns = now_ns - life.heard_ns;
  if (silence_ns >= std::max(options.dead_after_ns, 5 * life.interval_ns)) return Liveness::kDead;
  if (life.broken_ns > life.heard_ns) {
    return now_ns - life.broken_ns >= options.dead_after_break_ns ? Liveness::kDead
                                                                  : Liveness::kSuspect;
  }
  return silence_ns >= std::max(options.suspect_after_ns, life.interval_ns * 5 / 2)
             ? Liveness::kSuspect
             : Liveness::kLive;
}

MetricStore::State::AgentState* MetricStore::State::Admit(const AgentPtr& agent, int64_t now_ns) {
  if (const auto known = agents.find(agent->name); known != agents.end()) {
    AgentState& found = known->second;
    if (agent->incarnation < found.agent->incarnation) return nullptr;
    if (agent->incarnation > found.agent->incarnation) {
      found.agent = agent;
      found.status.reset();
    }
    return &found;
  }
  if (agents.size() >= options.agents_max) {
    auto longest = agents.end();
    for (auto it = agents.begin(); it != agents.end(); ++it) {
      if (LivenessOf(it->second.life, now_ns) != Liveness::kDead) continue;
      if (longest == agents.end() || it->second.life.heard_ns < longest->second.life.heard_ns) {
        longest = it;
      }
    }
    if (longest == agents.end()) return nullptr;
    while (!longest->second.batches.empty()) DropFront(longest->second);
    agents.erase(longest);
  }
  AgentState& added = agents[agent->name];
  added.agent = agent;
  return &added;
}

void MetricStore::AddBatch(SampleBatchPtr batch, Heard heard) {
  State& s = *state_;
  absl::MutexLock lock(&s.mutex);
  const int64_t now_ns = s.clock.NowNs();
  State::AgentState* agent = s.Admit(batch->agent, now_ns);
  if (agent == nullptr) return;
  if (heard == Heard::kNow) {
    LearnInterval(agent->life, now_ns);
    agent->life.heard_ns = now_ns;
  }
  if (batch->status) agent->status = batch->status;
  for (const Event& event : batch->events) s.AddEvent(event);
  const StorePosition position = PositionOf(*batch);
  if (batch->sequence == 0 || position <= agent->last) return;
  agent->batches.push_back({.batch = batch,
                            .arrival = s.next_arrival++,
                            .received_ns = now_ns,
                            .before = agent->last,
                            .bytes = sizeof(State::Entry) + BytesOf(*batch)});
  s.bytes += agent->batches.back().bytes;
  agent->last = position;
  agent->newest = std::move(batch);
  s.Trim(now_ns);
  s.Wake(agent->agent->name);
}

void MetricStore::State::DropFront(AgentState& agent) {
  bytes -= agent.batches.front().bytes;
  agent.batches.pop_front();
}

void MetricStore::State::Trim(int64_t now_ns) {
  for (auto& [name, agent] : agents) {
    const int64_t oldest_unix_ns =
        agent.newest == nullptr ? 0 : agent.newest->time_unix_ns - options.history_ns;
    while (!agent.batches.empty() &&
           (agent.batches.front().batch->time_unix_ns < oldest_unix_ns ||
            agent.batches.front().received_ns < now_ns - options.history_ns)) {
      DropFront(agent);
    }
  }
  while (bytes > options.bytes_max) {
    AgentState* oldest = nullptr;
    for (auto& [name, agent] : agents) {
      if (agent.batches.empty()) continue;
      if (oldest == nullptr || agent.batches.front().arrival < oldest->batches.front().arrival) {
        oldest = &agent;
      }
    }
    if (oldest == nullptr) return;
    DropFront(*oldest);
  }
}

void MetricStore::State::Wake(std::string_view agent) {
  for (Reader* reader : readers) reader->Wake(agent);
}

void MetricStore::AddEvent(Event event) {
  absl::MutexLock lock(&state_->mutex);
  state_->AddEvent(std::move(event));
}

void MetricStore::State::AddEvent(Event event) {
  if (event.audit) AddAudit(*event.audit);
  const EventKey key(event.time_unix_ns, event.agent, event.incarnation, event.number);
  const std::string agent = event.agent;
  if (events.Add(key, std::move(event))) Wake(agent);
}

void MetricStore::AddAudit(AuditRecord record) {
  absl::MutexLock lock(&state_->mutex);
  state_->AddAudit(std::move(record));
}

void MetricStore::State::AddAudit(AuditRecord record) {
  const AuditKey key(record.issued_unix_ns, record.id, record.agent);
  const std::pair identity(record.id, record.agent);
  const std::string agent = record.agent;
  if (const auto known = audit_keys.find(identity); known != audit_keys.end()) {
    if (const AuditRecord* other = audits.Find(known->second)) {
      const auto progress = [](const AuditRecord& r) {
        return std::pair(r.ended_unix_ns, r.started_unix_ns);
      };
      if (progress(record) <= progress(*other)) return;
    }
    audits.Erase(known->second);
    audit_keys.erase(known);
  }
  if (audits.size() >= options.audits_max && options.audits_max > 0) {
    const AuditKey& oldest = audits.oldest();
    if (key < oldest) return;
    audit_keys.erase({std::get<1>(oldest), std::get<2>(oldest)});
  }
  if (!audits.Add(key, std::move(record))) return;
  audit_keys.emplace(identity, key);
  Wake(agent);
}

bool MetricStore::NoteAlive(const AgentPtr& agent) {
  State& s = *state_;
  absl::MutexLock lock(&s.mutex);
  const int64_t now_ns = s.clock.NowNs();
  State::AgentState* known = s.Admit(agent, now_ns);
  if (known == nullptr) return false;
  LearnInterval(known->life, now_ns);
  known->life.heard_ns = now_ns;
  return true;
}

void MetricStore::NoteLife(const AgentPtr& agent, const Life& life,
                           const std::optional<replication::ReplicatorStatus>& status) {
  State& s = *state_;
  absl::MutexLock lock(&s.mutex);
  State::AgentState* known = s.Admit(agent, s.clock.NowNs());
  if (known == nullptr) return;
  if (status && life.heard_ns >= known->life.heard_ns) known->status = status;
  known->life.heard_ns = std::max(known->life.heard_ns, life.heard_ns);
  known->life.broken_ns = EarlierBreak(known->life.broken_ns, life.broken_ns, known->life.heard_ns);
  known->life.interval_ns = life.interval_ns;
}

void MetricStore::NoteBroken(std::string_view agent) {
  State& s = *state_;
  absl::MutexLock lock(&s.mutex);
  const auto known = s.agents.find(agent);
  if (known == s.agents.end()) return;
  Life& life = known->second.life;
  const int64_t now_ns = std::max(s.clock.NowNs(), life.heard_ns + 1);  // later than what it sent
  life.broken_ns = EarlierBreak(life.broken_ns, now_ns, life.heard_ns);
}

StorePosition MetricStore::LastOf(std::string_view agent) const {
  absl::MutexLock lock(&state_->mutex);
  const auto known = state_->agents.find(agent);
  return known == state_->agents.end() ? StorePosition{} : known->second.last;
}

std::map<std::string, StorePosition> MetricStore::Positions() const {
  absl::MutexLock lock(&state_->mutex);
  std::map<std::string, StorePosition> positions;
  for (const auto& [name, agent] : state_->agents) {
    if (agent.last.sequence != 0) positions.emplace(name, agent.last);
  }
  return positions;
}

std::vector<AgentView> MetricStore::Agents() const {
  State& s = *state_;
  std::vector<AgentView> views;
  {
    absl::MutexLock lock(&s.mutex);
    const int64_t now_ns = s.clock.NowNs();
    for (const auto& [name, agent] : s.agents) {
      views.push_back({.agent = agent.agent,
                       .liveness = s.LivenessOf(agent.life, now_ns),
                       .newest = agent.newest,
                       .status = agent.status,
                       .life = agent.life});
    }
  }
  const auto rank = [](const AgentView& view) {  // those that are no branches last
    return view.agent->branch.value == 0 ? UINT64_MAX : view.agent->branch.value;
  };
  std::stable_sort(views.begin(), views.end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return views;
}

std::vector<Event> MetricStore::Events(size_t limit) const {
  absl::MutexLock lock(&state_->mutex);
  return state_->events.Newest(limit);
}

std::vector<AuditRecord> MetricStore::Audits(size_t limit) const {
  absl::MutexLock lock(&state_->mutex);
  return state_->audits.Newest(limit);
}

std::vector<SampleBatchPtr> MetricStore::History(std::string_view agent,
                                                 int64_t since_unix_ns) const {
  absl::MutexLock lock(&state_->mutex);
  std::vector<SampleBatchPtr> batches;
  const auto known = state_->agents.find(agent);
  if (known == state_->agents.end()) return batches;
  for (const State::Entry& entry : known->second.batches) {
    if (entry.batch->time_unix_ns >= since_unix_ns) batches.push_back(entry.batch);
  }
  return batches;
}

std::unique_ptr<MetricStore::Subscription> MetricStore::Subscribe(Start start,
                                                                  std::function<void()> wake) {
  return std::make_unique<Reader>(*state_, std::move(start), std::move(wake));
}

}  // namespace bank::telemetry
