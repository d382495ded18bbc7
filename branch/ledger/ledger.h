// Ledger: accounts and sessions; a deterministic state machine.
//
// Pure: no clock, file, thread or random source. The same entries in the same order give the same
// state, outcomes and digest on every branch and every run. One owner at a time; const members
// may be called by several readers while nobody applies (the replicator's lock sees to that).
// Whatever looks at every account does so in a frozen copy, which is cheap to get.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "branch/ledger/command.h"
#include "branch/ledger/outcome.h"
#include "common/ids.h"

namespace bank::ledger {

inline constexpr uint64_t kSessionWindowLimit = uint64_t{1} << 24;

// Part of the replicated state (in every snapshot): all branches must agree on them.
struct Limits {
  uint64_t accounts_max = 10'000'000;
  // One more ends a session of the owner that would hold most; see sessions.h.
  uint64_t sessions_max = 10'000;
  // A sequence must be below the session's oldest unanswered one plus this; at most
  // kSessionWindowLimit.
  uint64_t session_window_max = 16'384;
  int64_t session_idle_ms_max = 3'600'000;  // by the bank's time
  // Outcomes remembered in all sessions together, of 32 to 64 bytes each: one more ends a session
  // of the owner whose sessions remember most, but never the one in use.
  uint64_t remembered_max = 4'000'000;
  // The only session of its owner is ended for somebody else's first one only after so long without
  // use, by the bank's time; until then it is the newcomer that is refused.
  int64_t only_session_idle_ms_min = 300'000;
};

// Digests are compared between branches at equal applied log index: replays and expiry change them
// without taking a position.
struct Summary {
  Position position;
  int64_t time_ms = 0;
  uint64_t accounts = 0;
  uint64_t sessions = 0;
  int64_t balance_total = 0;    // sum of balances
  uint64_t state_digest = 0;    // of accounts and sessions; recomputable from a snapshot
  uint64_t history_digest = 0;  // chained over every command and outcome since the founding
};

// For operators.
struct AccountView {
  std::string name;
  int64_t balance = 0;
  bool operator==(const AccountView&) const = default;
};
struct SessionView {
  std::string tag;           // tells sessions apart; the id cannot be learnt from it
  int64_t idle_ms = 0;       // by the bank's time
  uint64_t window_used = 0;  // from the oldest unanswered sequence to the newest, of:
  uint64_t window_max = 0;
  uint64_t remembered = 0;  // answers
};

// A ledger as it stood at one position; cheap to copy. It never changes: any thread may use it,
// for as long as it likes, while the ledger goes on.
class FrozenLedger {
 public:
  const Summary& summary() const;

  // The accounts with the highest balances, highest first, equal ones by name (bytewise). Looks at
  // every account once and copies none but these.
  std::vector<AccountView> TopAccounts(size_t limit) const;

  // opened + deposits - withdrawals = sum of balances, recomputed from scratch together with the
  // digest. Internal error with the numbers if not.
  absl::Status CheckConservation() const;

  // Everything, as bytes (docs/FORMATS.md); deterministic: equal states give equal bytes. Checks
  // conservation first and stops the process if it does not hold.
  std::string Encode() const;

 private:
  friend class Ledger;
  struct State;
  explicit FrozenLedger(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;  // shared by all copies; never null
};

class Ledger {
 public:
  explicit Ledger(Limits limits = {});
  ~Ledger();
  Ledger(Ledger&&) noexcept;
  Ledger& operator=(Ledger&&) noexcept;

  // Applies one log entry and appends one outcome per command to `outcomes`. An error means the
  // payload is malformed; then nothing was applied and the branch must stop.
  absl::Status Apply(std::string_view payload, std::vector<Outcome>* outcomes);

  // The balance of `account` now. Code kOk, kUnknownAccount or kBadAccount; position is position().
  Outcome Query(std::string_view account) const;

  Position position() const;
  int64_t time_ms() const;  // of the newest entry: never decreases
  Summary summary() const;

  // Longest idle first.
  std::vector<SessionView> IdleSessions(size_t limit) const;

  // The ledger as it is now. Costs two pointers per 256 accounts and one per session; afterwards
  // the first write to each of these copies it.
  FrozenLedger Freeze() const;

  // What FrozenLedger::Encode() gave. Verifies format, conservation and digest. DataLoss if
  // anything does not hold.
  static absl::StatusOr<Ledger> DecodeSnapshot(std::string_view bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bank::ledger
