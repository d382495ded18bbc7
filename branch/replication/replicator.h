// Replicator: the branch's only door to consensus.
//
// Propose() completes exactly once with what is known about the commands:
//   applied      in the total order; `outcomes` are the ledger's answers (they may be refusals)
//   not_applied  certain: they are in no log and never will be by this call; safe to send elsewhere
//   unknown      time ran out or the branch stops; they may still be applied. Retry with the same
//   keys
// ReadBarrier() completes when the local ledger holds every write that was acknowledged anywhere
// before the call (raft thesis, section 6.4); reading the ledger then is linearizable.
// All members are thread-safe and never block. Callbacks run on some internal thread, must not
// block and may call back into the replicator. Deadlines are on the steady Clock, in nanoseconds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "branch/ledger/ledger.h"
#include "common/ids.h"

namespace bank::replication {

// What is answered to whoever asks a branch that stops.
inline constexpr char kStopping[] = "this branch is stopping";

enum class Fate { kApplied, kNotApplied, kUnknown };

struct ProposeResult {
  Fate fate = Fate::kUnknown;
  std::vector<ledger::Outcome> outcomes{};  // one per command if kApplied, else empty
  std::string reason{};                     // one line, if not kApplied
  // kApplied only: this call may have put the commands into the order more than once, so that a
  // replayed outcome may be the first one of this very call. If false, what is replayed is the
  // outcome of somebody else's command under the same key.
  bool repeated = false;
  uint64_t clock = 0;  // kApplied: of the write, by the branch that took it; 0: this bank has none
};

enum class Role { kFollower, kCandidate, kLeader, kLearner };

// The state digest right after the entry at `index` was applied; equal on all branches.
struct Checkpoint {
  LogIndex index;
  uint64_t state_digest = 0;
};

// So that branches can be compared while they move: checkpoints are at the same indexes everywhere.
inline constexpr uint64_t kCheckpointEvery = 256;  // entries
inline constexpr size_t kCheckpointsMax = 32;

struct ReplicatorStatus {
  Role role = Role::kFollower;
  Term term;
  BranchId leader;              // 0 if unknown
  LogIndex commit_index;        // of what this branch holds
  LogIndex known_commit_index;  // as a leader has told, also of what this branch does not hold yet
  LogIndex applied_index;
  LogIndex last_index;  // of the log, durable or not
  LogIndex snapshot_index;
  bool ready = false;  // has joined a quorum, applied what it had to, and holds the bootstrap write
  bool bootstrapping =
      false;                // waits for the other voters, to learn whether the bank exists already
  bool rebuilding = false;  // lost what it had acknowledged: does not vote until it is filled again
  bool removed = false;     // was a member and is none any more: it campaigns for nothing
  ledger::Summary ledger;
  // Of what was applied since the start, oldest first, at most kCheckpointsMax. nullptr: none.
  // Shared, because a status is copied after every round of the loop and this seldom changes.
  std::shared_ptr<const std::vector<Checkpoint>> checkpoints;
};

class Replicator {
 public:
  using ProposeCallback = absl::AnyInvocable<void(ProposeResult)>;
  using ReadCallback = absl::AnyInvocable<void(absl::Status)>;

  virtual ~Replicator() = default;

  // `batch` is `count` encoded commands (ledger/command.h). Every command with an effect carries a
  // key, so that retries inside the bank are harmless.
  virtual void Propose(std::string batch, uint64_t count, int64_t deadline_ns,
                       ProposeCallback done) = 0;

  // As Propose(), for a customer whose logical clock was `clock` when he sent it (0: he has none).
  // A replicator that orders by such clocks makes it part of the write's; others have no use for
  // it.
  virtual void ProposeAt(uint64_t clock, std::string batch, uint64_t count, int64_t deadline_ns,
                         ProposeCallback done) {
    static_cast<void>(clock);
    Propose(std::move(batch), count, deadline_ns, std::move(done));
  }

  // OK, or Unavailable / DeadlineExceeded: then nothing may be read.
  virtual void ReadBarrier(int64_t deadline_ns, ReadCallback done) = 0;

  // Completes when the local ledger's position has reached `position`.
  virtual void WaitApplied(Position position, int64_t deadline_ns, ReadCallback done) = 0;

  // Reads the local ledger under its lock.
  virtual ledger::Outcome Query(std::string_view account) const = 0;

  virtual ReplicatorStatus GetStatus() const = 0;
};

}  // namespace bank::replication
