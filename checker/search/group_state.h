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
    Wide total = 0;
    uint64_t accounts = 0;
  };

  // Before the search: not part of the fingerprint, and never undone.
  void Begin(uint32_t account, int64_t balance) {
    accounts_[account] = {AccountView::kPresent, balance};
    total_ += balance;
    ++count_;
  }
  // All accounts hold so much together, and there are so many, if the group is all of the bank; at
  // least, if something is not known.
  Wide total() const { return total_; }
  uint64_t accounts() const { return count_; }
  bool knows(uint32_t account) const { return accounts_.contains(account); }
  AccountView ViewOf(uint32_t account) const;
  // `op` was answered as it says, and agrees with `state`, which is that of its accounts.
  void Carry(const Operation& op, BankView state);
  // `number`: of the operation, the search's own.
  void Done(uint64_t number) { fingerprint_.Toggle(number); }
  const Fingerprint& fingerprint() const { return fingerprint_; }

  Mark Here() const { return {fingerprint_, saved_.size(), total_, count_}; }
  void BackTo(const Mark& mark);

 private:
  struct Saved {
    uint32_t account = 0;
    AccountView view;
  };
  void Set(uint32_t account, const AccountView& view);

  absl::flat_hash_map<uint32_t, AccountView> accounts_;
  Wide total_ = 0;
  uint64_t count_ = 0;
  Fingerprint fingerprint_;
  std::vector<Saved> saved_;  // views before they changed
};

}  // namespace bank::checker
