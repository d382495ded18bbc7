// Replica: gives a branch's driver its thread, its disk and its clock (the ports of a real branch).
//
// One thread owns the Driver. Whatever happens elsewhere is put into one inbox; the thread takes
// all of it at a time, lets the driver work, publishes the new status, and only then runs the
// completions of that round: outside of the ledger's lock, and after the next entry is on its way.
//
// Waking the thread costs more than most of its work. A proposal wakes it only if none of the
// proposals before it is still open: an open one wakes it by being committed, and then everything
// that has gathered goes into the next entry.
//
// Errors of the disk, and a log that lost what it acknowledged: `on_fatal` is called once with the
// reason; from then on nothing is sent, written or completed, except that Stop() answers what is
// open with "unknown".
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "branch/replication/driver/driver.h"
#include "branch/replication/metrics.h"
#include "branch/replication/replicator.h"
#include "branch/replication/route/peers.h"
#include "branch/replication/route/proposal_router.h"
#include "branch/replication/runtime/disk_queue.h"
#include "branch/replication/runtime/snapshot_writer.h"
#include "branch/storage/storage.h"
#include "common/clock.h"

namespace bank::replication {

using FatalHandler = std::function<void(const absl::Status&)>;
using StatusObserver = std::function<void(const ReplicatorStatus&)>;

class Replica final : public LocalReplica, private DriverPorts {
 public:
  // All references must outlive the loop.
  Replica(const DriverOptions& options, storage::Storage& storage, const Clock& clock, Peers& peers,
          ProposalRouter& router, FatalHandler on_fatal);
  // Stops.
  ~Replica() override;
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  // `observe` is called on the loop's thread whenever anything of a status but its indexes and
  // digests has changed, or a snapshot was taken; it must not block. Before Start().
  void Observe(StatusObserver observe) { observe_ = std::move(observe); }

  // Starts the driver and then the thread. Errors as Driver::Start().
  absl::Status Start(storage::Recovered recovered);

  // Ends the thread, then lets the disk finish, then completes everything that is still open, on
  // the caller's thread: proposals with kUnknown (kNotApplied if they are in no log), reads with
  // Unavailable. Query() and GetStatus() go on working. Idempotent; not from a callback.
  void Stop();

  // Thread-safe inputs. Meaning as in driver.h; completions run on the loop's thread.
  void OnMessage(BranchId from, Message message);
  void OnConnectionLost(BranchId from);
  void Propose(std::string batch, uint64_t count, int64_t deadline_ms,
               Replicator::ProposeCallback done) override;
  void ReadIndex(int64_t deadline_ms, ReadIndexCallback done) override;
  void WaitPosition(Position position, int64_t deadline_ms, Replicator::ReadCallback done);
  void TakeSnapshot(int64_t deadline_ms, Replicator::ReadCallback done);
  void TransferLeadership(BranchId to, Replicator::ReadCallback done);

  // What the loop and its disk count; thread-safe.
  const ReplicationMetrics& metrics() const { return metrics_; }

  // Cheap.
  void WakeBy(int64_t deadline_ns) override;
  BranchId leader() const override { return GetStatus().leader; }

  // Thread-safe, under the ledger's reader lock.
  ledger::Outcome Query(std::string_view account) const;

  // Shows `read` the ledger, under its reader lock: nothing is applied meanwhile, so be quick.
  void ReadLedger(absl::FunctionRef<void(const ledger::Ledger&)> read) const;

  // As published after the last round; thread-safe.
  ReplicatorStatus GetStatus() const;

