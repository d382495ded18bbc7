// Teller: the rules of answering a customer. No gRPC and no consensus: it stands between the two.
//
// Every call completes exactly once, with what is known:
//   applied      `outcome` is the ledger's answer, at its place in the order; it may be a refusal
//   not_applied  certain: it changed nothing and never will by this call
//   unknown      time ran out; it may still be applied. Retry with the same key, or Lookup() it
//   unavailable  a query could not be answered in time; queries change nothing
// A write without a key gets one from the branch's own session, so that retries inside the bank are
// harmless; that session is opened on first need and again should it expire. No customer can name
// it. Should a key of it be used by somebody else all the same, the session is given up, and the
// write is made again under a new key if it certainly had no effect (own_write.h).
//
// Thread-safe; never blocks. Callbacks run on the caller's or a replicator's thread, must not block
// and may call back. Deadlines are on the steady Clock, in nanoseconds. The replicator must have
// completed all its callbacks before the teller is destroyed.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "branch/replication/replicator.h"
#include "branch/teller/branch_session.h"
#include "branch/teller/operations.h"
#include "common/clock.h"
#include "common/entropy.h"

namespace bank::teller {

enum class Fate { kApplied, kNotApplied, kUnknown, kUnavailable };

struct TellerReply {
  Fate fate = Fate::kUnknown;
  ledger::Outcome outcome;  // if kApplied
  std::string reason{};     // one line, if not kApplied
  // The write's key; 0 if it never had one. One of the branch's own is of no use outside. For
  // OpenSession(): the session.
  SessionId session{};
  uint64_t sequence = 0;
  uint64_t clock = 0;  // as ProposeResult::clock
};

struct BatchReply {
  Fate fate = Fate::kUnknown;               // of the whole batch
  std::vector<ledger::Outcome> outcomes{};  // one per operation if kApplied, else empty
  std::string reason{};
  SessionId session{};
  uint64_t first_sequence = 0;
  uint64_t clock = 0;
};

struct TellerOptions {
  // The ledger's Limits::session_window_max. Writes without a key wait while this many are
  // unanswered; a larger batch of them is not_applied.
  uint64_t session_window_max = ledger::Limits{}.session_window_max;
  // Operations that may wait so; beyond that: not_applied. One that waits longer than its deadline
  // is not_applied at the next arrival or completion.
  uint64_t waiting_operations_max = 100'000;
};

class Teller {
 public:
  using ReplyCallback = absl::AnyInvocable<void(TellerReply)>;
  using BatchCallback = absl::AnyInvocable<void(BatchReply)>;

  // All must outlive the teller.
  Teller(TellerOptions options, replication::Replicator& replicator, const Clock& clock,
         Entropy& entropy);
  ~Teller();
  Teller(const Teller&) = delete;
  Teller& operator=(const Teller&) = delete;

  // A key that CheckKey() refuses is answered so at position 0; a batch's, for every operation.
  void Execute(const Operation& operation, int64_t deadline_ns, ReplyCallback done);

  // All of it at one place in the order, contiguous; queries read in between. Only queries: read
  // after one barrier, nothing is written. not_applied if columns do not fit together or a kind is
  // unknown.
  void ExecuteBatch(const Batch& batch, int64_t deadline_ns, BatchCallback done);

  // `owner`: who will have to answer for it, should too many be open. A refusal is not_applied.
  void OpenSession(SessionOwner owner, int64_t deadline_ns, ReplyCallback done);

  // Decides for all time what became of a key (ledger::Kind::kResolve).
  void Lookup(SessionId session, uint64_t sequence, int64_t deadline_ns, ReplyCallback done);

  // Calls that found a key of the branch's own session used by somebody else. Any but 0 is an
  // alarm.
  uint64_t own_key_conflicts() const { return own_key_conflicts_.load(std::memory_order_relaxed); }

  // How many sequences of a session may be unanswered at a time.
  uint64_t session_window() const { return options_.session_window_max; }

 private:
  // A write without a key on its way: its rows are kept to be keyed anew should the session expire.
  struct Work {
    std::string rows;  // encoded commands, under whatever key
    uint64_t count = 0;
    uint64_t clock = 0;  // the customer's
    int64_t deadline_ns = 0;
    int attempts = 0;
    BranchSession::Grant grant;
    BatchCallback done;
  };
  using WorkPtr = std::unique_ptr<Work>;

  void Query(const Operation& operation, int64_t deadline_ns, ReplyCallback done);
  void QueryBatch(std::string rows, uint64_t count, int64_t deadline_ns, BatchCallback done);
  void Propose(uint64_t clock, std::string batch, SessionId session, uint64_t sequence,
               int64_t deadline_ns, ReplyCallback done);

  // The way of a write without a key: Take, then Send, or Wait until Pump finds it a key.
  bool Take(uint64_t count, BranchSession::Grant* grant);
  void Send(WorkPtr work, std::string batch);
  void Wait(WorkPtr work);
  void Pump();
  void OnSent(WorkPtr work, replication::ProposeResult result);
  void CloseOwnSession(SessionId session, bool misused);
  void OnOwnSession(int64_t deadline_ns, TellerReply reply);
  using Draw = SessionId (*)(Entropy&);
  // Opens a session whose id `draw` gives; while that is taken, again, `draws` times in all.
  void Open(Draw draw, int draws, SessionOwner owner, int64_t deadline_ns, ReplyCallback done);
  static void Refuse(WorkPtr work, std::string reason);

  const TellerOptions options_;
  replication::Replicator& replicator_;
  const Clock& clock_;
  Entropy& entropy_;
  std::atomic<uint64_t> own_key_conflicts_{0};

  absl::Mutex mutex_;  // never held while calling the replicator or a callback
  BranchSession keys_ ABSL_GUARDED_BY(mutex_);
  std::deque<WorkPtr> waiting_ ABSL_GUARDED_BY(mutex_);
  uint64_t waiting_operations_ ABSL_GUARDED_BY(mutex_) = 0;
  bool opening_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace bank::teller
