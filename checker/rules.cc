#include "checker/rules.h"

#include <algorithm>

#include "fmt/format.h"

namespace bank::checker {
namespace {

// Which answers are possible, as bits by Answer; several when the state is not fully known.
using Answers = uint32_t;
constexpr Answers Bit(Answer answer) { return Answers{1} << static_cast<int>(answer); }

// A condition about a state of which something may be unknown.
enum class Truth { kNo, kMaybe, kYes };

Truth IsAbsent(const AccountView& account) {
  if (account.presence == AccountView::kUnknown) return Truth::kMaybe;
  return account.presence == AccountView::kAbsent ? Truth::kYes : Truth::kNo;
}
Truth IsBelow(const AccountView& account, int64_t amount) {
  if (account.presence == AccountView::kUnknown) return Truth::kMaybe;
  if (account.presence == AccountView::kAbsent) return Truth::kNo;
  return account.balance < amount ? Truth::kYes : Truth::kNo;
}
Truth WouldOverflow(const AccountView& account, int64_t amount) {
  if (account.presence == AccountView::kUnknown) return Truth::kMaybe;
  if (account.presence == AccountView::kAbsent) return Truth::kNo;
  return account.balance + amount > kBalanceMax ? Truth::kYes : Truth::kNo;
}
Truth TotalWouldOverflow(const BankView& state, int64_t amount) {
  if (!state.total_known) return state.total_may_overflow ? Truth::kMaybe : Truth::kNo;
  return state.total + amount > kBalanceMax ? Truth::kYes : Truth::kNo;
}
Truth Or(Truth a, Truth b) { return std::max(a, b); }

// Gathers the reasons that hold, or may hold, for refusing.
class Refusals {
 public:
  void Add(Truth truth, Answer answer) {
    if (truth == Truth::kNo) return;
    possible_ |= Bit(answer);
    if (truth == Truth::kYes) certain_ = true;
  }
  Answers answers() const { return possible_ | (certain_ ? 0 : Bit(Answer::kOk)); }

 private:
  Answers possible_ = 0;
  bool certain_ = false;
};

Truth TruthOf(bool value) { return value ? Truth::kYes : Truth::kNo; }

Answers PossibleAnswers(const Operation& op, const BankView& state) {
  Refusals refusals;
  refusals.Add(TruthOf(state.bad_account), Answer::kBadAccount);
  switch (op.kind) {
    case OpKind::kOpen:
      refusals.Add(TruthOf(op.amount < 0), Answer::kBadAmount);
      refusals.Add(state.account.presence == AccountView::kUnknown
                       ? Truth::kMaybe
                       : TruthOf(state.account.presence == AccountView::kPresent),
                   Answer::kAccountExists);
      refusals.Add(state.accounts_known         ? TruthOf(state.accounts >= state.accounts_max)
                   : state.accounts_may_run_out ? Truth::kMaybe
                                                : Truth::kNo,
                   Answer::kTooManyAccounts);
      refusals.Add(TotalWouldOverflow(state, op.amount), Answer::kOverflow);
      break;
    case OpKind::kQuery:
      refusals.Add(IsAbsent(state.account), Answer::kUnknownAccount);
      break;
    case OpKind::kDeposit:
      refusals.Add(TruthOf(op.amount <= 0), Answer::kBadAmount);
      refusals.Add(IsAbsent(state.account), Answer::kUnknownAccount);
      refusals.Add(
          Or(WouldOverflow(state.account, op.amount), TotalWouldOverflow(state, op.amount)),
          Answer::kOverflow);
      break;
    case OpKind::kWithdraw:
      refusals.Add(TruthOf(op.amount <= 0), Answer::kBadAmount);
      refusals.Add(IsAbsent(state.account), Answer::kUnknownAccount);
      refusals.Add(IsBelow(state.account, op.amount), Answer::kInsufficientFunds);
      break;
    case OpKind::kTransfer:
      refusals.Add(TruthOf(op.amount <= 0), Answer::kBadAmount);
      refusals.Add(Or(IsAbsent(state.account), IsAbsent(state.to)), Answer::kUnknownAccount);
      refusals.Add(IsBelow(state.account, op.amount), Answer::kInsufficientFunds);
      refusals.Add(WouldOverflow(state.to, op.amount), Answer::kOverflow);
      break;
  }
  return refusals.answers();
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

// The balance that `op` must report; false if nothing is known about it.
bool ExpectedBalance(const Operation& op, const BankView& state, Wide* balance) {
  if (op.answer == Answer::kOk && op.kind == OpKind::kOpen) return *balance = op.amount, true;
  if (state.account.presence == AccountView::kUnknown) return false;
  *balance = state.account.presence == AccountView::kPresent ? state.account.balance : 0;
  if (op.answer == Answer::kOk) *balance += OwnChange(op);
  return true;
}

bool BalanceFits(const Operation& op, const BankView& state) {
  if (!op.has_balance) return true;
  Wide expected = 0;
  if (ExpectedBalance(op, state, &expected)) {
    // A request that is refused as malformed need not look at the account.
    const bool malformed = op.answer == Answer::kBadAmount || op.answer == Answer::kBadAccount ||
                           op.answer == Answer::kUnknownAccount;
    return expected == op.balance || (malformed && op.balance == 0);
  }
  // All that is known is what the operation itself did.
  if (op.balance < 0) return false;
  if (op.answer == Answer::kInsufficientFunds) return op.balance < op.amount;
  if (op.answer != Answer::kOk) return true;
  if (op.kind == OpKind::kDeposit) return op.balance >= op.amount;
  if (op.kind == OpKind::kQuery) return true;
  return static_cast<Wide>(op.balance) + op.amount <= kBalanceMax;
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
  return (PossibleAnswers(op, state) & Bit(op.answer)) != 0 && BalanceFits(op, state);
}

std::string Disagreement(const Operation& op, const BankView& state) {
  const Answers possible = PossibleAnswers(op, state);
  if ((possible & Bit(op.answer)) == 0) {
    std::string expected;
    for (int i = 0; i < kAnswers; ++i) {
      const auto answer = static_cast<Answer>(i);
      if ((possible & Bit(answer)) == 0) continue;
      if (!expected.empty()) expected += " or ";
      expected += AnswerName(answer);
    }
    const std::string before =
        state.account.presence == AccountView::kPresent
            ? fmt::format("with a balance of {} before it", ToString(state.account.balance))
        : state.account.presence == AccountView::kAbsent
            ? std::string("as the account does not exist")
            : std::string("whatever the account holds");
    return fmt::format("answered {}, but {} it must be {}", AnswerName(op.answer), before,
                       expected);
  }
  if (BalanceFits(op, state)) return "";
  Wide expected = 0;
  if (ExpectedBalance(op, state, &expected)) {
    return fmt::format("reports balance {}, but it must be {}", op.balance, ToString(expected));
  }
  return fmt::format("reports balance {}, which no balance before it can give", op.balance);
}

Wide ChangeOf(const Operation& op, uint32_t account) {
  if (op.kind == OpKind::kTransfer) {
    return (op.to == account ? Wide{op.amount} : 0) - (op.account == account ? Wide{op.amount} : 0);
  }
  if (op.account != account || op.kind == OpKind::kQuery) return 0;
  return op.kind == OpKind::kWithdraw ? -Wide{op.amount} : Wide{op.amount};
}

bool WouldSucceed(const Operation& op, const BankView& state) {
  return (PossibleAnswers(op, state) & Bit(Answer::kOk)) != 0;
}

}  // namespace bank::checker