 private:
  struct InMessage {
    BranchId from;
    Message message;
  };
  struct InLost {
    BranchId from;
  };
  struct InDurable {
    std::vector<DiskJob> jobs;
  };
  struct InPrepared {
    storage::Snapshot snapshot;
  };
  struct InProposal {
    std::string batch;
    uint64_t count;
    int64_t deadline_ms;
    Replicator::ProposeCallback done;
  };
  struct InReadIndex {
    int64_t deadline_ms;
    ReadIndexCallback done;
  };
  struct InWait {
    Position position;
    int64_t deadline_ms;
    Replicator::ReadCallback done;
  };
  struct InSnapshot {
    int64_t deadline_ms;
    Replicator::ReadCallback done;
  };
  struct InTransfer {
    BranchId to;
    Replicator::ReadCallback done;
  };
  using Input = std::variant<InMessage, InLost, InDurable, InPrepared, InProposal, InReadIndex,
                             InWait, InSnapshot, InTransfer>;

  struct ProposalDone {
    Replicator::ProposeCallback done;
    ProposeResult result;
  };
  template <class Done, class Result>
  struct ReadDone {
    Done done;
    Result result;
  };
  using IndexDone = ReadDone<ReadIndexCallback, absl::StatusOr<LogIndex>>;
  using StatusDone = ReadDone<Replicator::ReadCallback, absl::Status>;
  using Completion = std::variant<ProposalDone, IndexDone, StatusDone>;

  enum class Wake { kNow, kUnlessOpen };
  void Put(Input input, Wake wake);
  void Run();
  // True if the thread has to look at its inbox, or to end.
  bool Due() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(inbox_mutex_) { return stopping_ || wake_; }
  void Handle(int64_t now_ms, Input input);
  // What the driver calls in a round is called after it.
  Replicator::ReadCallback Later(Replicator::ReadCallback done);
  static void Refuse(Input input);
  void Publish();
  void NoteSnapshot();
  void RunCompletions();
  void Fail(const absl::Status& status);

  // DriverPorts, on the loop's thread.
  void Send(BranchId to, Message message) override;
  void WriteHardState(const storage::HardState& state) override;
  void WriteRebuilding() override;
  void QueueAppend(LogIndex first, std::vector<storage::Entry> entries) override;
  void QueuePrepareSnapshot(SnapshotDraft draft) override;
  void QueueSaveSnapshot(LogIndex index) override;
  void QueueInstallSnapshot(storage::Snapshot snapshot) override;
  void QueueTrimPrefix(LogIndex first) override;
  void QueueFinishRebuild(Term vote_floor) override;
  void OnRefused(BranchId from, const char* reason) override;
  void BeginApply() override ABSL_NO_THREAD_SAFETY_ANALYSIS;
  void EndApply() override ABSL_NO_THREAD_SAFETY_ANALYSIS;
  void OnRemoved(bool removed, BranchId witness) override;
  void Fatal(const std::string& reason) override;

  const BranchId self_;
  storage::Storage& storage_;
  const Clock& clock_;
  Peers& peers_;
  ProposalRouter& router_;
  FatalHandler on_fatal_;
  StatusObserver observe_;
  std::atomic<bool> failed_{false};

  mutable absl::Mutex inbox_mutex_;
  std::vector<Input> inbox_ ABSL_GUARDED_BY(inbox_mutex_);
  bool wake_ ABSL_GUARDED_BY(inbox_mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(inbox_mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(inbox_mutex_) = false;  // inputs are refused at once
  int64_t armed_ns_ ABSL_GUARDED_BY(inbox_mutex_) = 0;  // when the sleeping thread will wake
  // Its proposals_open are those in the driver that are not completed, changed by the loop's
  // thread only: Put() decides by them.
  ReplicationMetrics metrics_;
  Term counted_term_;  // of the last election that was counted; of the loop's thread

  mutable absl::Mutex ledger_mutex_;  // guards driver_->ledger(): written by the loop's thread

  mutable absl::Mutex status_mutex_;
  ReplicatorStatus status_ ABSL_GUARDED_BY(status_mutex_);

  std::vector<Completion> completions_;  // of the loop's thread
  int64_t refusal_logged_ns_ = 0;        // the newest; of the loop's thread
  std::unique_ptr<DiskQueue> disk_;
  std::unique_ptr<SnapshotWriter> writer_;
  std::unique_ptr<Driver> driver_;
  std::thread thread_;
};

}  // namespace bank::replication
