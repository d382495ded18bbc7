#include <algorithm>
#include <utility>

#include "branch/telemetry/feed_state.h"

namespace bank::telemetry {
namespace {

// Events, and records, that are taken at a time.
constexpr size_t kEventsAtATime = 256;

}  // namespace

Feed::Reader::Reader(State& state, Start start, std::function<void()> wake)
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

Feed::Reader::~Reader() {
  absl::MutexLock lock(&state_.mutex);
  state_.readers.erase(this);
}

Feed::Reader::Place Feed::Reader::StartAt(const std::string& name, const AgentState& agent) const {
  Place place{.since_start = true};
  if (const auto read = start_.after.find(name); read != start_.after.end()) {
    place.known = true;
    place.last = read->second;
    return place;
  }
  const auto& frames = agent.frames;
  if (start_.since_unix_ns == 0) {
    place.next_arrival = frames.empty() ? 0 : frames.back().arrival;
    return place;
  }
  const auto first = std::find_if(frames.begin(), frames.end(), [&](const Entry& entry) {
    return entry.frame->time_unix_ns >= start_.since_unix_ns;
  });
  place.next_arrival =
      first == frames.end() ? agent.frames.empty() ? 0 : frames.back().arrival + 1 : first->arrival;
  return place;
}

void Feed::Reader::Wake(std::string_view agent) {
  if (!waiting_ || (!start_.agent.empty() && start_.agent != agent)) return;
  waiting_ = false;
  wake_();
}

Feed::Portion Feed::Reader::Take(size_t frames_max) {
  Portion portion;
  std::vector<FramePtr> missed;
  {
    absl::MutexLock lock(&state_.mutex);
    if (start_.audits) state_.audits.TakeAfter(&audits_taken_, kEventsAtATime, &portion.audits);
    if (start_.events) TakeEvents(&portion);
    if (start_.frames) TakeFrames(frames_max, &portion, &missed);
    waiting_ = portion.empty() && missed.empty();
  }
  for (const FramePtr& frame : missed) {
    portion.missed += start_.weight ? start_.weight(*frame) : frame->readings.size();
  }
  return portion;
}

void Feed::Reader::TakeEvents(Portion* out) {
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

std::vector<Feed::Reader::Pending> Feed::Reader::AllPending() {
  std::vector<Pending> pending;
  for (const auto& [name, agent] : state_.agents) {
    if (!start_.agent.empty() && start_.agent != name) continue;
    Place& place = places_[name];
    const auto& frames = agent.frames;
    const auto next = std::partition_point(frames.begin(), frames.end(), [&](const Entry& entry) {
      return entry.arrival < place.next_arrival ||
             (place.known &&
              FeedPosition{entry.frame->agent->incarnation, entry.frame->sequence} <= place.last);
    });
    if (next != frames.end()) pending.push_back({&place, next, frames.end()});
  }
  return pending;
}

void Feed::Reader::TakeFrames(size_t frames_max, Portion* out, std::vector<FramePtr>* missed) {
  std::vector<Pending> pending = AllPending();
  if (start_.lag_max_ns > 0 && caught_up_) {
    const int64_t too_old_ns = state_.clock.NowNs() - start_.lag_max_ns;
    const bool slow = std::any_of(pending.begin(), pending.end(), [&](const Pending& p) {
      return p.next->received_ns < too_old_ns;
    });
    if (slow) Skip(pending, missed);
  }
  while (out->frames.size() < frames_max && !pending.empty()) {
    const auto first = std::min_element(
        pending.begin(), pending.end(),
        [](const Pending& a, const Pending& b) { return a.next->arrival < b.next->arrival; });
    const Entry& entry = *first->next;
    Place& place = *first->place;
    NoteGaps(place, entry, out);
    out->frames.push_back(entry.frame);
    place.known = true;
    place.last = {entry.frame->agent->incarnation, entry.frame->sequence};
    place.last_unix_ns = entry.frame->time_unix_ns;
    place.next_arrival = entry.arrival + 1;
    if (++first->next == first->end) pending.erase(first);
  }
  if (pending.empty()) caught_up_ = true;
}

void Feed::Reader::Skip(std::vector<Pending>& pending, std::vector<FramePtr>* missed) {
  for (Pending& p : pending) {
    for (const auto newest = std::prev(p.end); p.next != newest; ++p.next) {
      missed->push_back(p.next->frame);
    }
  }
}

void Feed::Reader::NoteGaps(const Place& place, const Entry& entry, Portion* out) const {
  const Frame& frame = *entry.frame;
  const uint64_t incarnation = frame.agent->incarnation;
  const auto note = [&](uint64_t of, uint64_t first, uint64_t last, std::string_view reason) {
    out->gaps.push_back({.agent = frame.agent->name,
                         .incarnation = of,
                         .first_sequence = first,
                         .last_sequence = last,
                         .from_unix_ns = place.last_unix_ns,
                         .until_unix_ns = frame.time_unix_ns,
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
  if (next < frame.sequence) note(incarnation, next, frame.sequence - 1, "lost");
}

}  // namespace bank::telemetry
