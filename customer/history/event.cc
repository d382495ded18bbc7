#include "customer/history/event.h"

#include <fmt/format.h>

#include <iterator>

namespace bank::history {
namespace {

// A JSON string. Account names are bytes of the customer's choice; those that are no printable
// ASCII go as they are (UTF-8), control characters and quotes escaped.
void AppendString(std::string_view text, std::string* out) {
  out->push_back('"');
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(*out), "\\u{:04x}", static_cast<int>(c));
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

std::string_view EndingName(Ending ending) {
  switch (ending) {
    case Ending::kOk:
      return "ok";
    case Ending::kFail:
      return "fail";
    case Ending::kInfo:
      return "info";
  }
  return "";
}

// What invocation and completion have in common.
void AppendStart(std::string_view type, const Identity& identity, const Operation& operation,
                 std::string* out) {
  fmt::format_to(
      std::back_inserter(*out),
      R"({{"type":"{}","process":{},"id":{},"session":{},"sequence":{},"op":"{}","account":)", type,
      identity.process, identity.id, identity.session.value, identity.sequence,
      OpName(operation.op));
  AppendString(operation.account, out);
  if (operation.op == Op::kTransfer) {
    out->append(R"(,"to":)");
    AppendString(operation.to, out);
  }
  fmt::format_to(std::back_inserter(*out), R"(,"amount":{})", operation.amount);
  if (operation.op != Op::kQuery || operation.freshness == Freshness::kLinearizable) return;
  if (operation.freshness == Freshness::kLocal) {
    out->append(R"(,"consistency":"local")");
  } else {
    fmt::format_to(std::back_inserter(*out), R"(,"consistency":"at_least","minimum":{})",
                   operation.minimum.value);
  }
}

void AppendEnd(BranchId branch, int64_t ns, std::string* out) {
  fmt::format_to(std::back_inserter(*out), ",\"branch\":{},\"ns\":{}}}\n", branch.value, ns);
}

}  // namespace

std::string_view OpName(Op op) {
  switch (op) {
    case Op::kOpen:
      return "open";
    case Op::kQuery:
      return "query";
    case Op::kDeposit:
      return "deposit";
    case Op::kWithdraw:
      return "withdraw";
    case Op::kTransfer:
      return "transfer";
  }
  return "";
}

void AppendHeader(const Header& header, std::string* out) {
  out->append(R"({"type":"header","version":1,"initial":{)");
  bool first = true;
  for (const auto& [account, balance] : header.initial) {
    if (!first) out->push_back(',');
    first = false;
    AppendString(account, out);
    fmt::format_to(std::back_inserter(*out), ":{}", balance);
  }
  fmt::format_to(std::back_inserter(*out), "}},\"processes\":{}}}\n", header.processes);
}

void AppendInvocation(const Identity& identity, const Operation& operation, BranchId branch,
                      int64_t ns, std::string* out) {
  AppendStart("invoke", identity, operation, out);
  AppendEnd(branch, ns, out);
}

void AppendCompletion(const Identity& identity, const Operation& operation,
                      const Completion& completion, BranchId branch, int64_t ns, std::string* out) {
  AppendStart(EndingName(completion.ending), identity, operation, out);
  if (completion.ending == Ending::kOk) {
    fmt::format_to(std::back_inserter(*out), R"(,"result":"{}","balance":{},"index":{}{})",
                   completion.result, completion.balance, completion.index.value,
                   completion.replayed ? R"(,"replayed":true)" : "");
  } else {
    out->append(R"(,"reason":)");
    AppendString(completion.reason, out);
  }
  AppendEnd(branch, ns, out);
}

}  // namespace bank::history
