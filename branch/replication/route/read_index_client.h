// ReadIndexClient: earns linearizable reads for a branch's customers (raft thesis, section 6.4).
//
// Barriers that arrive together share one question to the leader, "up to where is it committed?",
// and at most one question is under way: what arrives meanwhile goes with the next one, because
// an index is good only for reads that began before it was asked for. A barrier completes when the
// local ledger has applied the index.
// Threads: all members from any thread; callbacks run on the thread that brought the news.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "branch/replication/replicator.h"
#include "branch/replication/route/leader_transport.h"
#include "common/clock.h"
#include "common/ids.h"

namespace bank::replication {

class ReadIndexClient {
 public:
  static constexpr size_t kBarriersMax = 100'000;  // waiting ones; above that: Unavailable

  // Clock and route must outlive it.
  ReadIndexClient(const Clock& clock, LeaderTransport& transport);

  // As Replicator::ReadBarrier.
  void Enter(int64_t deadline_ns, Replicator::ReadCallback done);

  // Who leads now (0: unknown) and what the local ledger holds.
  void OnStatus(BranchId leader, LogIndex applied);

  void OnTimer(int64_t now_ns);
  int64_t NextDeadlineNs() const { return next_deadline_ns_.load(std::memory_order_relaxed); }

  // Completes everything with Unavailable; later barriers too. Idempotent.
  void Stop();

 private:
  struct Barrier {
    int64_t deadline_ns;
    Replicator::ReadCallback done;
  };
  struct Confirmed {
    LogIndex index;
    std::vector<Barrier> barriers;
  };
  struct Outgoing {
    uint64_t id = 0;  // 0: nothing to send
    BranchId leader;
    ForwardRequest request;
  };

  Outgoing TakeLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendOutside(Outgoing outgoing) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnResult(uint64_t id, const ForwardResult& result) ABSL_LOCKS_EXCLUDED(mutex_);
  // The barriers under way have to be asked for again.
  void RequeueLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Run(std::vector<Barrier> barriers, const absl::Status& status);

  const Clock& clock_;
  LeaderTransport& transport_;
  std::atomic<int64_t> next_deadline_ns_{INT64_MAX};  // a lower bound

  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  BranchId leader_ ABSL_GUARDED_BY(mutex_);
  LogIndex applied_ ABSL_GUARDED_BY(mutex_);
  std::vector<Barrier> waiting_ ABSL_GUARDED_BY(mutex_);
  std::vector<Barrier> asked_ ABSL_GUARDED_BY(mutex_);
  uint64_t asked_id_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: no question is under way
  BranchId asked_leader_ ABSL_GUARDED_BY(mutex_);
  std::vector<Confirmed> confirmed_ ABSL_GUARDED_BY(mutex_);  // wait for the local ledger
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  int64_t paused_until_ns_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: not paused
  RetryPause pause_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bank::replication
