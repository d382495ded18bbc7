// Call: what a customer asks of a branch in one request, and what the branch's teller answers.
#pragma once

#include <cstdint>
#include <vector>

#include "branch/teller/teller.h"
#include "common/ids.h"
#include "tests/sim/history.h"

namespace bank::sim {

struct Call {
  enum class Kind {
    kExecute,      // the one operation, by itself
    kBatch,        // all operations, in order; operation i has the key first_sequence + i
    kOpenSession,  // for `owner`; the reply's session is its id
    kLookup,       // seals the key (session, first_sequence)
  };
  Kind kind = Kind::kExecute;
  std::vector<Operation> operations{};  // what is asked; what became of it is not looked at
  SessionId session{};                  // 0: the branch gives keys
  uint64_t first_sequence = 0;
  uint64_t answered_below = 0;
  SessionOwner owner{};
  int64_t timeout_ms = 500;
};

// One outcome per operation if kApplied; one for kOpenSession and kLookup.
using CallReply = teller::BatchReply;

}  // namespace bank::sim
