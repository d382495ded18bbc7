// What a ledger holds; shared by its rules (ledger.cc) and its bytes (snapshot.cc).
#pragma once

#include <cstdint>

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

  Outcome ApplyRow(const Row& row);
  Outcome ApplyKeyed(const Row& row);
  Outcome Query(std::string_view name) const;
  absl::Status CheckConservation() const;

 private:
  Position NextPosition() { return position = position.Next(); }
  int64_t BalanceOf(std::string_view name) const;
  Outcome Answer(Code code, std::string_view account) const;
  Outcome OpenSession();
  Code Execute(const Command& command);
  Code Open(const Command& command);
  Code Transfer(const Command& command);
};

// Limits a ledger can keep.
absl::Status ValidateLimits(const Limits& limits);

}  // namespace bank::ledger
