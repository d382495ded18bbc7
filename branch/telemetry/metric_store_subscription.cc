#include <algorithm>
#include <utility>

#include "branch/telemetry/metric_store_state.h"

namespace bank::telemetry {
namespace {

// Events, and records, that are taken at a time.
constexpr size_t kEventsAtATime = 256;

}  // namespace

MetricStore::Reader::Reader(State& state, Start start, std::function<void()> wake)
    : state_(state), start_(std::move(start)), wake_(std::move(wake)) {
  absl::MutexLock lock(&state_.mutex);
  for (const auto& [name, agent] : state_.agents) {
    if (start_.agent.empty() || start_.agent == name) places_.emplace(name, StartAt(name, agent));
  }
  // What one has read of an agent that is not there yet: it may come back.
  for (const auto& [name, position] : start_.after) {
    places_.try_emplace(name, Place{.since_start = true, .known = true, .last = position});
  }
  state_.readers.insert(this);
}

MetricStore::Reader::~Reader() {
  absl::MutexLock lock(&state_.mutex);
  state_.readers.erase(this);
}

MetricStore::Reader::Place MetricStore::Reader::StartAt(const std::string& name,
                                                        const AgentState& agent) const {
  Place place{.since_start = true};
  if (const auto read = start_.after.find(name); read != start_.after.end()) {
    place.known = true;
    place.last = read->second;
    return place;
  }
  const auto& batches = agent.batches;
  if (start_.since_unix_ns == 0) {
    place.next_arrival = batches.empty() ? 0 : batches.back().arrival;
    return place;
  }
  const auto first = std::find_if(batches.begin(), batches.end(), [&](const Entry& entry) {
    return entry.batch->time_unix_ns >= start_.since_unix_ns;
  });
  place.next_arrival = first == batches.end()
                           ? agent.batches.empty() ? 0 : batches.back().arrival + 1
                           : first->arrival;
  return place;
}

void MetricStore::Reader::Wake(std::string_view agent) {
  if (!waiting_ || (!start_.agent.empty() && start_.agent != agent)) return;
  waiting_ = false;
  wake_();
}

MetricStore::Chunk MetricStore::Reader::Take(size_t batches_max) {
  Chunk chunk;
  std::vector<SampleBatchPtr> missed;
  {
    absl::MutexLock lock(&state_.mutex);
    if (start_.audits) state_.audits.TakeAfter(&audits_taken_, kEventsAtATime, &chunk.audits);
    if (start_.events) TakeEvents(&chunk);
    if (start_.batches) TakeBatches(batches_max, &chunk, &missed);
    waiting_ = chunk.empty() && missed.empty();
  }
  for (const SampleBatchPtr& batch : missed) {
    chunk.missed += start_.weight ? start_.weight(*batch) : batch->samples.size();
  }
  return chunk;
}

void MetricStore::Reader::TakeEvents(Chunk* out) {
  // Events of others are passed over, until there is one to give or no more.
  do {
    if (!std::exchange(begun_, true)) {
      out->events = state_.events.Newest(start_.events_past);
      events_taken_ = state_.events.last_arrival();
    } else {
      state_.events.TakeAfter(&events_taken_, kEventsAtATime, &out->events);
    }
    if (!start_.agent.empty()) {
      std::erase_if(out->events, [&](const Event& event) { return event.agent != start_.agent; });
    }
  } while (out->events.empty() && events_taken_ != state_.events.last_arrival());
}

std::vector<MetricStore::Reader::Pending> MetricStore::Reader::AllPending() {
  std::vector<Pending> pending;
  for (const auto& [name, agent] : state_.agents) {
    if (!start_.agent.empty() && start_.agent != name) continue;
    Place& place = places_[name];
    const auto& batches = agent.batches;
    const auto next = std::partition_point(batches.begin(), batches.end(), [&](const Entry& entry) {
      return entry.arrival < place.next_arrival ||
             (place.known &&
              StorePosition{entry.batch->agent->incarnation, entry.batch->sequence} <= place.last);
    });
    if (next != batches.end()) pending.push_back({&place, next, batches.end()});
  }
  return pending;
}

void MetricStore::Reader::TakeBatches(size_t batches_max, Chunk* out,
                                      std::vector<SampleBatchPtr>* missed) {
  std::vector<Pending> pending = AllPending();
  if (start_.lag_max_ns > 0 && caught_up_) {
    const int64_t too_old_ns = state_.clock.NowNs() - start_.lag_max_ns;
    const bool slow = std::any_of(pending.begin(), pending.end(), [&](const Pending& p) {
      return p.next->received_ns < too_old_ns;
    });
    if (slow) Skip(pending, missed);
  }
  while (out->batches.size() < batches_max && !pending.empty()) {
    const auto first = std::min_element(
        pending.begin(), pending.end(),
        [](const Pending& a, const Pending& b) { return a.next->arrival < b.next->arrival; });
    const Entry& entry = *first->next;
    Place& place = *first->place;
    NoteGaps(place, entry, out);
    out->batches.push_back(entry.batch);
    place.known = true;
    place.last = {entry.batch->agent->incarnation, entry.batch->sequence};
    place.last_unix_ns = entry.batch->time_unix_ns;
    place.next_arrival = entry.arrival + 1;
    if (++first->next == first->end) pending.erase(first);
  }
  if (pending.empty()) caught_up_ = true;
}

void MetricStore::Reader::Skip(std::vector<Pending>& pending, std::vector<SampleBatchPtr>* missed) {
  for (Pending& p : pending) {
    for (const auto newest = std::prev(p.end); p.next != newest; ++p.next) {
      missed->push_back(p.next->batch);
    }
  }
}

void MetricStore::Reader::NoteGaps(const Place& place, const Entry& entry, Chunk* out) const {
  const SampleBatch& batch = *entry.batch;
  const uint64_t incarnation = batch.agent->incarnation;
  const auto note = [&](uint64_t of, uint64_t first, uint64_t last, std::string_view reason) {
    out->gaps.push_back({.agent = batch.agent->name,
                         .incarnation = of,
                         .first_sequence = first,
                         .last_sequence = last,
                         .from_unix_ns = place.last_unix_ns,
                         .until_unix_ns = batch.time_unix_ns,
                         .reason = reason});
  };
  uint64_t next = 1;
  if (place.known) {
    if (place.last.incarnation == incarnation) {
      next = place.last.sequence + 1;
    } else {
      note(place.last.incarnation, place.last.sequence + 1, 0, "restarted");
    }
  } else if (place.since_start) {
    return;  // what was before the beginning is no gap
  }
  // What was there, but is not any more, or was skipped; then what never came.
  const uint64_t held = entry.before.incarnation == incarnation ? entry.before.sequence : 0;
  if (held >= next) {
    note(incarnation, next, held, caught_up_ ? "slow_reader" : "too_old");
    next = held + 1;
  }
  if (next < batch.sequence) note(incarnation, next, batch.sequence - 1, "lost");
}

}  // namespace bank::telemetry
