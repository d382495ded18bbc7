// A bank in one process: several branches that share a single ledger, behind the replicator's
// interface and with its exact contract. What cannot fail here is copying; everything above the
// seam can be tested without a network.
//
// While it serves, calls complete before they return, on the caller's thread. Stalled, it stands
// for a bank without a quorum: proposals wait; one whose deadline passes is answered "unknown" and
// is still applied when the bank heals, as may happen in a real one. Refusing, it stands for a
// branch that knows no leader: proposals are answered "not applied" at once, barriers Unavailable.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "branch/replication/replicator.h"
#include "common/clock.h"

namespace bank::replication {

class MemoryBank {
 public:
  enum class Mode { kServing, kStalled, kRefusing };

  // Founds the shared account with `initial_balance`. The clock must outlive the bank.
  MemoryBank(const Clock& clock, size_t branches, int64_t initial_balance,
             ledger::Limits limits = {});
  // Completes what still waits: proposals unknown, reads Unavailable.
  ~MemoryBank();

  size_t size() const { return branches_.size(); }
  Replicator& branch(size_t i) { return *branches_[i]; }

  // Going back to kServing applies all that waits, in the order of arrival.
  void SetMode(Mode mode);
  // Proposals received so far, whatever became of them.
  uint64_t proposals() const;

 private:
  class Branch;
  struct Proposal {
    std::string batch;
    uint64_t count = 0;
    int64_t deadline_ns = 0;
    Replicator::ProposeCallback done;  // null: answered "unknown" already
  };
  struct Read {
    Position position;
    bool barrier = false;  // also needs the bank to serve
    int64_t deadline_ns = 0;
    Replicator::ReadCallback done;
  };
  // Callbacks to be made once the lock is free.
  using Completions = std::vector<absl::AnyInvocable<void()>>;

  void Propose(std::string batch, uint64_t count, int64_t deadline_ns,
               Replicator::ProposeCallback done);
  void AddRead(Read read);
  ledger::Outcome Query(std::string_view account) const;
  ReplicatorStatus GetStatus(size_t branch) const;

  void Apply(Proposal proposal, Completions* completions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CompleteReads(Completions* completions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CompleteLate(Completions* completions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WatchDeadlines();  // the timer thread
  static void Run(Completions completions);

  const Clock& clock_;
  mutable absl::Mutex mutex_;
  absl::CondVar changed_;
  ledger::Ledger ledger_ ABSL_GUARDED_BY(mutex_);
  LogIndex index_ ABSL_GUARDED_BY(mutex_);
  Mode mode_ ABSL_GUARDED_BY(mutex_) = Mode::kServing;
  uint64_t proposals_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<Proposal> stalled_ ABSL_GUARDED_BY(mutex_);
  std::list<Read> reads_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Replicator>> branches_;
  std::thread timer_;
};

}  // namespace bank::replication
