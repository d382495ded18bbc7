// Readiness: brings a branch from "started" to "serves customers".
//
// It waits until the branch has read at a quorum and holds the founding write, which the bank's
// first leader makes: the account `shared` with the initial balance. Repeating that write is
// harmless (branch/ledger/command.h), so a leader that fails half-way needs no memory of it.
// Readiness is reached once; a leader that is lost later does not take it back, because customers
// are told per call what a branch cannot do.
//
// Threads: one of its own, from construction until it is ready or Stop().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "branch/replication/replicator.h"
#include "common/clock.h"

namespace bank::node {

class Readiness {
 public:
  // References must outlive it. `on_ready` runs once, on the thread, unless stopped before.
  Readiness(replication::Replicator& replicator, const Clock& clock, int64_t initial_balance,
            std::function<void()> on_ready);
  // The replicator must have been stopped before, or answer within its deadlines.
  ~Readiness() { Stop(); }

  // Idempotent. After the replicator's own Stop() it returns at once.
  void Stop();

 private:
  void Run();
  // True when the branch is ready; false: look again.
  bool Step();
  absl::Status AwaitBarrier();
  absl::Status AwaitFoundingWrite();
  absl::Status Found();

  replication::Replicator& replicator_;
  const Clock& clock_;
  const int64_t initial_balance_;
  const std::function<void()> on_ready_;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace bank::node
