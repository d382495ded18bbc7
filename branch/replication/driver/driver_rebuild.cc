// A branch that has lost what it acknowledged, and its leader.
//
// The leader counts what a branch acknowledged for as long as it leads. If the branch then loses
// it (an old copy of its folder, a rebuild after damage), three things keep the bank safe:
//   - the leader forgets: told of the loss it steps down, and whoever leads next begins with an
//     empty record of what the others hold;
//   - the branch neither votes nor confirms reads until it is whole again. Whole is: it has applied
//     an entry of the present term. The leader of that term was elected without this branch's vote,
//     so by voters who hold everything that was committed, and the entry has all of it before it;
//   - afterwards it votes in later terms only than this one and those of which it was asked for its
//     vote meanwhile, since it may have voted in them.
#include <algorithm>
#include <utility>

#include "branch/replication/driver/driver_state.h"

namespace bank::replication {

// A rejection by a branch whose log ends before what it acknowledged in this term. Messages are in
// order, so it cannot be a late one, except across connections: the second in a row counts.
void Driver::State::SuspectLostLog(BranchId from, const AppendEntriesResult& result) {
  if (!leads || result.term != engine.term()) return;
  if (result.rejected == AppendEntriesResult::kOfOlderTerm) return;
  const LogIndex match = engine.match_index(from);
  if (result.rejected == LogIndex(0) || result.last_log_index >= match) {
    suspicions.erase(from);
    return;
  }
  if (++suspicions[from] < 2) return;
  suspicions.erase(from);
  ports.Send(from, LogBehindAcknowledged{engine.term(), match});
}

// Whether the log ends before `acknowledged`, which `leader` says that this branch acknowledged.
bool Driver::State::IsBehind(BranchId leader, Term term, LogIndex acknowledged) const {
  return term == engine.term() && engine.leader() == leader && !installing.has_value() &&
         appends_in_flight == 0 && log.last_index() < acknowledged;
}

void Driver::State::GiveUpIfBehind(BranchId leader, const ChallengeResult& said) {
  if (!IsBehind(leader, said.term, said.acknowledged)) return;
  if (rebuilding) return ReportLostLog(leader);
  const std::string reason =
      "branch " + std::to_string(leader.value) +
      ", the leader, confirms that this branch acknowledged the log up to entry " +
      std::to_string(said.acknowledged.value) + " in term " + std::to_string(said.term.value) +
      ". It holds it up to entry " + std::to_string(log.last_index().value) +
      " only: its data folder is an old copy, or lost writes. Start it with --rebuild to "
      "bring it back from the other branches.";
  Stop(reason);
  ports.Fatal(reason);
}

void Driver::State::ReportLostLog(BranchId leader) {
  lost_log_term = engine.term();
  lost_log_again_ms = now_ms + options.election_timeout_ms;
  ports.Send(leader, LostLog{engine.term(), log.last_index()});
}

void Driver::State::OnLostLog(BranchId from, const LostLog& message) {
  if (!leads || message.term != engine.term()) return;
  if (message.last_log_index < engine.match_index(from)) engine.StepDown(now_ms, from);
}

void Driver::State::FinishRebuildIfWhole() {
  if (!rebuilding || installing.has_value() || applied_term == Term(0) ||
      applied_term != engine.term() || lost_log_term != engine.term()) {
    return;
  }
  rebuilding = false;
  vote_floor = std::max(vote_floor, engine.term());
  ports.QueueFinishRebuild(vote_floor);
}

// Makes `term` this branch's, unless it has a higher one, and votes for nobody in it; `witness` is
// told of it. As if that had asked for a vote with a log that nobody votes for: whoever knows a
// leader listens only if `disrupt_leader`.
void Driver::State::ReachTerm(Term term, BranchId witness, bool disrupt_leader) {
  if (engine.term() >= term) return;
  const RequestVote asked{.version = 2,
                          .term = term,
                          .candidate = witness,
                          .last_log_index = LogIndex(0),
                          .last_log_term = Term(0),
                          .disrupt_leader = disrupt_leader,
                          .pre_vote = false};
  engine.Receive(now_ms, witness, asked);
}

}  // namespace bank::replication
