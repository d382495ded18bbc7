// Accounts: names, balances, their total, and how the total came to be.
//
// Keeps, at every moment: total = opened + deposited - withdrawn = sum of balances <= 2^63-1, and
// a digest that is the sum (modulo 2^64) of one hash per account, so that it does not depend on
// the order of operations. The caller has checked amounts, funds and overflow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/numeric/int128.h"
#include "absl/strings/string_view.h"

namespace bank::ledger {

struct Account {
  int64_t balance = 0;     // minor units, >= 0
  uint64_t name_hash = 0;  // what the digest needs of the name
};

// Everything that ever came in and went out; wider than a balance, since it only grows.
struct Turnover {
  absl::uint128 opened = 0;
  absl::uint128 deposited = 0;
  absl::uint128 withdrawn = 0;
};

class Accounts {
 public:
  // Valid until the next Open().
  Account* Find(std::string_view name) {
    const auto it = accounts_.find(name);
    return it == accounts_.end() ? nullptr : &it->second;
  }
  const Account* Find(std::string_view name) const {
    return const_cast<Accounts*>(this)->Find(name);
  }

  void Open(std::string_view name, int64_t amount);
  void Deposit(Account* account, int64_t amount);
  void Withdraw(Account* account, int64_t amount);
  void Transfer(Account* from, Account* to, int64_t amount);

  uint64_t size() const { return accounts_.size(); }
  int64_t total() const { return total_; }
  uint64_t digest() const { return digest_; }
  const Turnover& turnover() const { return turnover_; }

  struct Audit {
    absl::uint128 total;
    uint64_t digest;
  };
  Audit Recompute() const;  // from the balances alone

  // By name, bytewise. The views live until the next Open().
  std::vector<std::pair<std::string_view, int64_t>> Sorted() const;

  // The highest balances, highest first, equal ones by name. Views as above.
  std::vector<std::pair<std::string_view, int64_t>> Top(size_t limit) const;

  // For a snapshot's restore: an account with its balance, counted in no turnover.
  void Restore(std::string_view name, int64_t balance);
  void RestoreTurnover(const Turnover& turnover) { turnover_ = turnover; }
  void Reserve(uint64_t accounts) { accounts_.reserve(accounts); }

 private:
  void Change(Account* account, int64_t delta);

  // Abseil's hash is salted per process: names cannot be chosen to collide. Its order is never
  // seen outside.
  struct NameHash {
    using is_transparent = void;
    size_t operator()(std::string_view name) const {
      return absl::Hash<absl::string_view>{}(absl::string_view(name.data(), name.size()));
    }
  };
  struct NameEqual {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
  };

  absl::flat_hash_map<std::string, Account, NameHash, NameEqual> accounts_;
  int64_t total_ = 0;
  uint64_t digest_ = 0;
  Turnover turnover_;
};

}  // namespace bank::ledger
