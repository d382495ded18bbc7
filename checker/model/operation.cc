#include "checker/model/operation.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "common/one_line.h"
#include "fmt/format.h"

namespace bank::checker {
namespace {

constexpr size_t kNameBytesMax = 80;

constexpr std::array<std::string_view, kOpKinds> kOpKindNames = {"open", "query", "deposit",
                                                                 "withdraw", "transfer"};
constexpr std::array<std::string_view, kAnswers> kAnswerNames = {
    "ok",        "insufficient_funds", "unknown_account",   "account_exists",  "bad_amount",
    "overflow",  "bad_account",        "too_many_accounts", "unknown_session", "key_reused",
    "forgotten", "window_full",        "not_applied",       "bad_request"};

}  // namespace

std::string_view OpKindName(OpKind kind) { return kOpKindNames[static_cast<size_t>(kind)]; }

std::string_view AnswerName(Answer answer) { return kAnswerNames[static_cast<size_t>(answer)]; }

bool ParseAnswer(std::string_view name, Answer* answer) {
  if (name == "bad_command") name = "bad_request";  // the ledger's own name for it
  for (size_t i = 0; i < kAnswerNames.size(); ++i) {
    if (kAnswerNames[i] == name) {
      *answer = static_cast<Answer>(i);
      return true;
    }
  }
  return false;
}

std::string ShownName(std::string_view name) {
  std::string shown = OneLine(name, kNameBytesMax);
  const bool is_plain =
      !name.empty() && shown == name && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return absl::ascii_isalnum(c) || c >= 0x80 || c == '_' || c == '-' || c == '.' ||
               c == '/' || c == '@' || c == '#';
      });
  return is_plain ? shown : "\"" + shown + "\"";
}

std::string Describe(const Operation& op, const AccountNames& names) {
  std::string out = fmt::format("{}:{} {}", op.process, op.id, OpKindName(op.kind));
  if (op.account != kNoAccount) out += " " + ShownName(names.name(op.account));
  if (op.kind == OpKind::kTransfer && op.to != kNoAccount)
    out += " to " + ShownName(names.name(op.to));
  if (op.is_write()) out += fmt::format(" {}", op.amount);
  out += " -> ";
  switch (op.fate) {
    case Fate::kOk:
      out += AnswerName(op.answer);
      if (op.has_balance) out += fmt::format(", balance {}", op.balance);
      break;
    case Fate::kFail:
      out += "fail (certainly not applied)";
      break;
    case Fate::kInfo:
      out += "info (unknown)";
      break;
  }
  if (op.replayed) out += ", replayed";
  return out;
}

}  // namespace bank::checker
