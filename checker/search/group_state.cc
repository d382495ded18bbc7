#include "checker/search/group_state.h"

#include "checker/search/mix.h"

namespace bank::checker {
namespace {

uint64_t HashView(uint32_t account, const AccountView& view) {
  const bool is_unknown = view.presence == AccountView::kUnknown;
  if (is_unknown && view.may_be_absent && view.low == 0 && view.high == kBalanceMax) return 0;
  // Balances are at most 2^63-1, and never negative.
  const auto low = static_cast<uint64_t>(is_unknown ? view.low : view.balance);
  const auto high = static_cast<uint64_t>(is_unknown ? view.high : 0);
  const uint64_t kind = view.presence + (is_unknown && view.may_be_absent ? 4 : 0);
  return Mix(Mix(Mix(low) + high) + account * 8 + kind) | 1;
}

uint64_t HashWide(Wide value) {
  return Mix(static_cast<uint64_t>(value)) + static_cast<uint64_t>(value >> 64);
}

uint64_t HashWhole(const Sum& money, const Sum& accounts) {
  return Mix(HashWide(money.whole.low) + 3 * HashWide(money.whole.high) +
             5 * HashWide(accounts.whole.low) + 7 * HashWide(accounts.whole.high));
}

}  // namespace

AccountView GroupState::ViewOf(uint32_t account) const {
  const auto it = accounts_.find(account);
  return it == accounts_.end() ? AccountView{} : it->second;
}

void GroupState::Set(uint32_t account, const AccountView& view) {
  AccountView& current = accounts_[account];
  saved_.push_back({account, current});
  fingerprint_.Toggle(HashView(account, current));
  fingerprint_.Toggle(HashView(account, view));
  current = view;
}

void GroupState::Carry(const Operation& op, const BankView& after, bool is_whole) {
  Set(op.account, after.account);
  if (op.kind == OpKind::kTransfer && op.to != op.account) Set(op.to, after.to);
  if (!is_whole) return;
  // What is known of the parts follows from the accounts.
  fingerprint_.Toggle(HashWhole(money_, accounts_sum_));
  fingerprint_.Toggle(HashWhole(after.money, after.accounts));
  money_ = after.money;
  accounts_sum_ = after.accounts;
}

void GroupState::BackTo(const Mark& mark) {
  while (saved_.size() > mark.saved) {
    accounts_[saved_.back().account] = saved_.back().view;
    saved_.pop_back();
  }
  fingerprint_ = mark.fingerprint;
  money_ = mark.money;
  accounts_sum_ = mark.accounts;
}

}  // namespace bank::checker
