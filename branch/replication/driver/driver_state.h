// What a driver is made of. Its members live in one file per noun:
//   driver.cc            public calls, start, the order in which consequences are settled
//   driver_messages.cc   what other branches say, and what is said to them
//   driver_refusals.cc   what no branch can say, whatever it claims to be
//   driver_challenge.cc  what is believed only when its speaker says it again
//   driver_apply.cc      committed entries to the ledger; the leader's duties
//   driver_snapshots.cc  snapshots taken, sent and installed
//   driver_rebuild.cc    a branch that has lost what it acknowledged
//   driver_bootstrap.cc  a branch that cannot know whether it has
//   driver_suspicion.cc  a leader whose connection broke
//   driver_transfer.cc   leadership handed over
//   driver_membership.cc the membership, changed and known
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "branch/ledger/ledger.h"
#include "branch/replication/driver/completions.h"
#include "branch/replication/driver/driver.h"
#include "branch/replication/driver/log.h"
#include "branch/replication/driver/member_changes.h"
#include "branch/replication/driver/proposals.h"
#include "branch/replication/driver/read_index.h"
#include "branch/replication/driver/waiters.h"
#include "branch/replication/engine/engine.h"

namespace bank::replication {

struct Driver::State final : EngineEvents {
  State(DriverOptions driver_options, DriverPorts& driver_ports)
      : options(std::move(driver_options)),
        ports(driver_ports),
        engine(options, *this),
        ledger(options.ledger_limits) {}

  // ---- driver.cc
  absl::Status Start(storage::Recovered recovered);
  // For what the driver adds to a guard of core.c.
  bool Guarded(unsigned number) const {
    return (options.engine_guards_off & CORE_GUARD(number)) == 0;
  }
  // Notes the time. False if the driver stopped: then nothing is done.
  bool Enter(int64_t time_ms);
  void Stop(const std::string& reason);
  // Draws every consequence of what just happened, then runs the callbacks that are due. Called at
  // the end of each public call; a callback that calls the driver again only adds to the work.
  void Settle();
  void OnTimer();
  int64_t EngineDeadlineMs() const;
  int64_t NextDeadlineMs() const;
  ReplicatorStatus GetStatus() const;

  // ---- driver_messages.cc
  void OnMessage(BranchId from, Message& message);
  void OnAppended(LogIndex first, const std::vector<storage::Entry>& entries);
  void OnHardState(const storage::HardState& state) override;
  void OnEntries(LogIndex index, std::vector<storage::Entry> entries) override;
  void OnSend(const core_message& message) override;
  void SendAppendEntries(BranchId to, const core_message& message);
  void OnStateChange() override;
  const storage::Entry* FindEntry(LogIndex index) const override { return log.Find(index); }

  // ---- driver_refusals.cc
  bool Refuses(BranchId from, const Message& message);
  bool IsTooFar(Term term) const;
  bool Contradicts(LogIndex index, Term term) const;
  bool Contradicts(const Message& message) const;

  // ---- driver_challenge.cc
  void AskBack(BranchId from);
  void Doubt(BranchId from, const ChallengeResult& said);
  void OnChallenge(BranchId from, const Challenge& challenge);
  bool IsAsked(BranchId from, const ChallengeResult& answer) const;
  void OnChallengeResult(BranchId from, const ChallengeResult& answer);
  bool IsSaidBy(BranchId from, const AppendEntriesResult& result);
  void Believe(BranchId from, const ChallengeResult& said);

  // ---- driver_apply.cc
  void ApplyCommitted();
  void ApplyEntry(LogIndex index, const storage::Entry& entry);
  void NoteCheckpoint();
  void Lead();
  void SubmitProposals();
  void TellCommit();
  void StartReadRound();
  void SendProbes();
  Term LastTerm() const;

  // ---- driver_snapshots.cc
  void TakeSnapshot();
  void OnSnapshotPrepared(storage::Snapshot prepared);
  void OnSnapshotSaved(LogIndex index);
  void OnSnapshotInstalled(LogIndex index);
  void OnInstallSnapshot(BranchId from, const InstallSnapshot& message, const Message& whole);
  void OnSnapshot() override;

  // ---- driver_rebuild.cc
  void SuspectLostLog(BranchId from, const AppendEntriesResult& result);
  void OnLostLog(BranchId from, const LostLog& message);
  bool IsBehind(BranchId leader, Term term, LogIndex acknowledged) const;
  void GiveUpIfBehind(BranchId leader, const ChallengeResult& said);
  void ReportLostLog(BranchId leader);
  void FinishRebuildIfWhole();
  void ReachTerm(Term term, BranchId witness, bool disrupt_leader);

