#include "tests/sim/model.h"

#include <limits>

namespace bank::sim {

using ledger::Code;
using ledger::Kind;

namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

}  // namespace

ledger::Code Model::Change(const Operation& op) {
  const auto from = balances_.find(op.account);
  switch (op.kind) {
    case Kind::kOpen:
      if (op.amount < 0) return Code::kBadAmount;
      if (from != balances_.end()) return Code::kAccountExists;
      if (op.amount > kMost - total_) return Code::kOverflow;
      balances_[op.account] = op.amount;
      total_ += op.amount;
      return Code::kOk;
    case Kind::kDeposit:
      if (op.amount <= 0) return Code::kBadAmount;
      if (from == balances_.end()) return Code::kUnknownAccount;
      if (op.amount > kMost - total_) return Code::kOverflow;
      from->second += op.amount;
      total_ += op.amount;
      return Code::kOk;
    case Kind::kWithdraw:
      if (op.amount <= 0) return Code::kBadAmount;
      if (from == balances_.end()) return Code::kUnknownAccount;
      if (op.amount > from->second) return Code::kInsufficientFunds;
      from->second -= op.amount;
      total_ -= op.amount;
      return Code::kOk;
    case Kind::kTransfer: {
      if (op.account == op.to) return Code::kBadAccount;
      if (op.amount <= 0) return Code::kBadAmount;
      const auto to = balances_.find(op.to);
      if (from == balances_.end() || to == balances_.end()) return Code::kUnknownAccount;
      if (op.amount > from->second) return Code::kInsufficientFunds;
      from->second -= op.amount;
      to->second += op.amount;
      return Code::kOk;
    }
    default:
      return Code::kBadCommand;
  }
}

Model::Answer Model::Apply(const Operation& operation) {
  const Code code = Change(operation);
  return {code, Read(operation.account).balance};
}

Model::Answer Model::Read(const std::string& account) const {
  const auto it = balances_.find(account);
  if (it == balances_.end()) return {Code::kUnknownAccount, 0};
  return {Code::kOk, it->second};
}

}  // namespace bank::sim
