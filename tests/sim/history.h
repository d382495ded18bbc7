// History: what the customers asked and what they were told. The judge sees nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "branch/ledger/command.h"
#include "branch/ledger/outcome.h"
#include "common/ids.h"
#include "tests/sim/scheduler.h"

namespace bank::sim {

struct Operation {
  enum class Fate {
    kOpen,     // under way
    kUnknown,  // given up; may have been applied, or may yet be
    kDone,     // `outcome` is what the customer was told, or learned later by kResolve
    kNothing,  // a read that was given up: it tells nothing
  };

  uint64_t customer = 0;
  ledger::Kind kind = ledger::Kind::kQuery;
  std::string account;
  std::string to;
  int64_t amount = 0;
  SessionId session;  // the key; 0 for reads
  uint64_t sequence = 0;
  SimTime invoked_at = 0;
  SimTime completed_at = 0;  // if kDone
  Fate fate = Fate::kOpen;
  bool never_applied = false;  // given up, and every answer was: certainly not applied
  ledger::Outcome outcome;     // if kDone

  bool read() const { return kind == ledger::Kind::kQuery; }
};

using History = std::vector<Operation>;

}  // namespace bank::sim