  // ---- driver_membership.cc
  ChangeFacts GatherChangeFacts() const;
  void DriveMemberChange();
  void OnMembersCommitted();
  bool IsGone(BranchId id) const;
  void TellIfNoMember(BranchId from);
  bool OutdatesMembership(LogIndex no_member_since) const;
  void SetRemoved(bool now_removed, BranchId witness);
  Membership GetMembership() const;

  // ---- driver_suspicion.cc
  void OnConnectionLost(BranchId from);
  bool SuspectsLeader() const;
  void HastenElection();

  // ---- driver_transfer.cc
  absl::StatusOr<BranchId> ChooseTransferTarget(BranchId asked) const;
  void BeginTransfer(BranchId to, Replicator::ReadCallback done);
  void DriveTransfer();
  void NoteTransfer();
  void EndTransfer(absl::Status status);

  // ---- driver_bootstrap.cc
  bool HoldsNothing(const storage::Recovered& recovered) const;
  bool IsVoter(BranchId id) const;
  size_t VoterCount() const;
  void AskWhetherTheBankExists();
  void NoteWhetherTheBankExists(BranchId from, const ChallengeResult& said);
  void FindWiped();
  // Neither votes nor campaigns nor confirms reads.
  bool non_voting() const { return rebuilding || bootstrapping; }

  const DriverOptions options;
  DriverPorts& ports;
  int64_t now_ms = 0;
  bool started = false;
  bool stopped = false;
  bool settling = false;
  bool unsettled = false;

  Engine engine;
  Log log;
  uint64_t appends_in_flight = 0;

  ledger::Ledger ledger;
  LogIndex last_applied;
  Term applied_term;       // of the entry at last_applied
  LogIndex leader_commit;  // as the leader told last
  std::shared_ptr<const std::vector<Checkpoint>> checkpoints;
  std::vector<ledger::Outcome> outcomes;
  // The membership as of last_applied.
  LogIndex configuration_index;
  std::string configuration;
  std::vector<Member> committed_members;  // as that says
  bool removed = false;                   // this branch is none of them any more

  std::optional<storage::Snapshot> snapshot;  // the newest durable one
  std::optional<LogIndex> preparing;          // index of the one being encoded and written
  std::optional<storage::Snapshot> taking;    // written, on its way to be the newest
  struct Installing {
    storage::Snapshot snapshot;
    ledger::Ledger ledger;  // already decoded from it
  };
  std::optional<Installing> offered;     // by the message being handled
  std::optional<Installing> installing;  // on its way to the disk

  // The leader's.
  bool leads = false;
  bool leader_ready = false;       // has applied an entry of its own term
  int64_t lead_start_ms = 0;       // when leader_ready became true,
  int64_t lead_start_bank_ms = 0;  // and the bank's time then
  int64_t probe_retry_ms = kNever;
  std::map<BranchId, LogIndex> commit_told;  // the newest commit index sent to each follower
  std::map<BranchId, int64_t> heard_ms;      // when each follower answered last
  uint8_t append_version = 0;                // of the engine's own AppendEntries
  std::map<BranchId, int> suspicions;        // rejections of what was acknowledged, in a row

  BranchId suspect;       // the leader that is believed to be gone; 0: none is
  uint32_t hastened = 0;  // elections of this branch's own since then

  // From its begin, at the leader, until somebody leads in another term.
  struct Transfer {
    BranchId to;
    Term term;
    int64_t give_up_ms;
    Replicator::ReadCallback done;
    bool begun = false;  // the engine took it up once
  };
  std::optional<Transfer> transfer;

  // Readiness: the first leader's commit index since the start was applied once.
  std::optional<LogIndex> commit_to_reach;
  bool caught_up = false;

  bool bootstrapping = false;  // asks whether the bank exists
  int64_t bootstrap_ask_again_ms = 0;
  std::set<BranchId> hold_nothing;  // the voters that said so,
  std::set<BranchId> lost_theirs;   // or that
  bool rebuilding = false;
  Term vote_floor;
  Term lost_log_term;  // the newest in which the loss was reported
  int64_t lost_log_again_ms = 0;

  // To those in whose name something was said that is not believed unasked.
  struct Question {
    uint64_t nonce = 0;  // 0: it is answered
    int64_t asked_ms = 0;
  };
  std::map<BranchId, Question> questions;
  std::map<BranchId, uint64_t> lives;  // of the others' processes, as they answered last
  std::map<BranchId, AppendEntriesResult> unconfirmed;  // the newest of a life that is not known
  std::mt19937_64 random{options.seed};
  const uint64_t life = 1 + random() % kNonceMax;

  Completions due;
  Proposals proposals{options, due};
  MemberChanges member_changes{due};
  ReadIndexRounds reads{due};
  Waiters<LogIndex> index_waiters;
  Waiters<Position> position_waiters;
  Waiters<LogIndex> snapshot_waiters;  // by what the snapshot has to contain
};

}  // namespace bank::replication
