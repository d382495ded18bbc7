// Feed: everything this branch knows about the bank's condition: the last hour of every agent's
// frames, recent events, audit records, and who is alive.
//
// On the master it is fed by the agents, on the other branches by the master's feed; so every
// branch holds the same and answers its readers, console and scrapes alone, and a new master begins
// with what it already has. Frames are told apart by agent, incarnation and sequence: what comes
// twice is taken once, and what is missing is a Gap for every reader, never silence.
//
// Readers pull: a subscription holds a place in the feed, not a queue, so a slow reader costs
// nothing; when it has fallen behind what is kept (or `lag_max` frames) it goes on at the newest
// and is told how many samples it missed.
//
// Thread-safe; nothing blocks. `Wake` callbacks run on the thread that added something and must not
// call back into the feed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "branch/monitor/frame.h"
#include "common/clock.h"

namespace bank::monitor {

enum class Liveness { kLive, kSuspect, kDead };

struct AgentView {
  AgentPtr agent;
  Liveness liveness = Liveness::kDead;
  FramePtr newest;       // nullptr: none yet
  int64_t heard_ns = 0;  // steady clock: when anything of it was last added
};

struct FeedGap {
  std::string agent;
  uint64_t incarnation = 0;
  uint64_t first_sequence = 0;
  uint64_t last_sequence = 0;
  int64_t from_unix_ns = 0;  // 0: unknown
  int64_t until_unix_ns = 0;
  std::string_view reason;  // "lost", "restarted", "too_old", "slow_reader"
};

struct FeedPosition {
  uint64_t incarnation = 0;
  uint64_t sequence = 0;
};

struct FeedOptions {
  int64_t history_ns = int64_t{3600} * 1'000'000'000;
  size_t bytes_max = size_t{64} << 20;  // of all agents' frames together
  size_t events_max = 1000;
  size_t audits_max = 10'000;
  size_t lag_max = 600;                         // frames a reader may be behind while following
  int64_t suspect_after_ns = 1'500'000'000;     // of silence
  int64_t dead_after_ns = 5'000'000'000;        // of silence
  int64_t dead_after_break_ns = 1'000'000'000;  // of silence, once its connection broke
};

class Feed {
 public:
  class Subscription;

  Feed(FeedOptions options, const Clock& clock);
  ~Feed();

  // What arrives. A frame or event that is known is dropped.
  void AddFrame(FramePtr frame);
  void AddEvent(Event event);
  void AddAudit(AuditRecord record);  // the newer of two with one id and agent stays
  // The connection to or from that agent broke just now: suspect at once.
  void NoteBroken(std::string_view agent);

  // The newest frame that is known of this agent's incarnation; {0, 0}: none.
  FeedPosition LastOf(std::string_view agent) const;
  std::map<std::string, FeedPosition> Positions() const;

  std::vector<AgentView> Agents() const;  // sorted by branch, then name
  // Oldest first, the newest `limit` at most.
  std::vector<Event> Events(size_t limit) const;
  std::vector<AuditRecord> Audits(size_t limit) const;
  // The kept frames of one agent from that time on, oldest first.
  std::vector<FramePtr> History(std::string_view agent, int64_t since_unix_ns) const;

  struct Start {
    int64_t since_unix_ns = 0;                    // 0: the newest frame of each agent only
    std::map<std::string, FeedPosition> after{};  // instead, for the agents named
  };
  // What a reader takes at a time: frames, gaps and events in an order in which each agent's own
  // come oldest first.
  struct Portion {
    std::vector<FramePtr> frames;
    std::vector<FeedGap> gaps;
    std::vector<Event> events;
    std::vector<AuditRecord> audits;
    uint64_t missed_readings = 0;
    bool empty() const {
      return frames.empty() && gaps.empty() && events.empty() && audits.empty() &&
             missed_readings == 0;
    }
  };
  // `wake` is called when Take() would give something after it last gave nothing.
  std::unique_ptr<Subscription> Subscribe(Start start, std::function<void()> wake);

  class Subscription {
   public:
    virtual ~Subscription() = default;
    virtual Portion Take(size_t frames_max) = 0;
  };

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bank::monitor
