#include "customer/client/wire.h"

#include <fmt/format.h>

namespace bank::client {

CallFate FateOf(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
      return CallFate::kReplied;
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::ABORTED:
      return CallFate::kNotApplied;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::UNIMPLEMENTED:
      return CallFate::kRejected;
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return CallFate::kDenied;
    default:
      return CallFate::kUnknown;
  }
}

ReplyKind KindOf(v1::ResultCode code) {
  switch (code) {
    case v1::UNKNOWN_SESSION:
    case v1::KEY_REUSED:
    case v1::FORGOTTEN:
      return ReplyKind::kLostKey;
    case v1::WINDOW_FULL:
      return ReplyKind::kTryLater;
    case v1::NOT_APPLIED:
      return ReplyKind::kNotApplied;
    default:
      return ReplyKind::kFinal;
  }
}

std::string_view ResultName(v1::ResultCode code) {
  switch (code) {
    case v1::OK:
      return "ok";
    case v1::INSUFFICIENT_FUNDS:
      return "insufficient_funds";
    case v1::UNKNOWN_ACCOUNT:
      return "unknown_account";
    case v1::ACCOUNT_EXISTS:
      return "account_exists";
    case v1::BAD_AMOUNT:
      return "bad_amount";
    case v1::OVERFLOW_REFUSED:
      return "overflow";
    case v1::BAD_ACCOUNT:
      return "bad_account";
    case v1::UNKNOWN_SESSION:
      return "unknown_session";
    case v1::KEY_REUSED:
      return "key_reused";
    case v1::FORGOTTEN:
      return "forgotten";
    case v1::WINDOW_FULL:
      return "window_full";
    case v1::NOT_APPLIED:
      return "not_applied";
    case v1::BAD_REQUEST:
      return "bad_request";
    case v1::TOO_MANY_ACCOUNTS:
      return "too_many_accounts";
    default:
      return "unknown_code";
  }
}

void FillRequest(const history::Operation& operation, const history::Identity& identity,
                 uint64_t answered_below, v1::Request* request) {
  const std::string_view name = history::OpName(operation.op);
  request->set_request(name.data(), name.size());
  request->set_money(operation.amount);
  request->set_account(operation.account);
  if (operation.op == history::Op::kTransfer) request->set_to_account(operation.to);
  if (operation.op == history::Op::kQuery) {
    switch (operation.freshness) {
      case history::Freshness::kLinearizable:
        break;
      case history::Freshness::kAtLeast:
        request->set_consistency(v1::AT_LEAST);
        request->set_minimum_position(operation.minimum.value);
        break;
      case history::Freshness::kLocal:
        request->set_consistency(v1::LOCAL);
        break;
    }
  } else if (identity.session != SessionId()) {
    request->set_session(identity.session.value);
    request->set_sequence(identity.sequence);
    request->set_answered_below(answered_below);
  }
}

v1::Batch::Kind BatchKind(history::Op op) {
  switch (op) {
    case history::Op::kOpen:
      return v1::Batch::OPEN;
    case history::Op::kQuery:
      return v1::Batch::QUERY;
    case history::Op::kDeposit:
      return v1::Batch::DEPOSIT;
    case history::Op::kWithdraw:
      return v1::Batch::WITHDRAW;
    case history::Op::kTransfer:
      return v1::Batch::TRANSFER;
  }
  return v1::Batch::QUERY;
}

std::chrono::system_clock::time_point GrpcDeadline(int64_t deadline_ns, int64_t now_ns) {
  return std::chrono::system_clock::now() + std::chrono::nanoseconds(deadline_ns - now_ns);
}

std::string Describe(const grpc::Status& status) {
  static constexpr const char* kNames[] = {
      "ok",           "cancelled",         "unknown",
      "invalid",      "deadline exceeded", "not found",
      "exists",       "permission denied", "resource exhausted",
      "not now",      "aborted",           "out of range",
      "no such call", "internal",          "unavailable",
      "data loss",    "not authenticated"};
  const auto code = static_cast<size_t>(status.error_code());
  const char* name = code < std::size(kNames) ? kNames[code] : "unknown";
  if (status.error_message().empty()) return name;
  return fmt::format("{}: {}", name, status.error_message());
}

}  // namespace bank::client
