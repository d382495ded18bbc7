// A leader whose connection broke. When a process ends, its system closes its connections at once;
// waiting for a whole election timeout of silence tells nothing more. So whoever follows this
// leader campaigns sooner, and lets others: it grants trial votes (pre-votes) and votes as if it
// knew no leader.
//
// This may be a false alarm, and nothing rests on it. A connection can break while its leader
// lives: then the others, who hear from the leader, refuse the trial vote, no term rises, and the
// leader's next message ends the suspicion. Only when a majority lost its connection to a leader
// that lives, and does not hear from it within three heartbeats, is it deposed without need.
//
// Elections fail when two campaign at once. So each follower has its own turn, in the order of ids
// from the leader's on, far enough apart for an election between two turns. Three are tried in this
// way, then the engine's own timers go on: on a slow disk even an election takes longer than a
// turn.
#include <algorithm>

#include "branch/replication/driver/driver_state.h"

namespace bank::replication {
namespace {

constexpr uint32_t kHastenedMax = 3;

}  // namespace

void Driver::State::OnConnectionLost(BranchId from) {
  if (leads || from != engine.leader()) return;
  suspect = from;
  hastened = 0;
  HastenElection();
}

bool Driver::State::SuspectsLeader() const {
  return suspect != BranchId(0) && (engine.leader() == suspect || engine.leader() == BranchId(0));
}

// After whatever has set the election timer anew.
void Driver::State::HastenElection() {
  if (!SuspectsLeader() || hastened >= kHastenedMax || non_voting()) return;
  std::vector<BranchId> voters = engine.voters();
  if (std::erase(voters, options.self) == 0) return;
  std::erase(voters, suspect);
  // How many come between the suspect and this branch.
  const auto turn_of = [&](BranchId id) { return id.value - suspect.value - 1; };  // wraps
  const auto before = [&](BranchId id) { return turn_of(id) < turn_of(options.self); };
  const int64_t turn = std::count_if(voters.begin(), voters.end(), before);
  const int64_t heartbeat = options.heartbeat_ms;
  const int64_t wait =
      3 * heartbeat + 3 * heartbeat * turn / 2 + 3 * heartbeat * int64_t{hastened} / 4;
  engine.HastenElection(now_ms + std::min<int64_t>(wait, options.election_timeout_ms));
}

}  // namespace bank::replication
