// BankSteps: the reads and transfers of a bank's history as a search needs them. Plain values.
//
// Accounts are numbers: first those that the reads show, then those that only transfers name. Of
// the latter nobody knows what they hold; they can never be overdrawn, but what moves through them
// between two reads must add up to nothing, as the reads' sum stays the same.
#pragma once

#include <cstdint>
#include <vector>

#include "checker/model/operation.h"
#include "checker/model/rules.h"

namespace bank::checker {

struct BankStep {
  bool reads = false;  // else it is a transfer
  uint32_t from = 0;
  uint32_t to = 0;
  int64_t amount = 0;
  std::vector<int64_t> balances;  // of a read, by account
  int64_t invoke = 0;             // places in the history
  int64_t over = kNever;          // kNever: it may or may not have happened; of transfers only
  size_t event = 0;               // the caller's

  bool is_read() const { return reads; }
  bool is_optional() const { return over == kNever; }
};

struct BankSteps {
  std::vector<BankStep> steps;
  uint32_t accounts = 0;
  uint32_t shown = 0;       // by the reads: accounts [0, shown)
  bool overdrafts = false;  // accounts may be overdrawn
};

// Balances by account.
using BankBalances = std::vector<Wide>;

inline BankBalances BalancesOf(const BankSteps& bank, const BankStep& read) {
  BankBalances balances(read.balances.begin(), read.balances.end());
  balances.resize(bank.accounts);
  return balances;
}
inline void Carry(const BankStep& transfer, int times, BankBalances* balances) {
  (*balances)[transfer.from] -= Wide{transfer.amount} * times;
  (*balances)[transfer.to] += Wide{transfer.amount} * times;
}
// Whether one of the transfer's accounts is overdrawn, and may not be.
inline bool IsOverdrawn(const BankSteps& bank, const BankStep& transfer,
                        const BankBalances& balances) {
  if (bank.overdrafts) return false;
  return (transfer.from < bank.shown && balances[transfer.from] < 0) ||
         (transfer.to < bank.shown && balances[transfer.to] < 0);
}

}  // namespace bank::checker
