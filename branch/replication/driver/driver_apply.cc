#include <algorithm>
#include <utility>

#include "branch/ledger/command.h"
#include "branch/replication/driver/driver_state.h"
#include "common/check.h"
#include "common/planted.h"

namespace bank::replication {

// Applies in order, each entry once. The engine is told of a membership change as soon as it is
// applied and before the next entry is, which may move the commit index.
void Driver::State::ApplyCommitted() {
  while (!installing.has_value()) {
    LogIndex target = std::min(engine.commit_index(), log.last_index());
    if (IsPlanted(Planted::kAnswerBeforeCommit) && leads) target = engine.last_stored();
    if (IsPlanted(Planted::kFollowerAheadOfCommit) && !leads) target = log.last_index();
    if (last_applied >= target) return;
    bool changed = false;
    ports.BeginApply();
    while (last_applied < target && !changed) {
      const LogIndex index = last_applied.Next();
      const storage::Entry* entry = log.Find(index);
      BANK_CHECK(entry != nullptr) << "committed entry " << index.value << " is not in the log";
      ApplyEntry(index, *entry);
      last_applied = index;
      applied_term = entry->term;
      changed = entry->type == storage::EntryType::kChange;
      if (index.value % kCheckpointEvery == 0) NoteCheckpoint();
    }
    ports.EndApply();
    if (!changed) continue;
    OnMembersCommitted();
    if (leads && applied_term == engine.term()) {
      member_changes.OnCommitted(configuration_index, committed_members);
    }
    engine.ConfigurationCommitted(now_ms, configuration_index, configuration);
  }
}

void Driver::State::ApplyEntry(LogIndex index, const storage::Entry& entry) {
  switch (entry.type) {
    case storage::EntryType::kCommand: {
      outcomes.clear();
      const absl::Status status = ledger.Apply(*entry.payload, &outcomes);
      BANK_CHECK(status.ok()) << "entry " << index.value << ": " << status.message();
      proposals.OnApplied(index, entry.term, outcomes);
      return;
    }
    case storage::EntryType::kChange:
      configuration_index = index;
      configuration = *entry.payload;
      break;
    case storage::EntryType::kBarrier:
      break;
  }
  proposals.OnOtherApplied(index, entry.term);
}

void Driver::State::NoteCheckpoint() {
  std::vector<Checkpoint> noted;
  if (checkpoints != nullptr) {
    const size_t drop = checkpoints->size() == kCheckpointsMax ? 1 : 0;
    noted.assign(checkpoints->begin() + drop, checkpoints->end());
  }
  noted.push_back({last_applied, ledger.summary().state_digest});
  checkpoints = std::make_shared<const std::vector<Checkpoint>>(std::move(noted));
}

Term Driver::State::LastTerm() const {
  const storage::Entry* last = log.Find(log.last_index());
  return last != nullptr ? last->term : applied_term;
}

void Driver::State::Lead() {
  // An entry of its own term commits everything before it; until then a new leader does not know
  // what is committed, and the bank's time of entries before it is not known either. The engine
  // puts a barrier into the log by itself in some cases only.
  if (LastTerm() != engine.term()) {
    static const auto kEmpty = std::make_shared<const std::string>();
    engine.Submit(now_ms, storage::EntryType::kBarrier, kEmpty);
  }
  const bool own_term = applied_term == engine.term() || IsPlanted(Planted::kReadBeforeOwnTerm);
  if (!leads || !own_term) return;
  if (!leader_ready) {
    leader_ready = true;
    lead_start_ms = now_ms;
    lead_start_bank_ms = ledger.time_ms();
  }
  DriveMemberChange();
  if (transfer.has_value()) {
    DriveTransfer();
  } else {
    SubmitProposals();
  }
  if (leads && !proposals.gathering()) TellCommit();  // else the next entry tells
  if (leads) StartReadRound();
}

// The engine lets followers learn the commit index from the next entry or heartbeat. Whoever reads
// at a follower of an idle bank would wait up to a heartbeat for what was just written: so those
// who hold it, and were sent nothing since, are told at once by a heartbeat of our own.
void Driver::State::TellCommit() {
  const LogIndex commit = engine.commit_index();
  for (auto& [peer, told] : commit_told) {
    if (told >= commit || engine.match_index(peer) < commit) continue;
    const storage::Entry* entry = log.Find(commit);
    if (entry == nullptr) return;
    told = commit;
    ports.Send(peer, AppendEntries{append_version, engine.term(), commit, entry->term, commit, {}});
  }
}

void Driver::State::SubmitProposals() {
  while (proposals.WantsCut(now_ms)) {
    // The bank's clock runs at the leader's pace and goes on from where the last leader left it.
    const ledger::EntryHeader header{lead_start_bank_ms + (now_ms - lead_start_ms),
                                     proposals.next_count()};
    const LogIndex index = engine.Submit(
        now_ms, storage::EntryType::kCommand,
        std::make_shared<const std::string>(ledger::EncodeEntry(header, proposals.next_batch())));
    if (index == LogIndex(0)) return;
    proposals.Submitted(index, engine.term());
  }
}

void Driver::State::StartReadRound() {
  if (!reads.WantsRound()) return;
  std::vector<BranchId> others = engine.voters();
  const bool self_votes = std::erase(others, options.self) > 0;
  reads.Begin(1 + random() % kReadRoundMax, engine.commit_index(), others, self_votes);
  SendProbes();
}

void Driver::State::SendProbes() {
  if (!reads.in_flight()) {
    probe_retry_ms = kNever;
    return;
  }
  for (const BranchId voter : reads.unanswered()) {
    ports.Send(voter, ReadProbe{engine.term(), reads.round()});
  }
  probe_retry_ms = now_ms + options.heartbeat_ms;
}

}  // namespace bank::replication
