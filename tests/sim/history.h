// History: what the customers asked and what they were told. The judge sees nothing else.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "branch/ledger/command.h"
#include "branch/ledger/outcome.h"
#include "branch/teller/teller.h"
#include "common/ids.h"
#include "tests/sim/scheduler.h"

namespace bank::sim {

inline constexpr SimTime kNobodyKnows = std::numeric_limits<SimTime>::max();

struct Operation {
  enum class Fate {
    kOpen,     // under way
    kUnknown,  // given up; may have been applied, or may yet be: its key can still be looked up
    kLost,     // likewise, and no key can tell: it had none, or its session expired
    kDone,     // `outcome` is what the customer was told, or learned later
    kNothing,  // a read without an answer, or a write that certainly was not applied
  };

  uint64_t customer = 0;
  ledger::Kind kind = ledger::Kind::kQuery;
  std::string account{};
  std::string to{};
  int64_t amount = 0;
  teller::Consistency consistency = teller::Consistency::kLinearizable;  // of a query
  Position minimum{};                                                    // kAtLeast only
  SessionId session{};  // the key; 0 for reads, and for writes that leave the key to the branch
  uint64_t sequence = 0;
  SimTime invoked_at = 0;
  SimTime completed_at = 0;  // if kDone
  Fate fate = Fate::kOpen;
  bool never_applied = false;  // every answer was: certainly not applied
  bool told_expired = false;   // some answer was: there is no such session
  bool contended = false;     // its key was used with other content, or looked up, at the same time
  ledger::Outcome outcome{};  // if kDone

  bool read() const { return kind == ledger::Kind::kQuery; }
  bool keyless() const { return !read() && session == SessionId(0); }
};

using History = std::vector<Operation>;

// Writes that leave the key to the branch can be told apart in the log by their amounts alone.
inline constexpr int64_t kKeylessAmountMin = 1'000'000'000;

}  // namespace bank::sim
