#include "checker/jepsen/verify_bank_order.h"

#include <algorithm>
#include <limits>

namespace bank::checker {

bool Explains(const BankSteps& bank, const std::vector<size_t>& order) {
  std::vector<bool> is_there(bank.steps.size());
  int64_t newest_begin = std::numeric_limits<int64_t>::min();
  for (size_t i : order) {
    if (is_there[i] || bank.steps[i].over < newest_begin) return false;
    is_there[i] = true;
    newest_begin = std::max(newest_begin, bank.steps[i].invoke);
  }
  for (size_t i = 0; i < bank.steps.size(); ++i) {
    if (!is_there[i] && !bank.steps[i].is_optional()) return false;
  }
  const auto first =
      std::find_if(order.begin(), order.end(), [&](size_t i) { return bank.steps[i].is_read(); });
  if (first == order.end()) return true;  // nothing is known of any account
  BankBalances balances = BalancesOf(bank, bank.steps[*first]);
  for (auto i = order.begin(); i != first; ++i) Carry(bank.steps[*i], -1, &balances);
  for (size_t account = 0; account < bank.shown && !bank.overdrafts; ++account) {
    if (balances[account] < 0) return false;
  }
  for (size_t i : order) {
    const BankStep& step = bank.steps[i];
    if (step.is_read()) {
      for (size_t account = 0; account < bank.shown; ++account) {
        if (balances[account] != step.balances[account]) return false;
      }
    } else {
      Carry(step, 1, &balances);
      if (IsOverdrawn(bank, step, balances)) return false;
    }
  }
  return true;
}

}  // namespace bank::checker
