// AgentChanges: what a branch tells the bank of agents that come and go. PURE.
//
// The branch that leads tells of all agents. That a branch is lost, every voter that sees it tells
// once; the loss of the leader also before there is another one. What changed while nobody led, the
// next leader tells, unless the last one or itself has done so.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "branch/telemetry/metric_store.h"

namespace bank::telemetry {

class AgentChanges {
 public:
  // What this branch is in the bank.
  enum class Part { kLeads, kVotes, kReceives };
  struct News {
    EventKind kind = EventKind::kOther;
    std::string text;
    bool operator==(const News&) const = default;
  };

  // `self`: the name of this branch's own agent, of which it tells nothing.
  explicit AgentChanges(std::string self) : self_(std::move(self)) {}

  // This branch's streams to the leader, the agent of that name, broke.
  void NoteBrokenLeader(std::string name) { broken_leader_ = std::move(name); }

  // Whether the leader whose streams broke is lost; asked until that is clear.
  std::vector<News> LookAtBrokenLeader(const std::vector<AgentView>& agents);

  // What is new of `agents`, for a branch that leads, or follows a leader and has caught up.
  // `events`: all that are known, oldest first; they are only asked for if they matter.
  std::vector<News> Look(const std::vector<AgentView>& agents, Part part,
                         absl::FunctionRef<std::vector<Event>()> events);

 private:
  struct Seen {
    uint64_t incarnation = 0;
    bool dead = true;
    bool untold = true;      // nobody may have told of it yet: a leader has to look
    uint64_t told_lost = 0;  // the incarnation of which this branch has told that it is lost
  };
  News Lost(const AgentView& view);

  const std::string self_;
  std::string broken_leader_;  // empty: none
  std::map<std::string, Seen> seen_;
};

}  // namespace bank::telemetry
