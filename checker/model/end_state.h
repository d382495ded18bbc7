// EndState: what the operations of a history leave behind, as far as it is known, to be compared
// with what branches say. Plain values.
#pragma once

#include <vector>

#include "checker/model/bank_state.h"
#include "checker/model/rules.h"

namespace bank::checker {

struct EndState {
  Bounds accounts;  // there are so many
  Bounds certain;   // the money in those that are there for certain
  Bounds all;       // the money in all that may be there
  // All accounts are known, and what is in them.
  bool is_exact() const {
    return accounts.low == accounts.high && all.low == all.high && certain.low == certain.high;
  }
};

// `views`: of all accounts that a history names. `money`, `accounts`: of the bank as a whole.
EndState EndStateOf(const std::vector<AccountView>& views, const Sum& money, const Sum& accounts);

// Whether a branch may say this of itself.
enum class Fit : uint8_t { kFits, kTooFewAccounts, kOtherTotal };
Fit FitOf(const Digest& digest, const EndState& end);

}  // namespace bank::checker
