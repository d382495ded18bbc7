// Judges the transfers and reads of a bank's history: is there an order that explains them?
//
// Looks for one with BankSearch and, where overdrafts decide, BankTrial; none is believed before
// verify_bank_order.h agrees.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checker/jepsen/bank_steps.h"
#include "checker/jepsen/jepsen_history.h"
#include "checker/model/budget.h"

namespace bank::checker {

enum class BankAnswer : uint8_t { kExplained, kViolation, kUnknown };

BankAnswer JudgeBank(const BankSteps& bank, const Budget& budget);

// What a search needs of `operations`, transfers and reads of one bank; those that certainly did
// not happen and reads without answer left out.
BankSteps StepsOfBank(const std::vector<JepsenOperation>& operations,
                      const std::vector<size_t>& members, bool overdrafts);

struct BankViolation {
  std::string why;
  std::vector<size_t> culprits;  // into operations; by their end
};
// Of a bank that JudgeBank() finds wrong.
BankViolation ExplainBank(const BankSteps& bank, const Budget& budget);

}  // namespace bank::checker
