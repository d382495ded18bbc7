#include "checker/jepsen/bank_judge.h"

#include <algorithm>
#include <map>

#include "checker/jepsen/bank_search.h"
#include "checker/jepsen/bank_trial.h"
#include "checker/jepsen/verify_bank_order.h"
#include "checker/search/shorten.h"

namespace bank::checker {
namespace {

using Function = JepsenOperation::Function;
constexpr int64_t kMorePatience = 3 * BankSearch::kPatience;
constexpr std::chrono::milliseconds kBankTryTime{50};

}  // namespace

BankAnswer JudgeBank(const BankSteps& bank, const Budget& budget) {
  // What one search loses itself in, another way of choosing may find at once.
  BankSearch hasty(bank, budget.Share(2, 3));
  BankSearch::Answer answer = hasty.Run();
  std::vector<size_t> order = hasty.order();
  if (answer == BankSearch::Answer::kUnknown) {
    BankSearch patient(bank, budget, kMorePatience);
    answer = patient.Run();
    order = patient.order();
  }
  if (answer == BankSearch::Answer::kViolation) return BankAnswer::kViolation;
  if (answer == BankSearch::Answer::kExplained) {
    return Explains(bank, order) ? BankAnswer::kExplained : BankAnswer::kUnknown;
  }
  if (answer == BankSearch::Answer::kOverdrawn) {
    BankSteps lenient = bank;
    lenient.overdrafts = true;
    if (BankSearch(lenient, budget).Run() == BankSearch::Answer::kViolation) {
      return BankAnswer::kViolation;
    }
  }
  if (budget.IsOver()) return BankAnswer::kUnknown;
  BankTrial trial(bank, budget);
  switch (trial.Run()) {
    case BankTrial::Answer::kExplained:
      return Explains(bank, trial.order()) ? BankAnswer::kExplained : BankAnswer::kUnknown;
    case BankTrial::Answer::kViolation:
      return BankAnswer::kViolation;
    case BankTrial::Answer::kUnknown:
      break;
  }
  return BankAnswer::kUnknown;
}

BankSteps StepsOfBank(const std::vector<JepsenOperation>& operations,
                      const std::vector<size_t>& members, bool overdrafts) {
  BankSteps bank;
  bank.overdrafts = overdrafts;
  std::map<std::string, uint32_t> numbers;
  const auto number = [&](const std::string& account) {
    return numbers.try_emplace(account, static_cast<uint32_t>(numbers.size())).first->second;
  };
  for (size_t i : members) {
    const JepsenOperation& op = operations[i];
    if (op.function != Function::kReadAll) continue;
    for (const auto& [account, balance] : op.balances) number(account);
  }
  bank.shown = static_cast<uint32_t>(numbers.size());
  for (size_t i : members) {
    const JepsenOperation& op = operations[i];
    BankStep step;
    step.reads = op.function != Function::kTransfer;
    if (op.fate == Fate::kFail || (step.reads && op.fate != Fate::kOk)) continue;
    step.event = i;
    step.invoke = op.invoke;
    step.over = op.over;
    if (step.reads) {
      step.balances.resize(bank.shown);
      for (const auto& [account, balance] : op.balances) step.balances[number(account)] = balance;
    } else {
      step.from = number(op.first);
      step.to = number(op.second);
      step.amount = op.amount;
    }
    bank.steps.push_back(std::move(step));
  }
  bank.accounts = static_cast<uint32_t>(numbers.size());
  return bank;
}

BankViolation ExplainBank(const BankSteps& bank, const Budget& budget) {
  const Budget half = budget.Share(1, 2);
  BankSteps tried = bank;
  tried.overdrafts = true;
  BankSearch lenient(tried, half);
  const BankSearch::Answer answer = lenient.Run();
  // If it is wrong whoever is overdrawn, so is what is left of it; that is quicker to see.
  tried.overdrafts = bank.overdrafts || answer == BankSearch::Answer::kViolation;
  const auto fails = [&](const std::vector<BankStep>& some) {
    tried.steps = some;
    return !budget.IsOver() &&
           JudgeBank(tried, budget.AtMost(kBankTryTime)) == BankAnswer::kViolation;
  };
  BankViolation violation;
  for (const BankStep& step : Shorten(bank.steps, true, fails)) {
    violation.culprits.push_back(step.event);
  }
  const bool is_overdraft = !bank.overdrafts && answer == BankSearch::Answer::kExplained;
  violation.why = is_overdraft ? "an account is overdrawn, whatever the order of these"
                               : "no order of the operations explains this";
  return violation;
}

}  // namespace bank::checker
