#include "checker/group_state.h"

#include "checker/mix.h"

namespace bank::checker {
namespace {

uint64_t HashView(uint32_t account, const AccountView& view) {
  if (view.presence == AccountView::kUnknown) return 0;
  const auto low = static_cast<uint64_t>(view.balance);
  const auto high = static_cast<uint64_t>(view.balance >> 64);
  return Mix(Mix(Mix(low) + high) + account * 4 + view.presence) | 1;
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

void GroupState::Carry(const Operation& op, bool required) {
  AccountView account = ViewOf(op.account);
  const bool ok = !required || op.answer == Answer::kOk;
  if (ok && op.kind == OpKind::kOpen) {
    return Set(op.account, {AccountView::kPresent, op.amount});
  }
  const bool known = account.presence == AccountView::kPresent;
  if (account.presence == AccountView::kUnknown && required) {
    if (op.has_balance && (op.answer == Answer::kOk || op.answer == Answer::kInsufficientFunds)) {
      Set(op.account, {AccountView::kPresent, op.balance});
    } else if (op.answer == Answer::kUnknownAccount && op.kind != OpKind::kTransfer) {
      Set(op.account, {AccountView::kAbsent, 0});
    }
  }
  if (!ok || op.kind == OpKind::kQuery) return;
  if (known) {
    account.balance += ChangeOf(op, op.account);
    Set(op.account, account);
  }
  if (op.kind != OpKind::kTransfer) return;
  AccountView to = ViewOf(op.to);
  if (to.presence != AccountView::kPresent) return;
  to.balance += op.amount;
  Set(op.to, to);
}

void GroupState::BackTo(const Mark& mark) {
  while (saved_.size() > mark.saved) {
    accounts_[saved_.back().account] = saved_.back().view;
    saved_.pop_back();
  }
  fingerprint_ = mark.fingerprint;
}

}  // namespace bank::checker
