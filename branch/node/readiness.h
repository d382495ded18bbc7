// Readiness: whether a branch serves customers: from "started" to "serves", and back while it is
// cut off.
//
// It waits until the branch has read at a quorum and holds the bootstrap write, which the bank's
// first leader makes: the account `shared` with the initial balance. Repeating that write is
// harmless (branch/ledger/command.h), so a leader that fails half-way needs no memory of it.
// A branch that serves goes on asking the quorum, with reads that touch no disk. When it has had no
// answer for `patience`, it serves no more, until it has one again: a customer or a load balancer
// that looks at its health then goes elsewhere. An election alone is shorter than that.
//
// Threads: one of its own, from construction until Stop().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "branch/replication/replicator.h"
#include "common/clock.h"

namespace bank::node {

// For people, on one line: what a branch that is not ready waits for, and what may be done.
std::string_view WhatIsAwaited(const replication::ReplicatorStatus& status);

class Readiness {
 public:
  struct Options {
    int64_t initial_balance = 0;
    // How long the quorum may be silent: two election timeouts are enough for a new leader.
    std::chrono::milliseconds patience{2000};
  };
  // References must outlive it. `on_change` runs on the thread: first with true, then with what is
  // new each time.
  Readiness(replication::Replicator& replicator, const Clock& clock, Options options,
            std::function<void(bool serves)> on_change);
  // The replicator must have been stopped before, or answer within its deadlines.
  ~Readiness() { Stop(); }

  // Idempotent. After the replicator's own Stop() it returns at once.
  void Stop();

 private:
  void Run();
  // Waits, unless stopped before; false: stopped.
  bool Sleep(absl::Duration pause);
  // True when the branch is ready; false: look again.
  bool Step();
  // False when the quorum was silent for too long; true: look again.
  bool StillReaches();
  absl::Status AwaitBarrier(std::chrono::nanoseconds patience);
  absl::Status AwaitBootstrapWrite();
  absl::Status Found();

  replication::Replicator& replicator_;
  const Clock& clock_;
  const Options options_;
  const std::function<void(bool)> on_change_;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace bank::node
