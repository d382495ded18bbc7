#include <algorithm>
#include <utility>

#include "branch/replication/driver/driver_state.h"
#include "common/check.h"
#include "common/planted.h"

namespace bank::replication {
namespace {

// The engine's messages as values, except for those with contents.
Message MakeMessage(const core_message& in) {
  switch (in.type) {
    case CORE_REQUEST_VOTE:
      return RequestVote{in.version,
                         Term(in.term),
                         BranchId(in.request_vote.candidate),
                         LogIndex(in.request_vote.last_log_index),
                         Term(in.request_vote.last_log_term),
                         in.request_vote.disrupt_leader,
                         in.request_vote.pre_vote};
    case CORE_REQUEST_VOTE_RESULT:
      return RequestVoteResult{in.version,
                               Term(in.term),
                               in.request_vote_result.vote_granted,
                               in.request_vote_result.pre_vote,
                               in.request_vote_result.features,
                               in.request_vote_result.capacity};
    case CORE_APPEND_ENTRIES_RESULT:
      return AppendEntriesResult{in.version,
                                 Term(in.term),
                                 LogIndex(in.append_entries_result.rejected),
                                 LogIndex(in.append_entries_result.last_log_index),
                                 in.append_entries_result.features,
                                 in.append_entries_result.capacity};
    default:
      BANK_CHECK(in.type == CORE_TIMEOUT_NOW) << in.type;
      return TimeoutNow{in.version, Term(in.term), LogIndex(in.timeout_now.last_log_index),
                        Term(in.timeout_now.last_log_term)};
  }
}

}  // namespace

void Driver::State::OnMessage(BranchId from, Message& message) {
  if (from == options.self) return;
  if (Refuses(from, message)) return;
  if (bootstrapping && (std::holds_alternative<AppendEntries>(message) ||
                        std::holds_alternative<InstallSnapshot>(message))) {
    // It leads. What it sends is taken when this branch has noted that it has to be filled.
    return Doubt(from, {.holds = true});
  }
  if (const auto* append = std::get_if<AppendEntries>(&message)) {
    engine.Receive(now_ms, from, message);
    if (append->term != engine.term() || engine.leader() != from) return;
    suspect = BranchId(0);
    leader_commit = append->leader_commit;
    SetRemoved(false, from);  // a leader speaks to members alone
    // The first told, and the least: a later one is not less.
    commit_to_reach = std::min(commit_to_reach.value_or(leader_commit), leader_commit);
    if (rebuilding && (lost_log_term != append->term || now_ms >= lost_log_again_ms)) {
      ReportLostLog(from);
    }
  } else if (const auto* result = std::get_if<AppendEntriesResult>(&message)) {
    if (!IsSaidBy(from, *result)) return;
    if (leads && result->term == engine.term()) heard_ms[from] = now_ms;
    SuspectLostLog(from, *result);
    engine.Receive(now_ms, from, message);
  } else if (auto* vote = std::get_if<RequestVote>(&message)) {
    // A branch that has lost its log, and perhaps the vote it cast, must not vote. It may have
    // voted for this candidate in this very term.
    if (non_voting() && !vote->pre_vote) vote_floor = std::max(vote_floor, vote->term);
    const bool mute = non_voting() && !IsPlanted(Planted::kRebuildingVotes);
    if (mute || vote->candidate != from) return;
    TellIfNoMember(from);
    // A trial vote binds nobody; and a candidate gets past the floor by real elections only, the
    // sooner if it is told how high it is.
    if (!vote->pre_vote && vote->term <= vote_floor) {
      return ReachTerm(vote_floor, from, vote->disrupt_leader);
    }
    if (SuspectsLeader()) vote->disrupt_leader = true;
    engine.Receive(now_ms, from, message);
  } else if (std::get_if<TimeoutNow>(&message) != nullptr) {
    if (!non_voting()) engine.Receive(now_ms, from, message);
  } else if (const auto* install = std::get_if<InstallSnapshot>(&message)) {
    OnInstallSnapshot(from, *install, message);
  } else if (std::get_if<RequestVoteResult>(&message) != nullptr) {
    engine.Receive(now_ms, from, message);
    HastenElection();  // of a trial that became a real one
  } else if (const auto* probe = std::get_if<ReadProbe>(&message)) {
    if (!non_voting()) ports.Send(from, ReadProbeResult{engine.term(), probe->round});
  } else if (const auto* answer = std::get_if<ReadProbeResult>(&message)) {
    if (leads && answer->term == engine.term()) reads.Confirm(from, answer->round);
    if (!reads.in_flight()) probe_retry_ms = kNever;
  } else if (const auto* lost = std::get_if<LostLog>(&message)) {
    OnLostLog(from, *lost);
  } else if (const auto* behind = std::get_if<LogBehindAcknowledged>(&message)) {
    if (!IsBehind(from, behind->term, behind->acknowledged)) return;
    Doubt(from, {.term = behind->term, .acknowledged = behind->acknowledged});
  } else if (const auto* no_member = std::get_if<NoMember>(&message)) {
    if (!OutdatesMembership(no_member->configuration_index)) return;
    Doubt(from, {.term = no_member->term, .no_member_since = no_member->configuration_index});
  } else if (const auto* challenge = std::get_if<Challenge>(&message)) {
    OnChallenge(from, *challenge);
  } else if (const auto* fact = std::get_if<ChallengeResult>(&message)) {
    OnChallengeResult(from, *fact);
  }
}

void Driver::State::OnHardState(const storage::HardState& state) { ports.WriteHardState(state); }

void Driver::State::OnEntries(LogIndex index, std::vector<storage::Entry> entries) {
  BANK_CHECK(index > last_applied) << index.value << " was applied already";
  BANK_CHECK(index <= log.last_index().Next()) << index.value;
  log.TruncateFrom(index);
  for (const storage::Entry& entry : entries) log.Append(entry);
  ++appends_in_flight;
  ports.QueueAppend(index, std::move(entries));
}

void Driver::State::OnAppended(LogIndex first, const std::vector<storage::Entry>& entries) {
  BANK_CHECK(appends_in_flight > 0);
  --appends_in_flight;
  if (installing.has_value()) return;
  // The log may have been cut since: only what is still the same entry counts.
  LogIndex stored(first.value - 1);
  for (const storage::Entry& entry : entries) {
    const storage::Entry* present = log.Find(stored.Next());
    if (present == nullptr) break;
    const bool same = present->payload == entry.payload && present->term == entry.term;
    if (!same && !IsPlanted(Planted::kStaleAppendCounts)) break;
    stored = stored.Next();
  }
  if (stored >= first && stored > engine.last_stored()) engine.EntriesStored(now_ms, stored);
}

void Driver::State::OnSend(const core_message& message) {
  const BranchId to(message.peer);
  if (message.type == CORE_APPEND_ENTRIES) {
    SendAppendEntries(to, message);
  } else if (message.type == CORE_INSTALL_SNAPSHOT) {
    // Kept for as long as the engine can ask for it.
    BANK_CHECK(snapshot.has_value());
    BANK_CHECK(snapshot->index.value == message.install_snapshot.index)
        << snapshot->index.value << " is not " << message.install_snapshot.index;
    ports.Send(to, InstallSnapshot{message.version, Term(message.term), *snapshot});
  } else {
    Message made = MakeMessage(message);
    if (auto* result = std::get_if<AppendEntriesResult>(&made)) result->life = life;
    ports.Send(to, std::move(made));
  }
}

// The engine counts entries, not bytes: what would be too large for one message goes out as
// several, each continuing the one before it.
void Driver::State::SendAppendEntries(BranchId to, const core_message& message) {
  AppendEntries out;
  out.version = message.version;
  out.term = Term(message.term);
  out.prev_log_index = LogIndex(message.append_entries.prev_log_index);
  out.prev_log_term = Term(message.append_entries.prev_log_term);
  out.leader_commit = LogIndex(message.append_entries.leader_commit);
  commit_told[to] = out.leader_commit;
  append_version = out.version;
  size_t bytes = 0;
  for (size_t left = message.append_entries.n_entries; left > 0; --left) {
    const LogIndex index = out.prev_log_index.Plus(out.entries.size() + 1);
    const storage::Entry* entry = log.Find(index);
    BANK_CHECK(entry != nullptr) << "entry " << index.value;
    if (!out.entries.empty() && bytes + entry->payload->size() > options.message_bytes_max) {
      AppendEntries next = out;
      next.entries.clear();
      next.prev_log_index = LogIndex(index.value - 1);
      next.prev_log_term = out.entries.back().term;
      ports.Send(to, std::exchange(out, std::move(next)));
      bytes = 0;
    }
    bytes += entry->payload->size();
    out.entries.push_back(*entry);
  }
  ports.Send(to, std::move(out));
}

void Driver::State::OnStateChange() {
  if (leads == engine.leads()) return;
  leads = engine.leads();
  suspect = BranchId(0);
  leader_ready = false;
  suspicions.clear();
  probe_retry_ms = kNever;
  commit_told.clear();
  heard_ms.clear();
  if (!leads) {
    member_changes.OnLeadershipLost();
    proposals.OnLeadershipLost();
    reads.Fail("this branch does not lead any more");
    return;
  }
  // Before they acknowledge anything.
  for (const Member& member : engine.members()) {
    if (member.id != options.self && !lives.contains(member.id)) AskBack(member.id);
  }
}

}  // namespace bank::replication
