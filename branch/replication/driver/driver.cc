#include "branch/replication/driver/driver.h"

#include <algorithm>
#include <utility>

#include "branch/replication/driver/driver_state.h"
#include "common/check.h"
#include "common/planted.h"

namespace bank::replication {

Driver::Driver(DriverOptions options, DriverPorts& ports)
    : state_(std::make_unique<State>(std::move(options), ports)) {}
Driver::~Driver() = default;

absl::Status Driver::Start(int64_t now_ms, storage::Recovered recovered) {
  BANK_CHECK(!state_->started);
  state_->now_ms = now_ms;
  if (absl::Status status = state_->Start(std::move(recovered)); !status.ok()) return status;
  state_->started = true;
  state_->Settle();
  return absl::OkStatus();
}

storage::Recovered Driver::Bootstrap(const DriverOptions& options) {
  absl::StatusOr<std::string> configuration =
      EncodeConfiguration(options.initial_members, options.initial_members);
  BANK_CHECK(configuration.ok()) << configuration.status().message();
  storage::Recovered bootstrap;
  bootstrap.hard_state = {Term(1), BranchId(0)};
  bootstrap.entries.push_back({Term(1), storage::EntryType::kChange,
                               std::make_shared<const std::string>(*std::move(configuration))});
  return bootstrap;
}

void Driver::OnMessage(int64_t now_ms, BranchId from, Message message) {
  if (!state_->Enter(now_ms)) return;
  state_->OnMessage(from, message);
  state_->Settle();
}

void Driver::OnAppended(int64_t now_ms, LogIndex first,
                        const std::vector<storage::Entry>& entries) {
  if (!state_->Enter(now_ms)) return;
  state_->OnAppended(first, entries);
  state_->Settle();
}

void Driver::OnSnapshotPrepared(int64_t now_ms, storage::Snapshot snapshot) {
  if (!state_->Enter(now_ms)) return;
  state_->OnSnapshotPrepared(std::move(snapshot));
  state_->Settle();
}

void Driver::OnSnapshotSaved(int64_t now_ms, LogIndex index) {
  if (!state_->Enter(now_ms)) return;
  state_->OnSnapshotSaved(index);
  state_->Settle();
}

void Driver::OnSnapshotInstalled(int64_t now_ms, LogIndex index) {
  if (!state_->Enter(now_ms)) return;
  state_->OnSnapshotInstalled(index);
  state_->Settle();
}

void Driver::OnTimer(int64_t now_ms) {
  if (!state_->Enter(now_ms)) return;
  state_->OnTimer();
  state_->Settle();
}

void Driver::OnConnectionLost(int64_t now_ms, BranchId from) {
  if (!state_->Enter(now_ms)) return;
  state_->OnConnectionLost(from);
  state_->Settle();
}

void Driver::Propose(int64_t now_ms, std::string batch, uint64_t count, int64_t deadline_ms,
                     Replicator::ProposeCallback done) {
  if (state_->Enter(now_ms) && state_->leads) {
    state_->proposals.Add(std::move(batch), count, deadline_ms, std::move(done));
  } else {
    state_->due.Add(std::move(done), Fate::kNotApplied, "this branch does not lead");
  }
  state_->Settle();
}

void Driver::ReadIndex(int64_t now_ms, int64_t deadline_ms, ReadIndexCallback done) {
  if (state_->Enter(now_ms) && state_->leads) {
    state_->reads.Add(deadline_ms, std::move(done));
  } else {
    state_->due.AddIndex(std::move(done), absl::UnavailableError("this branch does not lead"));
  }
  state_->Settle();
}

void Driver::WaitApplied(int64_t now_ms, LogIndex index, int64_t deadline_ms,
                         Replicator::ReadCallback done) {
  if (!state_->Enter(now_ms)) {
    state_->due.AddRead(std::move(done), absl::UnavailableError("this branch has stopped"));
  } else if (index <= state_->last_applied || IsPlanted(Planted::kReadBeforeApplied)) {
    state_->due.AddRead(std::move(done), absl::OkStatus());
  } else {
    state_->index_waiters.Add(index, deadline_ms, std::move(done));
  }
  state_->Settle();
}

void Driver::WaitPosition(int64_t now_ms, Position position, int64_t deadline_ms,
                          Replicator::ReadCallback done) {
  if (!state_->Enter(now_ms)) {
    state_->due.AddRead(std::move(done), absl::UnavailableError("this branch has stopped"));
  } else if (position <= state_->ledger.position() || IsPlanted(Planted::kMinimumIndexIgnored)) {
    state_->due.AddRead(std::move(done), absl::OkStatus());
  } else {
    state_->position_waiters.Add(position, deadline_ms, std::move(done));
  }
  state_->Settle();
}

void Driver::TakeSnapshot(int64_t now_ms) {
  if (!state_->Enter(now_ms)) return;
  state_->TakeSnapshot();
  state_->Settle();
}

void Driver::TakeSnapshot(int64_t now_ms, int64_t deadline_ms, Replicator::ReadCallback done) {
  if (!state_->Enter(now_ms)) {
    state_->due.AddRead(std::move(done), absl::UnavailableError("this branch has stopped"));
  } else if (state_->last_applied == LogIndex(0)) {
    state_->due.AddRead(std::move(done),
                        absl::FailedPreconditionError("this branch has applied nothing yet"));
  } else {
    state_->snapshot_waiters.Add(state_->last_applied, deadline_ms, std::move(done));
  }
  state_->Settle();
}

void Driver::TransferLeadership(int64_t now_ms, BranchId to, Replicator::ReadCallback done) {
  if (!state_->Enter(now_ms)) {
    state_->due.AddRead(std::move(done), absl::UnavailableError("this branch has stopped"));
  } else if (absl::StatusOr<BranchId> target = state_->ChooseTransferTarget(to); target.ok()) {
    state_->BeginTransfer(*target, std::move(done));
  } else {
    state_->due.AddRead(std::move(done), target.status());
  }
  state_->Settle();
}

void Driver::ChangeMember(int64_t now_ms, MemberChange change, int64_t deadline_ms,
                          ChangeCallback done) {
  if (state_->Enter(now_ms) && state_->leads) {
    state_->member_changes.Begin(std::move(change), deadline_ms, std::move(done));
  } else {
    state_->due.AddChange(std::move(done), {ChangeFate::kRefused, "this branch does not lead", {}});
  }
  state_->Settle();
}

void Driver::Stop(const std::string& reason) {
  state_->Stop(reason);
  state_->Settle();
}

int64_t Driver::NextDeadlineMs() const { return state_->NextDeadlineMs(); }
const ledger::Ledger& Driver::ledger() const { return state_->ledger; }
ReplicatorStatus Driver::GetStatus() const { return state_->GetStatus(); }
Membership Driver::GetMembership() const { return state_->GetMembership(); }

absl::Status Driver::State::Start(storage::Recovered recovered) {
  absl::StatusOr<std::string> bootstrap =
      EncodeConfiguration(options.initial_members, options.initial_members);
  if (!bootstrap.ok()) return bootstrap.status();
  const auto* first_entry = recovered.entries.empty() ? nullptr : &recovered.entries.front();
  const bool other_log = first_entry != nullptr && recovered.first_index == LogIndex(1) &&
                         *first_entry->payload != *bootstrap;
  const bool other_snapshot = recovered.snapshot.has_value() &&
                              recovered.snapshot->configuration_index == LogIndex(1) &&
                              recovered.snapshot->configuration != *bootstrap;
  if (other_log || other_snapshot) {
    return absl::FailedPreconditionError("the log was begun by other founders than these");
  }

  if (recovered.snapshot.has_value()) {
    snapshot = std::move(recovered.snapshot);
    absl::StatusOr<ledger::Ledger> restored = ledger::Ledger::DecodeSnapshot(*snapshot->state);
    if (!restored.ok()) {
      return absl::DataLossError("snapshot at " + std::to_string(snapshot->index.value) + ": " +
                                 std::string(restored.status().message()));
    }
    ledger = *std::move(restored);
    last_applied = snapshot->index;
    applied_term = snapshot->term;
    configuration = snapshot->configuration;
    configuration_index = snapshot->configuration_index;
    committed_members = DecodeConfiguration(configuration, options.initial_members);

    // A crash between the installation of a snapshot and the reset of the log leaves a log that
    // does not continue the snapshot: everything in it is older, or was never committed.
    const LogIndex first = recovered.first_index;
    const LogIndex end = first.Plus(recovered.entries.size());  // exclusive
    const bool gap = first > snapshot->index.Next() || end <= snapshot->index;
    const bool conflict =
        !gap && first <= snapshot->index &&
        recovered.entries[snapshot->index.value - first.value].term != snapshot->term;
    if (gap || conflict) {
      if (!recovered.entries.empty()) ports.QueueInstallSnapshot(*snapshot);
      recovered.entries.clear();
      recovered.first_index = snapshot->index.Next();
    }
  } else if (recovered.first_index != LogIndex(1)) {
    return absl::DataLossError("the log begins at " + std::to_string(recovered.first_index.value) +
                               " and there is no snapshot");
  }

  bootstrapping = HoldsNothing(recovered);
  rebuilding = recovered.rebuilding;
  vote_floor = recovered.vote_floor;
  log.Reset(recovered.first_index);
  for (const storage::Entry& entry : recovered.entries) log.Append(entry);
  if (absl::Status status =
          engine.Begin(now_ms, recovered.hard_state, snapshot.has_value() ? &*snapshot : nullptr,
                       recovered.first_index, recovered.entries);
      !status.ok()) {
    return status;
  }
  // One that joins is not sent its own addition first.
  SetRemoved(!non_voting() && FindMember(engine.members(), options.self) == nullptr, options.self);
  return absl::OkStatus();
}

bool Driver::State::Enter(int64_t time_ms) {
  BANK_CHECK(started);
  now_ms = std::max(now_ms, time_ms);
  return !stopped;
}

void Driver::State::Stop(const std::string& reason) {
  if (stopped) return;
  stopped = true;
  leads = false;
  proposals.Stop(reason);
  member_changes.Stop(reason);
  if (transfer.has_value()) EndTransfer(absl::UnavailableError(reason));
  reads.Fail(reason);
  index_waiters.Fail(reason, due);
  position_waiters.Fail(reason, due);
  snapshot_waiters.Fail(reason, due);
}

void Driver::State::Settle() {
  unsettled = true;
  if (settling) return;
  settling = true;
  while (unsettled || !due.empty()) {
    unsettled = false;
    if (!stopped) {
      ApplyCommitted();
      NoteTransfer();
      if (leads) Lead();
      FinishRebuildIfWhole();
      if (!caught_up && engine.leader() != BranchId(0) && applied_term == engine.term() &&
          (leads || (commit_to_reach.has_value() && last_applied >= *commit_to_reach))) {
        caught_up = true;
      }
      const LogIndex taken = snapshot.has_value() ? snapshot->index : LogIndex(0);
      snapshot_waiters.Release(taken, due);
      if (last_applied.value - taken.value >= options.snapshot_every_entries ||
          !snapshot_waiters.empty()) {
        TakeSnapshot();
      }
    }
    index_waiters.Release(last_applied, due);
    position_waiters.Release(ledger.position(), due);
    due.Run();
  }
  settling = false;
}

void Driver::State::OnTimer() {
  if (bootstrapping && now_ms >= bootstrap_ask_again_ms) AskWhetherTheBankExists();
  if (now_ms >= EngineDeadlineMs()) {
    if (!leads) {
      // It is about to vote for itself.
      for (const BranchId voter : engine.voters()) {
        if (voter != options.self) ReachTerm(vote_floor, voter, /*disrupt_leader=*/true);
      }
    }
    engine.Timeout(now_ms);
    if (!leads) {
      ++hastened;
      HastenElection();
    }
  }
  proposals.Expire(now_ms);
  member_changes.Expire(now_ms);
  reads.Expire(now_ms);
  index_waiters.Expire(now_ms, due);
  position_waiters.Expire(now_ms, due);
  snapshot_waiters.Expire(now_ms, due);
  if (now_ms >= probe_retry_ms) SendProbes();
  if (transfer.has_value() && now_ms >= transfer->give_up_ms) {
    EndTransfer(absl::UnavailableError("nobody took over in three election timeouts"));
  }
}

// Whoever must not campaign has no election timer.
int64_t Driver::State::EngineDeadlineMs() const {
  return non_voting() || removed ? kNever : engine.deadline_ms();
}

int64_t Driver::State::NextDeadlineMs() const {
  if (stopped) return kNever;
  int64_t next = bootstrapping ? bootstrap_ask_again_ms : EngineDeadlineMs();
  if (transfer.has_value()) next = std::min(next, transfer->give_up_ms);
  return std::min({next, proposals.deadline_ms(), member_changes.deadline_ms(), reads.deadline_ms(),
                   probe_retry_ms, index_waiters.deadline_ms(), position_waiters.deadline_ms(),
                   snapshot_waiters.deadline_ms()});
}

ReplicatorStatus Driver::State::GetStatus() const {
  ReplicatorStatus status;
  const std::vector<BranchId> voters = engine.voters();
  const bool votes = std::find(voters.begin(), voters.end(), options.self) != voters.end();
  switch (engine.state()) {
    case CORE_LEADER:
      status.role = Role::kLeader;
      break;
    case CORE_CANDIDATE:
      status.role = Role::kCandidate;
      break;
    case CORE_FOLLOWER:
      status.role = votes && !rebuilding ? Role::kFollower : Role::kLearner;
      break;
  }
  status.term = engine.term();
  status.leader = engine.leader();
  status.commit_index = std::max(engine.commit_index(), last_applied);
  status.known_commit_index = std::max(status.commit_index, leader_commit);
  status.applied_index = last_applied;
  status.last_index = log.last_index();
  status.snapshot_index = snapshot.has_value() ? snapshot->index : LogIndex(0);
  status.bootstrapping = bootstrapping;
  status.rebuilding = rebuilding;
  status.removed = removed;
  if (removed) {
    status.role = Role::kLearner;
    status.leader = BranchId(0);  // of a bank that this branch does not belong to
  }
  status.ledger = ledger.summary();
  status.checkpoints = checkpoints;
  status.ready = caught_up && !rebuilding && !stopped && status.leader != BranchId(0) &&
                 status.ledger.position > Position(0);
  return status;
}

}  // namespace bank::replication
