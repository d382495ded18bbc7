// LamportReplicator: the bank's order by logical clocks, behind the replicator's seam. The core
// (core.h) decides; here are the lock, the deadlines and the exchanges.
//
// All branches have to be up: while one does not answer, writes wait, and end as kUnknown at their
// deadline. Nothing is on disk. No lock is held while anything is called, and nothing here waits.
//
// Construction, Start(), use, Stop(), the transport's own end, destruction. OnRequest() may be
// called from construction on.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "branch/replication/lamport/core.h"
#include "branch/replication/lamport/runtime/transport.h"
#include "branch/replication/metrics.h"
#include "branch/replication/replica_admin.h"
#include "branch/replication/replicator.h"
#include "common/clock.h"
#include "net/task_queue.h"

namespace bank::replication::lamport {

class LamportReplicator final : public Replicator, public ReplicaAdmin {
 public:
  // The references must outlive it.
  LamportReplicator(CoreOptions options, const Clock& clock, Transport& transport);
  ~LamportReplicator() override;

  // Before Start(): `observe` gets the status whenever something has changed. On any thread,
  // without a lock.
  void Observe(absl::AnyInvocable<void(const ReplicatorStatus&)> observe) {
    observe_ = std::move(observe);
  }
  void Start();
  // Completes all that is open. Idempotent; not from a callback. Query() and GetStatus() go on
  // working.
  void Stop();

  // Another branch's. Any thread.
  Reply OnRequest(Request request);

  // Replicator.
  void Propose(std::string batch, uint64_t count, int64_t deadline_ns,
               ProposeCallback done) override;
  void ProposeAt(uint64_t clock, std::string batch, uint64_t count, int64_t deadline_ns,
                 ProposeCallback done) override;
  void ReadBarrier(int64_t deadline_ns, ReadCallback done) override;
  void WaitApplied(Position position, int64_t deadline_ns, ReadCallback done) override;
  ledger::Outcome Query(std::string_view account) const override;
  ReplicatorStatus GetStatus() const override;

  // ReplicaAdmin. There is nothing on disk, and nobody leads: Unimplemented, with what to do
  // instead.
  void TakeSnapshot(int64_t deadline_ns, Done done) override;
  void TransferLeadership(BranchId to, Done done) override;
  std::string_view replicator_name() const override { return "lamport"; }
  void ReadLedger(absl::FunctionRef<void(const ledger::Ledger&)> read) const override;

  // Completes with OK when the timers' thread has come round.
  void Ping(int64_t deadline_ns, ReadCallback done);

  const ReplicationMetrics& metrics() const { return metrics_; }

  // The exercise's events at this branch after that number, at most `limit`.
  std::vector<ClockEvent> EventsAfter(uint64_t number, size_t limit) const;

 private:
  struct Open {
    int64_t deadline_ns = 0;
    ProposeCallback done;
  };
  struct Waiting {
    Stamp target;       // of a barrier
    Position position;  // of WaitApplied
    int64_t deadline_ns = 0;
    ReadCallback done;
  };
  // What is to be done when the lock is free.
  struct Due {
    std::vector<std::pair<ProposeCallback, ProposeResult>> proposals;
    std::vector<std::pair<ReadCallback, absl::Status>> reads;
    std::vector<std::pair<BranchId, Request>> requests;
    bool applied = false;
  };

  // Collects what has become due, and what there is to say to the others.
  Due StepLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ExpireLocked(int64_t now_ns, Due* due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool NeedsTickLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  ReplicatorStatus StatusLocked() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void Run(Due due);
  void OnDone(BranchId from, absl::StatusOr<Reply> reply);
  void Wait(Waiting waiting);
  void Tick();

  const CoreOptions options_;
  const Clock& clock_;
  Transport& transport_;
  absl::AnyInvocable<void(const ReplicatorStatus&)> observe_;

  ReplicationMetrics metrics_;
  mutable absl::Mutex mutex_;
  Core core_ ABSL_GUARDED_BY(mutex_);
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool ticking_ ABSL_GUARDED_BY(mutex_) = false;
  LogIndex observed_ ABSL_GUARDED_BY(mutex_);
  bool observed_joined_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<uint64_t, Open> open_ ABSL_GUARDED_BY(mutex_);  // by the core's number
  std::vector<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  std::map<BranchId, int64_t> silent_until_ns_
      ABSL_GUARDED_BY(mutex_);  // who is left alone for a while
  net::TaskQueue timer_;        // last: it uses all of the above
};

}  // namespace bank::replication::lamport
