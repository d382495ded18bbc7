#include "branch/teller/operations.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "branch/ledger/command.h"
#include "common/check.h"
#include "common/planted.h"

namespace bank::teller {
namespace {

using ledger::Command;
using ledger::Kind;

constexpr size_t kRowBytesUsual = 24;

std::string_view Clip(std::string_view name) {
  return name.substr(0, ledger::kAccountNameBytesMax + 1);
}

void GiveKey(const Keys& keys, uint64_t i, Command* command) {
  if (command->kind == Kind::kQuery) return;
  command->session = keys.session;
  command->sequence = keys.session == SessionId{} ? 0 : keys.first_sequence + i;
  command->answered_below = keys.session == SessionId{} ? 0 : keys.answered_below;
}

}  // namespace

bool IsWrite(Kind kind) {
  return kind == Kind::kOpen || kind == Kind::kDeposit || kind == Kind::kWithdraw ||
         kind == Kind::kTransfer;
}

std::string_view AccountOf(const Operation& operation) {
  return operation.account.empty() ? ledger::kSharedAccount : Clip(operation.account);
}

ledger::Code CheckKey(SessionId session, uint64_t sequence, uint64_t answered_below) {
  if (ledger::IsBranchSession(session)) return ledger::Code::kUnknownSession;
  if (session != SessionId{} && answered_below > sequence &&
      !IsPlanted(Planted::kAnsweredBelowUnchecked)) {
    return ledger::Code::kBadCommand;
  }
  return ledger::Code::kOk;
}

Keys KeysOf(const BranchSession::Grant& grant) {
  return {grant.session, grant.first_sequence, grant.answered_below};
}

std::string Encode(const Operation& operation, const Keys& keys) {
  Command command;
  command.kind = operation.kind;
  command.account = AccountOf(operation);
  command.to = operation.kind == Kind::kTransfer ? Clip(operation.to) : std::string_view();
  command.amount = operation.amount;
  GiveKey(keys, 0, &command);
  std::string rows;
  ledger::AppendCommand(command, &rows);
  return rows;
}

std::string Encode(const Batch& batch, const Keys& keys) {
  static constexpr std::string_view kSharedOnly[] = {ledger::kSharedAccount};
  const std::span<const std::string_view> names =
      batch.names.empty() ? std::span<const std::string_view>(kSharedOnly) : batch.names;
  const auto name = [&](std::span<const uint32_t> column, size_t i) {
    return Clip(names[column.empty() ? 0 : column[i]]);
  };
  std::string rows;
  rows.reserve(batch.kind.size() * kRowBytesUsual);
  for (size_t i = 0; i < batch.kind.size(); ++i) {
    Command command;
    command.kind = batch.kind[i];
    command.account = name(batch.account, i);
    if (command.account.empty()) command.account = ledger::kSharedAccount;
    if (command.kind == Kind::kTransfer) command.to = name(batch.to, i);
    if (command.kind != Kind::kQuery && !batch.amount.empty()) command.amount = batch.amount[i];
    GiveKey(keys, i, &command);
    ledger::AppendCommand(command, &rows);
  }
  return rows;
}

std::string Rekey(std::string_view rows, const Keys& keys) {
  std::string batch;
  batch.reserve(rows.size() + rows.size() / 2);
  ledger::CommandReader reader(rows);
  Command command;
  for (uint64_t i = 0; reader.Next(&command); ++i) {
    GiveKey(keys, i, &command);
    ledger::AppendCommand(command, &batch);
  }
  BANK_CHECK(reader.status().ok()) << reader.status().message();
  return batch;
}

std::string FindFault(const Batch& batch) {
  const size_t count = batch.kind.size();
  const auto fits = [count](size_t size) { return size == 0 || size == count; };
  if (!fits(batch.amount.size()) || !fits(batch.account.size()) || !fits(batch.to.size())) {
    return absl::StrCat("columns of other lengths than the ", count, " operations");
  }
  const size_t names = std::max<size_t>(batch.names.size(), 1);
  for (size_t i = 0; i < count; ++i) {
    if (batch.kind[i] != Kind::kQuery && !IsWrite(batch.kind[i])) {
      return absl::StrCat("operation ", i, " is of an unknown kind");
    }
    if ((!batch.account.empty() && batch.account[i] >= names) ||
        (batch.kind[i] == Kind::kTransfer && !batch.to.empty() && batch.to[i] >= names)) {
      return absl::StrCat("operation ", i, " names an account that the batch does not hold");
    }
  }
  return {};
}

}  // namespace bank::teller
