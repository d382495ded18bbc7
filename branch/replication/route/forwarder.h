// Forwarder: gathers the proposals of a branch's customers and brings them to the leader.
//
// While a call is under way, what arrives only gathers, under one mutex and without waking any
// thread; whoever brings the answer sends the next call, and then completes the answered
// proposals. So the more there is to do, the larger the calls become.
//
// The same commands are sent again, with the same keys, after a certain refusal, a broken
// connection or a change of leader, until their deadline. What is known then decides:
//   kNotApplied  never sent, or each attempt certainly refused
//   kUnknown     some attempt may have come through; also when a later one is answered "unknown
//                session" or "forgotten", which is certain of that attempt alone
// Threads: all members from any thread; callbacks run on the thread that brought the answer, or
// the one that calls OnTimer() or Stop().
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "branch/replication/replicator.h"
#include "branch/replication/route/leader_transport.h"
#include "common/clock.h"
#include "common/ids.h"

namespace bank::replication {

struct ForwarderOptions {
  size_t calls_max = 2;  // under way at a time
  // A further call has to be worth its way: at least this many commands, and half as many as are
  // under way. Fewer wait for the answer of the first, and travel together.
  uint64_t further_call_commands_min = 256;
  // A call much smaller than the one before it waits this long for company: the answers of that one
  // have just set its customers free. 0: never waits. A lone customer never waits.
  int64_t linger_ns = 2'000'000;
  uint64_t call_commands_max = 8192;         // in one call; one larger batch travels alone
  uint64_t call_bytes_max = 1 << 20;         // likewise
  uint64_t waiting_bytes_max = 64ull << 20;  // above that Propose answers not_applied
};

class Forwarder {
 public:
  // Clock and route must outlive it.
  Forwarder(const ForwarderOptions& options, const Clock& clock, LeaderTransport& transport);

  // As Replicator::Propose.
  void Propose(std::string batch, uint64_t count, int64_t deadline_ns,
               Replicator::ProposeCallback done);

  // Who leads now; 0: unknown. Calls to another leader than the new one count as lost.
  void OnLeader(BranchId leader);

  void OnTimer(int64_t now_ns);
  int64_t NextDeadlineNs() const { return next_deadline_ns_.load(std::memory_order_relaxed); }

  // Completes everything; later proposals are refused. Idempotent.
  void Stop();

 private:
  struct Op {
    std::string batch;
    uint64_t count;
    int64_t deadline_ns;
    bool unsure;                       // an earlier attempt may have come through
    Replicator::ProposeCallback done;  // empty once completed: its deadline passed under way
  };
  struct Call {
    uint64_t id;
    BranchId leader;
    uint64_t count;
    std::vector<Op> ops;
  };
  struct Outgoing {
    uint64_t id = 0;  // 0: nothing to send
    BranchId leader;
    ForwardRequest request;
    bool more = false;            // not everything fitted
    int64_t wake_ns = INT64_MAX;  // the timer has to run by then
  };
  struct Completion {
    Replicator::ProposeCallback done;
    ProposeResult result;
  };
  using Completions = std::vector<Completion>;

  Outgoing TakeLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MaySendLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendOutside(Outgoing outgoing) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnResult(uint64_t id, ForwardResult result) ABSL_LOCKS_EXCLUDED(mutex_);
  void RequeueLocked(std::vector<Op> ops, bool unsure) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PauseLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Cut(std::vector<Op> ops, std::vector<ledger::Outcome> outcomes, Completions* out);
  static void Run(Completions completions);

  const ForwarderOptions options_;
  const Clock& clock_;
  LeaderTransport& transport_;
  // A lower bound of all deadlines and of the ends of the pause and of the wait for company.
  std::atomic<int64_t> next_deadline_ns_{INT64_MAX};

  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  BranchId leader_ ABSL_GUARDED_BY(mutex_);
  std::vector<Op> waiting_ ABSL_GUARDED_BY(mutex_);  // in the order in which they will be sent
  uint64_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t waiting_count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Call> calls_ ABSL_GUARDED_BY(mutex_);
  uint64_t calls_count_ ABSL_GUARDED_BY(mutex_) = 0;     // commands under way
  uint64_t last_count_ ABSL_GUARDED_BY(mutex_) = 0;      // commands of the call answered last
  int64_t linger_until_ns_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: nothing waits for company
  uint64_t next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  int64_t paused_until_ns_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: not paused
  RetryPause pause_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bank::replication
