// Accounts: names, balances, their total, and how the total came to be.
//
// Keeps, at every moment: total = opened + deposited - withdrawn = sum of balances <= 2^63-1, and
// a digest that is the sum (modulo 2^64) of one hash per account, so that it does not depend on
// the order of operations. The caller has checked amounts, funds and overflow.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/numeric/int128.h"
#include "absl/strings/string_view.h"
#include "branch/ledger/account_table.h"

namespace bank::ledger {

// Everything that ever came in and went out; wider than a balance, since it only grows.
struct Turnover {
  absl::uint128 opened = 0;
  absl::uint128 deposited = 0;
  absl::uint128 withdrawn = 0;
};

class Accounts {
 public:
  std::optional<AccountNumber> Find(std::string_view name) const {
    const auto it = numbers_.find(name);
    if (it == numbers_.end()) return std::nullopt;
    return it->second;
  }
  int64_t balance(AccountNumber account) const { return table_[account].balance; }

  // Ask memory for what Find() will look at, and, when that is there, for what is behind it.
  void PrefetchNumber(std::string_view name) const { numbers_.prefetch(name); }
  void PrefetchBalance(std::string_view name) const {
    if (const std::optional<AccountNumber> account = Find(name)) {
      __builtin_prefetch(&table_[*account]);
    }
  }

  void Open(std::string_view name, int64_t amount);
  void Deposit(AccountNumber account, int64_t amount);
  void Withdraw(AccountNumber account, int64_t amount);
  void Transfer(AccountNumber from, AccountNumber to, int64_t amount);

  uint64_t size() const { return table_.size(); }
  int64_t total() const { return total_; }
  uint64_t digest() const { return digest_; }
  const Turnover& turnover() const { return turnover_; }

  FrozenAccounts Freeze() const { return table_.Freeze(); }

  // For a snapshot's restore: an account with its balance, counted in no turnover.
  void Restore(std::string_view name, int64_t balance);
  void RestoreTurnover(const Turnover& turnover) { turnover_ = turnover; }
  void Reserve(uint64_t accounts) { numbers_.reserve(accounts); }

 private:
  void Change(AccountNumber account, int64_t delta);

  // Abseil's hash is salted per process: names cannot be chosen to collide. Its order is never
  // seen outside.
  struct NameHash {
    size_t operator()(std::string_view name) const {
      return absl::Hash<absl::string_view>{}(absl::string_view(name.data(), name.size()));
    }
  };

  AccountTable table_;
  absl::flat_hash_map<std::string_view, AccountNumber, NameHash, std::equal_to<>> numbers_;
  int64_t total_ = 0;
  uint64_t digest_ = 0;
  Turnover turnover_;
};

}  // namespace bank::ledger
