// GroupState: where a search through a group of accounts has come to: what each account holds, and
// a fingerprint of that and of what was done. Can go back to where it was. One owner.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "checker/model/operation.h"
#include "checker/model/rules.h"
#include "checker/search/fingerprint.h"

namespace bank::checker {

class GroupState {
 public:
  struct Mark {
    Fingerprint fingerprint;
    size_t saved = 0;
    Sum money;
    Sum accounts;
  };

  // Before the search: not part of the fingerprint, and never undone. All accounts of a group that
  // is the whole bank, and what is known of it as such.
  void Begin(uint32_t account, const AccountView& view) { accounts_[account] = view; }
  void Begin(const Sum& money, const Sum& accounts) {
    money_ = money;
    accounts_sum_ = accounts;
  }
  const Sum& money() const { return money_; }
  const Sum& accounts() const { return accounts_sum_; }
  bool knows(uint32_t account) const { return accounts_.contains(account); }
  AccountView ViewOf(uint32_t account) const;
  // `op` was answered: `after` is what follows. `is_whole`: for the bank as a whole, too.
  void Carry(const Operation& op, const BankView& after, bool is_whole);
  // `number`: of the operation, the search's own.
  void Done(uint64_t number) { fingerprint_.Toggle(number); }
  const Fingerprint& fingerprint() const { return fingerprint_; }

  Mark Here() const { return {fingerprint_, saved_.size(), money_, accounts_sum_}; }
  void BackTo(const Mark& mark);

 private:
  struct Saved {
    uint32_t account = 0;
    AccountView view;
  };
  void Set(uint32_t account, const AccountView& view);

  absl::flat_hash_map<uint32_t, AccountView> accounts_;
  Sum money_;
  Sum accounts_sum_;
  Fingerprint fingerprint_;
  std::vector<Saved> saved_;  // views before they changed
};

}  // namespace bank::checker
