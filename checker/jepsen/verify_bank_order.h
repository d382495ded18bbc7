// BankWitness: does this order of a bank's transfers and reads explain them all? Pure.
//
// The last word before a history is called right: it shares nothing with the searches that find
// orders, and looks at exact balances only.
#pragma once

#include <cstddef>
#include <vector>

#include "checker/jepsen/bank_steps.h"

namespace bank::checker {

// `order`: places in `bank.steps`. True if every step that must be is there, none twice, none after
// one that began when it was over, every read shows what the accounts hold, and none is overdrawn.
bool Explains(const BankSteps& bank, const std::vector<size_t>& order);

}  // namespace bank::checker
