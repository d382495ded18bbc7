#include "checker/model/rules.h"

#include <algorithm>
#include <array>

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

// Gathers holdings again.
class Union {
 public:
  void Add(const Holding& holding) {
    if (holding.absent) {
      absent_ = true;
      return;
    }
    low_ = there_ ? std::min(low_, holding.low) : holding.low;
    high_ = there_ ? std::max(high_, holding.high) : holding.high;
    there_ = true;
  }
  AccountView View() const {
    if (!there_) return {AccountView::kAbsent};
    const auto low = static_cast<int64_t>(low_);
    const auto high = static_cast<int64_t>(high_);
    if (!absent_ && low == high) return {AccountView::kPresent, low};
    return {AccountView::kUnknown, 0, absent_, low, high};
  }

 private:
  bool absent_ = false;
  bool there_ = false;
  Wide low_ = 0;
  Wide high_ = 0;
};

// A condition about a state of which something may be unknown.
enum class Truth { kNo, kMaybe, kYes };

Truth TotalWouldOverflow(const BankView& state, int64_t amount) {
  if (state.total + amount > kBalanceMax) return Truth::kYes;
  return state.total_known || !state.total_may_overflow ? Truth::kNo : Truth::kMaybe;
}
Truth AccountsRunOut(const BankView& state) {
  if (state.accounts >= state.accounts_max) return Truth::kYes;
  return state.accounts_known || !state.accounts_may_run_out ? Truth::kNo : Truth::kMaybe;
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

bool IsCarriedOut(const Operation& op, const BankView& state, Holding* account, Holding* to) {
  if (state.bad_account) return false;
  if (op.kind == OpKind::kOpen) {
    return op.amount >= 0 && account->absent && AccountsRunOut(state) != Truth::kYes &&
           TotalWouldOverflow(state, op.amount) != Truth::kYes;
  }
  if (account->absent) return false;
  if (op.kind == OpKind::kQuery) return true;
  if (op.amount <= 0) return false;
  if (op.kind == OpKind::kDeposit) {
    account->AtMost(kBalanceMax - op.amount);
    return TotalWouldOverflow(state, op.amount) != Truth::kYes;
  }
  account->AtLeast(op.amount);
  if (op.kind == OpKind::kWithdraw) return true;
  to->AtMost(kBalanceMax - op.amount);
  return !to->absent;
}

bool Overflows(const Operation& op, const BankView& state, Holding* account, Holding* to) {
  if (op.kind == OpKind::kTransfer) {
    to->AtLeast(kBalanceMax - op.amount + 1);
    return !to->absent;
  }
  if (op.kind != OpKind::kOpen && op.kind != OpKind::kDeposit) return false;
  if (TotalWouldOverflow(state, op.amount) != Truth::kNo) return true;
  account->AtLeast(kBalanceMax - op.amount + 1);
  return op.kind == OpKind::kDeposit && !account->absent;
}

// Whether the bank may give this answer; narrows what the accounts held before it.
bool AnswerFits(const Operation& op, const BankView& state, Holding* account, Holding* to) {
  const bool is_transfer = op.kind == OpKind::kTransfer;
  switch (op.answer) {
    case Answer::kOk:
      return IsCarriedOut(op, state, account, to);
    case Answer::kInsufficientFunds:
      account->AtMost(Wide{op.amount} - 1);
      return !account->absent && (is_transfer || op.kind == OpKind::kWithdraw);
    case Answer::kUnknownAccount:
      return op.kind != OpKind::kOpen && (account->absent || (is_transfer && to->absent));
    case Answer::kAccountExists:
      return op.kind == OpKind::kOpen && !account->absent;
    case Answer::kBadAmount:
      return op.kind != OpKind::kQuery && op.amount < (op.kind == OpKind::kOpen ? 0 : 1);
    case Answer::kOverflow:
      return Overflows(op, state, account, to);
    case Answer::kBadAccount:
      return state.bad_account;
    case Answer::kTooManyAccounts:
      return op.kind == OpKind::kOpen && AccountsRunOut(state) != Truth::kNo;
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

// Calls `take` with all that the accounts may have held before `op`. False if it does not agree.
template <class Take>
bool ForEachPast(const Operation& op, const BankView& state, const Take& take) {
  const Holdings accounts = Split(state.account);
  const Holdings others =
      op.kind == OpKind::kTransfer ? Split(state.to) : Split({AccountView::kAbsent});
  bool agrees = false;
  for (size_t i = 0; i < accounts.size; ++i) {
    for (size_t k = 0; k < others.size; ++k) {
      Holding account = accounts.held[i];
      Holding to = others.held[k];
      if (!AnswerFits(op, state, &account, &to) || !BalanceFits(op, &account)) continue;
      if (!account.is_possible() || !to.is_possible()) continue;
      agrees = true;
      take(account, to);
    }
  }
  return agrees;
}

// By a change that fits.
void Shift(Wide change, AccountView* view) {
  const auto by = static_cast<int64_t>(change);
  if (view->presence == AccountView::kPresent) view->balance += by;
  if (view->presence != AccountView::kUnknown) return;
  view->low += by;
  view->high += by;
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

bool Agrees(const Operation& op, const BankView& state) {
  return ForEachPast(op, state, [](const Holding&, const Holding&) {});
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

void Carry(const Operation& op, BankView* state) {
  Union account;
  Union to;
  const Wide least = Wide{state->account.least()} + state->to.least();
  const int there = state->account.is_certainly_there() + state->to.is_certainly_there();
  const auto add = [&](const Holding& a, const Holding& b) {
    account.Add(a);
    to.Add(b);
  };
  if (!ForEachPast(op, *state, add)) return;
  state->account = account.View();
  if (op.kind == OpKind::kTransfer) state->to = to.View();
  if (op.answer == Answer::kOk && op.kind == OpKind::kOpen) {
    state->account = {AccountView::kPresent, op.amount};
  } else if (op.answer == Answer::kOk) {
    Shift(OwnChange(op), &state->account);
    if (op.kind == OpKind::kTransfer) Shift(op.amount, &state->to);
  }
  state->total += Wide{state->account.least()} + state->to.least() - least;
  state->accounts += static_cast<uint64_t>(state->account.is_certainly_there() +
                                           state->to.is_certainly_there() - there);
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
