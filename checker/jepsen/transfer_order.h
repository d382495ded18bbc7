// TransferOrder: may these transfers have come one after the other without an account ever being
// overdrawn? Pure.
//
// A depth-first search over sets of transfers, those in keeping with time only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "checker/jepsen/bank_steps.h"
#include "checker/model/budget.h"

namespace bank::checker {

struct TransferOrder {
  enum class Answer : uint8_t { kFound, kNone, kUnknown };
  Answer answer = Answer::kNone;
  std::vector<size_t> order;  // kFound: all of `required` and those of `rest` that it needs
};

// Which way the balances are known.
enum class Known : uint8_t {
  kBefore,  // what the accounts held before the first transfer
  kAfter,   // behind the last one
};

// `required` and `rest`, places in `bank.steps`, are transfers; of `rest` any may happen too.
TransferOrder OrderTransfers(const BankSteps& bank, const std::vector<size_t>& required,
                             const std::vector<size_t>& rest, BankBalances balances, Known known,
                             const Budget& budget);

}  // namespace bank::checker
