#include "branch/telemetry/agent_changes.h"

#include <fmt/format.h>

#include <algorithm>

namespace bank::telemetry {
namespace {

// Whether the newest event about the agent's coming and going says the same. About one that lives
// nothing need have been said.
bool WasTold(const std::vector<Event>& events, const std::string& name, bool dead) {
  const auto told = std::find_if(events.rbegin(), events.rend(), [&](const Event& event) {
    return (event.kind == EventKind::kLost || event.kind == EventKind::kJoined) &&
           event.text.starts_with(name + " ");
  });
  return told == events.rend() ? !dead : (told->kind == EventKind::kLost) == dead;
}

}  // namespace

AgentChanges::News AgentChanges::Lost(const AgentView& view) {
  seen_[view.agent->name].told_lost = view.agent->incarnation;
  return {EventKind::kLost,
          fmt::format("{} is lost: {}", view.agent->name,
                      view.life.broken_ns > view.life.heard_ns ? "its connection ended"
                                                               : "it has fallen silent")};
}

std::vector<AgentChanges::News> AgentChanges::LookAtBrokenLeader(
    const std::vector<AgentView>& agents) {
  std::vector<News> news;
  for (const AgentView& view : agents) {
    if (broken_leader_.empty() || view.agent->name != broken_leader_) continue;
    if (view.liveness == Liveness::kSuspect) return news;
    const bool told = seen_[broken_leader_].told_lost == view.agent->incarnation;
    if (view.liveness == Liveness::kDead && !told) news.push_back(Lost(view));
  }
  broken_leader_.clear();
  return news;
}

std::vector<AgentChanges::News> AgentChanges::Look(const std::vector<AgentView>& agents, Part part,
                                                   absl::FunctionRef<std::vector<Event>()> events) {
  std::vector<News> news;
  for (const AgentView& view : agents) {
    const std::string& name = view.agent->name;
    Seen& seen = seen_[name];
    const bool dead = view.liveness == Liveness::kDead;
    const bool changed =
        dead != seen.dead || (!dead && view.agent->incarnation != seen.incarnation);
    seen = {.incarnation = view.agent->incarnation,
            .dead = dead,
            .untold = changed || seen.untold,
            .told_lost = seen.told_lost};
    if (!seen.untold || name == self_) continue;
    const bool told_here = dead && seen.told_lost == seen.incarnation;
    if (part != Part::kLeads) {
      const bool is_branch = view.agent->branch != BranchId(0);
      if (changed && dead && is_branch && part == Part::kVotes && !told_here) {
        news.push_back(Lost(view));
      }
      continue;
    }
    seen.untold = false;
    if (told_here || (!changed && WasTold(events(), name, dead))) continue;
    news.push_back(dead ? Lost(view)
                        : News{EventKind::kJoined,
                               fmt::format("{} on {} joined", name, view.agent->hostname)});
  }
  return news;
}

}  // namespace bank::telemetry
