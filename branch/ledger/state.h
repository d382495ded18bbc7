// What a ledger holds; shared by its rules (ledger.cc) and its bytes (snapshot.cc).
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "branch/ledger/accounts.h"
#include "branch/ledger/ledger.h"
#include "branch/ledger/row.h"
#include "branch/ledger/sessions.h"

namespace bank::ledger {

struct Ledger::State {
  Limits limits;
  Position position;
  int64_t time_ms = 0;
  uint64_t history_digest = 0;
  Accounts accounts;
  Sessions sessions;

  uint64_t state_digest() const { return accounts.digest() + sessions.digest(); }
  FrozenLedger Freeze() const;

  Summary summary() const;
  // Asks memory for what the rows will touch, without waiting for it.
  void Prefetch(absl::Span<const Row> rows) const;
  Outcome ApplyRow(const Row& row, Rules rules);
  Outcome ApplyKeyed(const Row& row, Rules rules);
  Outcome Query(std::string_view name) const;

 private:
  Position NextPosition() { return position = position.Next(); }
  int64_t BalanceOf(std::string_view name) const;
  Outcome Answer(Code code, std::string_view account) const;
  Outcome OpenSession(SessionId id, SessionOwner owner);
  Code Execute(const Command& command);
  Code Open(const Command& command);
  Code Transfer(const Command& command);
};

struct FrozenLedger::State {
  Limits limits;
  Summary summary;
  Turnover turnover;
  uint64_t remembered = 0;  // outcomes, of all sessions
  FrozenAccounts accounts;
  FrozenSessions sessions;
};

// Limits a ledger can keep.
absl::Status ValidateLimits(const Limits& limits);

}  // namespace bank::ledger
