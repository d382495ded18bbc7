#include "branch/rpc/convert.h"

#include <fmt/format.h>

#include "absl/strings/escaping.h"

namespace bank::rpc {
namespace {

using ledger::Code;
using ledger::Kind;

// More operations than this in one batch only make everybody wait; split them.
constexpr int kBatchOperationsMax = 65'536;

// At most 40 bytes of what a customer sent, fit to be shown.
std::string Shown(std::string_view text) {
  constexpr size_t kShownMax = 40;
  std::string shown = absl::CHexEscape(std::string(text.substr(0, kShownMax)));
  if (text.size() > kShownMax) shown += "...";
  return shown;
}

std::optional<Kind> KindOf(int kind) {
  switch (kind) {
    case v1::Batch::QUERY:
      return Kind::kQuery;
    case v1::Batch::DEPOSIT:
      return Kind::kDeposit;
    case v1::Batch::WITHDRAW:
      return Kind::kWithdraw;
    case v1::Batch::OPEN:
      return Kind::kOpen;
    case v1::Batch::TRANSFER:
      return Kind::kTransfer;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Kind> KindOfInterface(std::string_view name) {
  if (name == "deposit") return Kind::kDeposit;
  if (name == "withdraw") return Kind::kWithdraw;
  if (name == "query") return Kind::kQuery;
  if (name == "transfer") return Kind::kTransfer;
  if (name == "open") return Kind::kOpen;
  return std::nullopt;
}

std::string_view MessageOf(Code code) {
  switch (code) {
    case Code::kOk:
      return "";
    case Code::kInsufficientFunds:
      return "insufficient funds";
    case Code::kUnknownAccount:
      return "there is no such account";
    case Code::kAccountExists:
      return "the account is open already";
    case Code::kBadAmount:
      return "the amount must be greater than zero";
    case Code::kOverflow:
      return "the balance, or the bank's total, would pass 2^63-1";
    case Code::kBadAccount:
      return "an account's name has 1 to 128 bytes, and a transfer goes to another account";
    case Code::kUnknownSession:
      return "the session was never opened, or has expired";
    case Code::kKeyReused:
      return "this key came before with another operation";
    case Code::kForgotten:
      return "this key was answered, and the answer is no longer remembered";
    case Code::kWindowFull:
      return "too many operations of this session are unanswered";
    case Code::kNotApplied:
      return "not applied, now or ever";
    case Code::kBadCommand:
      return "unknown operation";
    case Code::kTooManyAccounts:
      return "the bank has as many accounts as it can hold";
  }
  return "refused";
}

void FillReply(const ledger::Outcome& outcome, BranchId branch, v1::Reply* reply) {
  reply->set_success(outcome.code == Code::kOk);
  reply->set_money(outcome.balance);
  reply->set_log_index(outcome.position.value);
  reply->set_branch(static_cast<uint32_t>(branch.value));
  if (outcome.replayed) reply->set_replayed(true);
  if (outcome.code == Code::kOk) return;
  reply->set_code(static_cast<v1::ResultCode>(outcome.code));
  const std::string_view message = MessageOf(outcome.code);
  reply->set_message(message.data(), message.size());
}

void FillBadRequest(std::string_view interface, BranchId branch, v1::Reply* reply) {
  reply->set_success(false);
  reply->set_code(v1::BAD_REQUEST);
  reply->set_branch(static_cast<uint32_t>(branch.value));
  reply->set_message(
      fmt::format("unknown interface '{}': expected query, deposit, withdraw, transfer or open",
                  Shown(interface)));
}

grpc::Status StatusOfFate(replication::Fate fate, std::string_view reason, bool deadline_passed) {
  if (fate == replication::Fate::kNotApplied) {
    return {grpc::StatusCode::ABORTED, fmt::format("not applied: {}", reason)};
  }
  return {deadline_passed ? grpc::StatusCode::DEADLINE_EXCEEDED : grpc::StatusCode::UNAVAILABLE,
          fmt::format("outcome unknown: {}", reason)};
}

grpc::Status StatusOfRead(const absl::Status& status) {
  grpc::StatusCode code = grpc::StatusCode::UNAVAILABLE;
  if (status.code() == absl::StatusCode::kDeadlineExceeded) {
    code = grpc::StatusCode::DEADLINE_EXCEEDED;
  } else if (status.code() == absl::StatusCode::kInvalidArgument) {
    code = grpc::StatusCode::INVALID_ARGUMENT;
  }
  return {code, std::string(status.message())};
}

absl::Status ReadBatch(const v1::Batch& batch, std::vector<ledger::Command>* commands) {
  const int count = batch.kind_size();
  const int names = batch.account_name_size();
  if (count == 0) return absl::InvalidArgumentError("a batch has at least one operation");
  if (count > kBatchOperationsMax) {
    return absl::InvalidArgumentError(
        fmt::format("a batch has at most {} operations, not {}", kBatchOperationsMax, count));
  }
  const auto fits = [&](int size) { return size == 0 || size == count; };
  if (!fits(batch.money_size()) || !fits(batch.account_size()) || !fits(batch.to_account_size())) {
    return absl::InvalidArgumentError(
        fmt::format("the columns money, account and to_account must be empty or as long as kind: {}"
                    ", {} and {} instead of {}",
                    batch.money_size(), batch.account_size(), batch.to_account_size(), count));
  }
  // Index into account_name; without any name everything is about the shared account.
  const auto name_at = [&](int column_size, const auto& column, int i, std::string_view* name) {
    const uint32_t index = column_size == 0 ? 0 : column[i];
    if (names == 0 && index == 0) {
      *name = ledger::kSharedAccount;
      return true;
    }
    if (index >= static_cast<uint32_t>(names)) return false;
    *name = batch.account_name(static_cast<int>(index));
    return true;
  };
  commands->resize(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    ledger::Command& command = (*commands)[static_cast<size_t>(i)];
    const std::optional<Kind> kind = KindOf(batch.kind(i));
    if (!kind) {
      return absl::InvalidArgumentError(
          fmt::format("operation {}: unknown kind {}", i, static_cast<int>(batch.kind(i))));
    }
    command = {};
    command.kind = *kind;
    bool named = name_at(batch.account_size(), batch.account(), i, &command.account);
    if (*kind != Kind::kQuery && batch.money_size() != 0) command.amount = batch.money(i);
    if (*kind == Kind::kTransfer) {
      named = named && name_at(batch.to_account_size(), batch.to_account(), i, &command.to);
    }
    if (!named) {
      return absl::InvalidArgumentError(
          fmt::format("operation {}: its account is not in account_name", i));
    }
  }
  return absl::OkStatus();
}

void FillBatchReply(const std::vector<ledger::Outcome>& outcomes, v1::BatchReply* reply) {
  const int count = static_cast<int>(outcomes.size());
  reply->set_fate(v1::BatchReply::APPLIED);
  if (count == 0) return;
  auto* codes = reply->mutable_code();
  auto* money = reply->mutable_money();
  auto* steps = reply->mutable_log_index_step();
  codes->Reserve(count);
  money->Reserve(count);
  steps->Reserve(count);
  uint64_t before = outcomes[0].position.value;
  reply->set_first_log_index(before);
  for (const ledger::Outcome& outcome : outcomes) {
    codes->AddAlreadyReserved(static_cast<int>(outcome.code));
    money->AddAlreadyReserved(outcome.balance);
    // Two's complement: a replayed outcome's place may lie before its neighbour's.
    steps->AddAlreadyReserved(static_cast<int64_t>(outcome.position.value - before));
    before = outcome.position.value;
  }
}

}  // namespace bank::rpc
