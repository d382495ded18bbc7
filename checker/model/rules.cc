#include "checker/model/rules.h"

#include <algorithm>
#include <array>
#include <utility>

#include "fmt/format.h"

namespace bank::checker {
namespace {

// What one account holds, of which it is known whether it is there.
struct Holding {
  bool absent = false;
  Wide low = 0;  // of the balance, if it is there
  Wide high = 0;

  bool is_possible() const { return absent || low <= high; }
  void AtLeast(Wide balance) { low = std::max(low, balance); }
  void AtMost(Wide balance) { high = std::min(high, balance); }
};

// All that an account may hold: one or two holdings.
struct Holdings {
  std::array<Holding, 2> held;
  size_t size = 0;
};

Holdings Split(const AccountView& view) {
  Holdings out;
  if (view.presence == AccountView::kPresent) {
    out.held[out.size++] = {false, view.balance, view.balance};
  } else if (view.presence == AccountView::kAbsent) {
    out.held[out.size++] = {true, 0, 0};
  } else {
    out.held[out.size++] = {false, view.low, view.high};
    if (view.may_be_absent) out.held[out.size++] = {true, 0, 0};
  }
  return out;
}

// What `op`, if carried out, adds to the balance of its own account.
Wide OwnChange(const Operation& op) {
  switch (op.kind) {
    case OpKind::kDeposit:
      return op.amount;
    case OpKind::kWithdraw:
    case OpKind::kTransfer:
      return -static_cast<Wide>(op.amount);
    default:
      return 0;
  }
}

// What the operation found: its accounts, and the bank as a whole.
struct Past {
  Holding account;
  Holding to;
  BankView bank;
};

bool IsCarriedOut(const Operation& op, const BankView& state, Past* past) {
  if (state.bad_account) return false;
  if (op.kind == OpKind::kOpen) {
    past->bank.money.whole.high = std::min(past->bank.money.whole.high, kBalanceMax - op.amount);
    past->bank.accounts.whole.high =
        std::min(past->bank.accounts.whole.high, Wide{state.accounts_max} - 1);
    return op.amount >= 0 && past->account.absent;
  }
  if (past->account.absent) return false;
  if (op.kind == OpKind::kQuery) return true;
  if (op.amount <= 0) return false;
  if (op.kind == OpKind::kDeposit) {
    past->account.AtMost(kBalanceMax - op.amount);
    past->bank.money.whole.high = std::min(past->bank.money.whole.high, kBalanceMax - op.amount);
    return true;
  }
  past->account.AtLeast(op.amount);
  if (op.kind == OpKind::kWithdraw) return true;
  past->to.AtMost(kBalanceMax - op.amount);
  return !past->to.absent;
}

bool Overflows(const Operation& op, Past* past) {
  const Wide least = kBalanceMax - op.amount + 1;
  if (op.kind == OpKind::kTransfer) {
    past->to.AtLeast(least);
    return !past->to.absent;
  }
  past->bank.money.whole.low = std::max(past->bank.money.whole.low, least);
  return op.kind == OpKind::kOpen || op.kind == OpKind::kDeposit;
}

// Whether the bank may give this answer; narrows what was there before it.
bool AnswerFits(const Operation& op, const BankView& state, Past* past) {
  const bool is_transfer = op.kind == OpKind::kTransfer;
  switch (op.answer) {
    case Answer::kOk:
      return IsCarriedOut(op, state, past);
    case Answer::kInsufficientFunds:
      past->account.AtMost(Wide{op.amount} - 1);
      return !past->account.absent && (is_transfer || op.kind == OpKind::kWithdraw);
    case Answer::kUnknownAccount:
      return op.kind != OpKind::kOpen && (past->account.absent || (is_transfer && past->to.absent));
    case Answer::kAccountExists:
      return op.kind == OpKind::kOpen && !past->account.absent;
    case Answer::kBadAmount:
      return op.kind != OpKind::kQuery && op.amount < (op.kind == OpKind::kOpen ? 0 : 1);
    case Answer::kOverflow:
      return Overflows(op, past);
    case Answer::kBadAccount:
      return state.bad_account;
    case Answer::kTooManyAccounts:
      past->bank.accounts.whole.low =
          std::max(past->bank.accounts.whole.low, Wide{state.accounts_max});
      return op.kind == OpKind::kOpen;
    default:
      return false;
  }
}

// A request that is refused as malformed need not look at the account.
bool MayTellNothing(const Operation& op) {
  return op.balance == 0 && (op.answer == Answer::kBadAmount || op.answer == Answer::kBadAccount ||
                             op.answer == Answer::kUnknownAccount);
}

bool BalanceFits(const Operation& op, Holding* account) {
  if (!op.has_balance || MayTellNothing(op)) return true;
  if (op.answer == Answer::kOk && op.kind == OpKind::kOpen) return op.balance == op.amount;
  const Wide before = op.balance - (op.answer == Answer::kOk ? OwnChange(op) : 0);
  if (account->absent) return before == 0;
  account->AtLeast(before);
  account->AtMost(before);
  return true;
}

AccountView ViewOf(const Holding& holding) {
  if (holding.absent) return {AccountView::kAbsent};
  const auto low = static_cast<int64_t>(holding.low);
  const auto high = static_cast<int64_t>(holding.high);
  if (low == high) return {AccountView::kPresent, low};
  return {AccountView::kUnknown, 0, false, low, high};
}

// Calls `take` with all that there may have been before `op`. False if it does not agree.
template <class Take>
bool ForEachPast(const Operation& op, const BankView& state, const Take& take) {
  const bool is_transfer = op.kind == OpKind::kTransfer;
  const bool is_to_itself = is_transfer && op.to == op.account;
  const Holdings accounts = Split(state.account);
  const Holdings others =
      is_transfer && !is_to_itself ? Split(state.to) : Split({AccountView::kAbsent});
  bool agrees = false;
  for (size_t i = 0; i < accounts.size; ++i) {
    for (size_t k = 0; k < others.size; ++k) {
      Past past{accounts.held[i], others.held[k], state};
      if (is_to_itself) past.to = past.account;
      if (!AnswerFits(op, state, &past) || !BalanceFits(op, &past.account)) continue;
      if (is_to_itself) {
        past.account.AtLeast(past.to.low);
        past.account.AtMost(past.to.high);
        past.to = past.account;
      }
      if (!past.account.is_possible() || !past.to.is_possible()) continue;
      past.bank.Recount(state.account, ViewOf(past.account));
      if (is_transfer && !is_to_itself) past.bank.Recount(state.to, ViewOf(past.to));
      if (!past.bank.money.is_possible() || !past.bank.accounts.is_possible()) continue;
      agrees = true;
      take(past);
    }
  }
  return agrees;
}

void Shift(Wide by, Bounds* bounds) {
  bounds->low += by;
  bounds->high += by;
}

void Shift(Wide by, Sum* sum) {
  Shift(by, &sum->parts);
  Shift(by, &sum->whole);
}

// What follows on `past` if it agrees with `op`.
BankView After(const Operation& op, Past past) {
  BankView& bank = past.bank;
  const Wide change = op.answer == Answer::kOk ? OwnChange(op) : 0;
  if (op.answer == Answer::kOk && op.kind == OpKind::kOpen) {
    past.account = {false, op.amount, op.amount};
    Shift(op.amount, &bank.money);
    Shift(1, &bank.accounts);
  } else if (change != 0) {
    past.account.low += change;
    past.account.high += change;
    if (op.kind == OpKind::kTransfer) {
      past.to.low -= change;
      past.to.high -= change;
    } else {
      Shift(change, &bank.money);
    }
  }
  bank.account = ViewOf(past.account);
  if (op.kind == OpKind::kTransfer) bank.to = ViewOf(past.to);
  return bank;
}

// What both have in common.
AccountView Common(const AccountView& a, const AccountView& b) {
  const bool may_be_absent = !a.is_certainly_there() || !b.is_certainly_there();
  if (a.presence == AccountView::kAbsent && b.presence == AccountView::kAbsent) return a;
  const auto low = [](const AccountView& view) {
    return view.presence == AccountView::kUnknown ? view.low : view.balance;
  };
  AccountView common{AccountView::kUnknown, 0, may_be_absent, 0, 0};
  if (a.presence == AccountView::kAbsent || b.presence == AccountView::kAbsent) {
    const AccountView& there = a.presence == AccountView::kAbsent ? b : a;
    common.low = low(there);
    common.high = there.most();
    return common;
  }
  common.low = std::min(low(a), low(b));
  common.high = std::max(a.most(), b.most());
  if (!may_be_absent && common.low == common.high) return {AccountView::kPresent, common.low};
  return common;
}

Bounds Common(const Bounds& a, const Bounds& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

Sum Common(const Sum& a, const Sum& b) {
  return {Common(a.parts, b.parts), Common(a.whole, b.whole)};
}

}  // namespace

std::string ToString(Wide value) {
  if (value == 0) return "0";
  const bool negative = value < 0;
  std::string digits;
  for (; value != 0; value /= 10) {
    const int digit = static_cast<int>(value % 10);
    digits.push_back(static_cast<char>('0' + (negative ? -digit : digit)));
  }
  if (negative) digits.push_back('-');
  std::reverse(digits.begin(), digits.end());
  return digits;
}

void BankView::Recognize(const Operation& op, const AccountNames& names) {
  const auto recognize = [&](uint32_t number, AccountView* view) {
    if (!names.is_bad(number)) return;
    bad_account = true;
    *view = {AccountView::kAbsent};
  };
  recognize(op.account, &account);
  if (op.kind != OpKind::kTransfer) return;
  recognize(op.to, &to);
  bad_account = bad_account || op.to == op.account;
}

void BankView::Recount(const AccountView& before, const AccountView& after) {
  money.parts.low += Wide{after.least()} - before.least();
  money.parts.high += Wide{after.most()} - before.most();
  accounts.parts.low += after.is_certainly_there() - before.is_certainly_there();
  accounts.parts.high +=
      (after.presence != AccountView::kAbsent) - (before.presence != AccountView::kAbsent);
}

bool Agrees(const Operation& op, const BankView& state) {
  return ForEachPast(op, state, [](const Past&) {});
}

std::string Disagreement(const Operation& op, const BankView& state) {
  if (Agrees(op, state)) return "";
  Operation silent = op;
  silent.has_balance = false;
  if (Agrees(silent, state)) {
    if (op.kind == OpKind::kOpen && op.answer == Answer::kOk) {
      return fmt::format("reports balance {}, but it must be {}", op.balance, op.amount);
    }
    if (state.account.presence == AccountView::kUnknown) {
      return fmt::format("reports balance {}, which no balance before it can give", op.balance);
    }
    const Wide before = state.account.presence == AccountView::kPresent ? state.account.balance : 0;
    return fmt::format("reports balance {}, but it must be {}", op.balance,
                       ToString(before + (op.answer == Answer::kOk ? OwnChange(op) : 0)));
  }
  std::string expected;
  for (int i = 0; i < kAnswers; ++i) {
    silent.answer = static_cast<Answer>(i);
    if (!Agrees(silent, state)) continue;
    if (!expected.empty()) expected += " or ";
    expected += AnswerName(silent.answer);
  }
  const std::string before =
      state.account.presence == AccountView::kPresent
          ? fmt::format("with a balance of {} before it", ToString(state.account.balance))
      : state.account.presence == AccountView::kAbsent
          ? std::string("as the account does not exist")
          : std::string("whatever the account holds");
  return fmt::format("answered {}, but {} it must be {}", AnswerName(op.answer), before, expected);
}

Wide ChangeOf(const Operation& op, uint32_t account) {
  if (op.kind == OpKind::kTransfer) {
    return (op.to == account ? Wide{op.amount} : 0) - (op.account == account ? Wide{op.amount} : 0);
  }
  if (op.account != account || op.kind == OpKind::kQuery) return 0;
  return op.kind == OpKind::kWithdraw ? -Wide{op.amount} : Wide{op.amount};
}

bool WouldSucceed(const Operation& op, const BankView& state) { return Agrees(AsDone(op), state); }

bool CarryOne(const Operation& op, size_t number, BankView* state) {
  size_t count = 0;
  BankView chosen;
  ForEachPast(op, *state, [&](const Past& past) {
    if (count++ == number) chosen = After(op, past);
  });
  if (count <= number) return false;
  *state = chosen;
  return true;
}

void Carry(const Operation& op, BankView* state) {
  bool is_first = true;
  const BankView before = *state;
  ForEachPast(op, before, [&](const Past& past) {
    BankView after = After(op, past);
    if (!std::exchange(is_first, false)) {
      after.account = Common(state->account, after.account);
      after.to = Common(state->to, after.to);
      after.money = Common(state->money, after.money);
      after.accounts = Common(state->accounts, after.accounts);
    }
    *state = after;
  });
}

bool TellsPresence(const Operation& op) {
  const bool is_told = op.answer == Answer::kInsufficientFunds ||
                       op.answer == Answer::kAccountExists ||
                       (op.answer == Answer::kOk && op.kind != OpKind::kOpen);
  return is_told || (op.answer != Answer::kOk && op.has_balance && op.balance != 0);
}

bool TellsAll(const Operation& op) {
  switch (op.answer) {
    case Answer::kOk:
      return op.has_balance || op.kind == OpKind::kOpen;
    case Answer::kInsufficientFunds:
    case Answer::kAccountExists:
      return op.has_balance;
    case Answer::kUnknownAccount:
      return op.kind != OpKind::kTransfer || (op.has_balance && op.balance != 0);
    default:
      // An absent account, and one that nobody looked at, are told to hold nothing.
      return op.has_balance && op.balance != 0;
  }
}

Wide ToldBefore(const Operation& op) {
  if (op.answer == Answer::kOk && op.kind == OpKind::kOpen) return 0;
  return Wide{op.has_balance ? op.balance : 0} - (op.answer == Answer::kOk ? OwnChange(op) : 0);
}

Operation AsDone(const Operation& op) {
  Operation done = op;
  done.fate = Fate::kOk;
  done.answer = Answer::kOk;
  done.has_balance = false;
  return done;
}

}  // namespace bank::checker
