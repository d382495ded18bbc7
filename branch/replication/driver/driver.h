// Driver: one branch's part in the bank's order; the engine's core, the log in memory and the
// ledger.
//
// Single-threaded and without I/O of its own: every input is a call, every effect goes through
// DriverPorts. The same code runs in a branch (replica.h gives it a thread, a disk and a network)
// and in the simulation (tests/sim gives it a seed). Time is milliseconds of a steady clock, given
// with each call, never decreasing.
//
// Safety rules it keeps (docs/DECISIONS.md has the reasons):
//   - term and vote are durable before any message of the same or a later step is sent;
//   - a follower's success answer is sent only after its entries are durable;
//   - an outcome is reported only when its entry is committed and applied;
//   - a branch that may have lost what it acknowledged neither votes nor confirms reads;
//   - a read is served only at or above an index that a quorum confirmed after the read began.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "branch/ledger/ledger.h"
#include "branch/replication/engine/message.h"
#include "branch/replication/member.h"
#include "branch/replication/replicator.h"
#include "branch/replication/types.h"
#include "branch/storage/entry.h"
#include "common/ids.h"

namespace bank::replication {

// A snapshot that is yet to be encoded.
struct SnapshotDraft {
  LogIndex index;
  Term term;
  LogIndex configuration_index;
  std::string configuration;
  ledger::FrozenLedger ledger;  // as of `index`

  storage::Snapshot Encode() const {
    return {index, term, configuration_index, configuration,
            std::make_shared<const std::string>(ledger.Encode())};
  }
};

// What the driver asks of the world. None of these may call back into the driver.
class DriverPorts {
 public:
  virtual ~DriverPorts() = default;

  virtual void Send(BranchId to, Message message) = 0;

  // Durable when it returns; a failure stops the process before anything is said.
  virtual void WriteHardState(const storage::HardState& state) = 0;

  // Likewise: from the next start on Recovered::rebuilding is true (until FinishRebuild).
  virtual void WriteRebuilding() = 0;

  // Encodes the snapshot and writes it, durably and beside everything that the disk does in order
  // (storage's PrepareSnapshot), then answers by OnSnapshotPrepared. May take long. One at a time.
  virtual void QueuePrepareSnapshot(SnapshotDraft draft) = 0;

  // The disk works strictly in the order of these calls and answers each by a call of the driver:
  // OnAppended, OnSnapshotSaved, OnSnapshotInstalled. TrimPrefix and FinishRebuild are not
  // answered.
  virtual void QueueAppend(LogIndex first, std::vector<storage::Entry> entries) = 0;
  virtual void QueueSaveSnapshot(LogIndex index) = 0;  // the one that was prepared last
  virtual void QueueInstallSnapshot(storage::Snapshot snapshot) = 0;
  virtual void QueueTrimPrefix(LogIndex first) = 0;
  virtual void QueueFinishRebuild(Term vote_floor) = 0;

  // The ledger is changed only between these two (the branch takes its writer lock).
  virtual void BeginApply() = 0;
  virtual void EndApply() = 0;

  // A message of `from` cannot be true and was not looked at further: `reason`, one line.
  virtual void OnRefused(BranchId from, const char* reason) = 0;

  // This branch is no member any more, or is one again: `witness` said so, itself if its own log
  // does.
  virtual void OnRemoved(bool removed, BranchId witness) = 0;

  // This branch must not go on: it has lost what it acknowledged. A process says so and ends with a
  // failure; should this return (a simulation), the driver is not used any more.
  virtual void Fatal(const std::string& reason) = 0;
};

class Driver {
 public:
  // The ports must outlive the driver.
  Driver(DriverOptions options, DriverPorts& ports);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // Restores the ledger and starts the engine. DataLoss if the snapshot cannot be restored;
  // FailedPrecondition if the log does not belong to these initial members.
  absl::Status Start(int64_t now_ms, storage::Recovered recovered);

  // What a bootstrap branch writes before its first Start: term 1 and the configuration as entry 1,
  // byte for byte the same on all branches.
  static storage::Recovered Bootstrap(const DriverOptions& options);

  // Inputs.
  void OnMessage(int64_t now_ms, BranchId from, Message message);
  void OnAppended(int64_t now_ms, LogIndex first, const std::vector<storage::Entry>& entries);
  void OnSnapshotPrepared(int64_t now_ms, storage::Snapshot snapshot);
  void OnSnapshotSaved(int64_t now_ms, LogIndex index);
  void OnSnapshotInstalled(int64_t now_ms, LogIndex index);
  void OnTimer(int64_t now_ms);  // at or after NextDeadlineMs()
  // The connection over which `from` sends has ended. Never needed, and harmless where it is not
  // true that `from` is gone: if `from` leads, an election begins sooner.
  void OnConnectionLost(int64_t now_ms, BranchId from);

  // Leader only; anywhere else they complete at once with kNotApplied / Unavailable. `deadline_ms`
  // is when the caller stops waiting: kUnknown, or DeadlineExceeded.
  void Propose(int64_t now_ms, std::string batch, uint64_t count, int64_t deadline_ms,
               Replicator::ProposeCallback done);
  // Gives the engine's commit index, confirmed by a quorum (raft thesis, section 6.4).
  void ReadIndex(int64_t now_ms, int64_t deadline_ms, ReadIndexCallback done);

  // Anywhere: completes when the ledger holds the entry at `index`, or every write up to
  // `position`.
  void WaitApplied(int64_t now_ms, LogIndex index, int64_t deadline_ms,
                   Replicator::ReadCallback done);
  void WaitPosition(int64_t now_ms, Position position, int64_t deadline_ms,
                    Replicator::ReadCallback done);

  void TakeSnapshot(int64_t now_ms);  // also done by itself every snapshot_every_entries
  // Likewise; completes when a snapshot of all that was applied before the call is durable.
  // FailedPrecondition if nothing was; DeadlineExceeded, Unavailable: it may still be taken.
  void TakeSnapshot(int64_t now_ms, int64_t deadline_ms, Replicator::ReadCallback done);
  // Leader only. Hands leadership to `to` (0: whoever has most of the log); proposals wait
  // meanwhile. Completes with OK when another branch leads. FailedPrecondition, InvalidArgument:
  // not begun. Aborted: this branch leads again. Unavailable: nobody took over in three election
  // timeouts.
  void TransferLeadership(int64_t now_ms, BranchId to, Replicator::ReadCallback done);

  // Leader only, one at a time; anywhere else refused at once, as is what can never be. Whatever
  // else stands against it (a voter that does not answer, a transfer, a change before it) is waited
  // for until `deadline_ms`; then it is refused with that reason. kUnknown when this branch ceases
  // to lead, or the time is up, while the change is in the log.
  //
  // A branch that joins starts with an empty folder and is sent everything; it abstains from votes
  // until it holds all that was committed. A leader that is removed or made a standby steps down.
  void ChangeMember(int64_t now_ms, MemberChange change, int64_t deadline_ms, ChangeCallback done);
  Membership GetMembership() const;

  // Completes everything that waits: proposals in the log kUnknown, others kNotApplied, reads
  // Unavailable. Afterwards every input is ignored. Without it the callbacks are destroyed
  // uncalled.
  void Stop(const std::string& reason);

  // The earliest time at which OnTimer() has something to do.
  int64_t NextDeadlineMs() const;

  const ledger::Ledger& ledger() const;
  ReplicatorStatus GetStatus() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bank::replication
