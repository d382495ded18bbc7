#include "branch/rpc/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>

#include "absl/strings/escaping.h"

namespace bank::rpc {
namespace {

using ledger::Code;
using ledger::Kind;

// At most 40 bytes of what a customer sent, fit to be shown.
std::string Shown(std::string_view text) {
  constexpr size_t kShownMax = 40;
  std::string shown = absl::CHexEscape(std::string(text.substr(0, kShownMax)));
  if (text.size() > kShownMax) shown += "...";
  return shown;
}

// No command: the teller refuses it.
constexpr Kind kNoKind = Kind{0};

Kind KindOf(int kind) {
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
      return kNoKind;
  }
}

teller::Consistency ConsistencyOf(v1::Consistency consistency) {
  switch (consistency) {
    case v1::AT_LEAST:
      return teller::Consistency::kAtLeast;
    case v1::LOCAL:
      return teller::Consistency::kLocal;
    default:  // the strongest, for values of a newer version too
      return teller::Consistency::kLinearizable;
  }
}

template <class Column>
auto SpanOf(const Column& column) {
  return std::span(column.data(), static_cast<size_t>(column.size()));
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

teller::Operation OperationOf(Kind kind, const v1::Request& request) {
  return {.kind = kind,
          .account = request.account(),
          .to = request.to_account(),
          .amount = request.money(),
          .session = SessionId(request.session()),
          .sequence = request.sequence(),
          .answered_below = request.answered_below(),
          .consistency = ConsistencyOf(request.consistency()),
          .minimum_position = Position(request.minimum_position()),
          .clock = request.clock()};
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
      return "no operation of the bank, a sequence below 1, or answered_below above the sequence";
    case Code::kTooManyAccounts:
      return "the bank has as many accounts as it can hold";
    case Code::kTooManySessions:
      return "the bank has as many sessions as it can hold";
  }
  return "refused";
}

void FillReply(const ledger::Outcome& outcome, BranchId branch, v1::Reply* reply) {
  reply->set_success(outcome.code == Code::kOk);
  reply->set_money(outcome.balance);
  reply->set_position(outcome.position.value);
  reply->set_branch(static_cast<uint32_t>(branch.value));
  if (outcome.replayed) reply->set_replayed(true);
  if (outcome.code == Code::kOk) return;
  reply->set_code(static_cast<v1::ResultCode>(outcome.code));
  const std::string_view message = MessageOf(outcome.code);
  reply->set_message(message.data(), message.size());
}

grpc::Status FitInt32(Kind kind, v1::Reply* reply) {
  static constexpr const char* kTooLarge =
      "the balance does not fit the int32 of the exercise's RPCServicer: call bank.v1.Customer, "
      "whose money is int64";
  if (reply->money() <= std::numeric_limits<int32_t>::max()) return grpc::Status::OK;
  reply->clear_money();
  if (kind == Kind::kQuery) return {grpc::StatusCode::OUT_OF_RANGE, kTooLarge};
  if (reply->message().empty()) reply->set_message(kTooLarge);
  return grpc::Status::OK;
}

void FillBadRequest(std::string_view interface, BranchId branch, v1::Reply* reply) {
  reply->set_success(false);
  reply->set_code(v1::BAD_REQUEST);
  reply->set_branch(static_cast<uint32_t>(branch.value));
  reply->set_message(
      fmt::format("unknown interface '{}': expected query, deposit, withdraw, transfer or open",
                  Shown(interface)));
}

grpc::Status StatusOfFate(teller::Fate fate, std::string_view reason, bool deadline_passed) {
  const grpc::StatusCode late =
      deadline_passed ? grpc::StatusCode::DEADLINE_EXCEEDED : grpc::StatusCode::UNAVAILABLE;
  switch (fate) {
    case teller::Fate::kNotApplied:
      return {grpc::StatusCode::ABORTED, fmt::format("not applied: {}", reason)};
    case teller::Fate::kUnavailable:
      return {late, fmt::format("not answered: {}", reason)};
    default:
      return {late, fmt::format("outcome unknown: {}", reason)};
  }
}

grpc::Status StatusOfTooManyOpenings(uint64_t sessions_max) {
  return {grpc::StatusCode::FAILED_PRECONDITION,
          fmt::format("not opened: at this branch this connection, or certificate, may open {} "
                      "sessions an hour; use those it has",
                      sessions_max)};
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

teller::Batch ColumnsOf(const v1::Batch& batch, BatchScratch* scratch) {
  scratch->kind.resize(static_cast<size_t>(batch.kind_size()));
  std::transform(batch.kind().begin(), batch.kind().end(), scratch->kind.begin(), KindOf);
  scratch->names.assign(batch.account_name().begin(), batch.account_name().end());
  return {.kind = scratch->kind,
          .amount = SpanOf(batch.money()),
          .names = scratch->names,
          .account = SpanOf(batch.account()),
          .to = SpanOf(batch.to_account()),
          .session = SessionId(batch.session()),
          .first_sequence = batch.first_sequence(),
          .answered_below = batch.answered_below()};
}

void FillBatchReply(const teller::BatchReply& result, v1::BatchReply* reply) {
  if (result.fate != teller::Fate::kApplied) {
    // Queries that could not be answered changed nothing either.
    reply->set_fate(result.fate == teller::Fate::kUnknown ? v1::BatchReply::UNKNOWN
                                                          : v1::BatchReply::NOT_APPLIED);
    reply->set_message(result.reason);
    return;
  }
  reply->set_fate(v1::BatchReply::APPLIED);
  const int count = static_cast<int>(result.outcomes.size());
  if (count == 0) return;
  auto* codes = reply->mutable_code();
  auto* money = reply->mutable_money();
  auto* steps = reply->mutable_position_step();
  codes->Reserve(count);
  money->Reserve(count);
  steps->Reserve(count);
  uint64_t before = result.outcomes[0].position.value;
  reply->set_first_position(before);
  for (const ledger::Outcome& outcome : result.outcomes) {
    codes->AddAlreadyReserved(static_cast<int>(outcome.code));
    money->AddAlreadyReserved(outcome.balance);
    // Two's complement: a replayed outcome's place may lie before its neighbour's.
    steps->AddAlreadyReserved(static_cast<int64_t>(outcome.position.value - before));
    before = outcome.position.value;
    if (outcome.replayed) {
      reply->mutable_replayed()->Resize(count, false);
      reply->set_replayed(codes->size() - 1, true);
    }
  }
}

}  // namespace bank::rpc
