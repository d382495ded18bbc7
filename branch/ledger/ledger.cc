#include "branch/ledger/ledger.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "branch/ledger/state.h"
#include "common/check.h"
#include "common/planted.h"

namespace bank::ledger {
namespace {

bool IsAccountName(std::string_view name) {
  return !name.empty() && name.size() <= kAccountNameBytesMax;
}

bool HasEffect(Kind kind) {
  return kind == Kind::kOpen || kind == Kind::kDeposit || kind == Kind::kWithdraw ||
         kind == Kind::kTransfer;
}

uint64_t ChainHistory(uint64_t history, const Row& row, const Outcome& outcome) {
  const uint64_t answer[] = {static_cast<uint64_t>(outcome.code) | uint64_t{outcome.replayed} << 8,
                             outcome.position.value, static_cast<uint64_t>(outcome.balance)};
  return XXH3_64bits_withSeed(answer, sizeof(answer), DigestBytes(row.bytes, history));
}

}  // namespace

absl::Status ValidateLimits(const Limits& limits) {
  if (limits.session_window_max < 1 || limits.session_window_max > kSessionWindowLimit) {
    return absl::InvalidArgumentError(absl::StrCat("session_window_max ", limits.session_window_max,
                                                   " is not in 1..", kSessionWindowLimit));
  }
  if (limits.sessions_max < 1) return absl::InvalidArgumentError("sessions_max is 0");
  if (limits.remembered_max < 1) return absl::InvalidArgumentError("remembered_max is 0");
  if (limits.session_idle_ms_max < 0) {
    return absl::InvalidArgumentError("session_idle_ms_max is negative");
  }
  return absl::OkStatus();
}

Ledger::Ledger(Limits limits) : state_(std::make_unique<State>()) {
  const absl::Status valid = ValidateLimits(limits);
  BANK_CHECK(valid.ok()) << valid.message();
  state_->limits = limits;
}
Ledger::~Ledger() = default;
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;

absl::Status Ledger::Apply(std::string_view payload, std::vector<Outcome>* outcomes) {
  EntryHeader header;
  std::string_view batch;
  if (absl::Status status = DecodeEntry(payload, &header, &batch); !status.ok()) return status;
  if (absl::Status status = ValidateBatch(batch, header.count); !status.ok()) return status;

  State& state = *state_;
  state.time_ms = std::max(state.time_ms, header.time_ms);
  state.sessions.ExpireIdle(state.time_ms, state.limits.session_idle_ms_max);
  outcomes->reserve(outcomes->size() + header.count);
  Row row;
  while (TakeRow(&batch, &row)) {
    if (IsPlanted(Planted::kBatchInPart) && batch.empty() && header.count > 1) {
      outcomes->push_back({Code::kOk, false, state.position, 0});
      break;
    }
    const Outcome outcome = state.ApplyRow(row);
    state.history_digest = ChainHistory(state.history_digest, row, outcome);
    outcomes->push_back(outcome);
  }
  return absl::OkStatus();
}

Outcome Ledger::State::ApplyRow(const Row& row) {
  const Command& command = row.command;
  if (command.kind == Kind::kQuery) return Query(command.account);
  if (command.kind == Kind::kOpenSession) return OpenSession();
  if (command.session != SessionId{} || command.kind == Kind::kResolve) return ApplyKeyed(row);

  if (command.kind == Kind::kOpen) {
    const Code code = Execute(command);
    if (code == Code::kOk) NextPosition();
    return Answer(code, command.account);
  }
  return Answer(HasEffect(command.kind) ? Code::kUnknownSession : Code::kBadCommand,
                command.account);
}

Outcome Ledger::State::ApplyKeyed(const Row& row) {
  const Command& command = row.command;
  Session* session = sessions.Find(command.session);
  if (session == nullptr) return Answer(Code::kUnknownSession, command.account);
  sessions.Use(session, time_ms, command.answered_below);
  const Window& window = session->window;
  if (command.sequence == 0) return Answer(Code::kBadCommand, command.account);
  if (command.sequence < window.floor()) return Answer(Code::kForgotten, command.account);
  if (command.sequence - window.floor() >= limits.session_window_max) {
    return Answer(Code::kWindowFull, command.account);
  }

  const bool resolve = command.kind == Kind::kResolve;
  const uint64_t fingerprint = resolve ? 0 : row.Fingerprint();
  if (const Remembered* first = window.Find(command.sequence); first != nullptr) {
    const bool sealed = first->code == Code::kNotApplied;
    if (!resolve && !sealed && first->fingerprint != fingerprint &&
        !IsPlanted(Planted::kKeyReuseUnseen)) {
      return Answer(Code::kKeyReused, command.account);
    }
    return Outcome{first->code, true, first->position, first->balance};
  }

  Outcome outcome;
  outcome.code = resolve ? Code::kNotApplied : Execute(command);
  outcome.position = NextPosition();
  outcome.balance = resolve ? 0 : BalanceOf(command.account);
  Remembered record;
  record.fingerprint = fingerprint;
  record.position = outcome.position;
  record.balance = outcome.balance;
  record.code = outcome.code;
  if (IsPlanted(Planted::kNoDedup)) return outcome;
  if (IsPlanted(Planted::kRefusalForgotten) && !resolve && record.code != Code::kOk) return outcome;
  if (IsPlanted(Planted::kLookupWithoutSeal) && resolve) return outcome;
  sessions.Remember(session, command.sequence, record);
  sessions.ShrinkRememberedTo(limits.remembered_max);  // not this one: it is the one used last
  return outcome;
}

// Applies the command to the accounts, or refuses it and changes nothing.
Code Ledger::State::Execute(const Command& command) {
  if (!HasEffect(command.kind)) return Code::kBadCommand;
  if (!IsAccountName(command.account)) return Code::kBadAccount;
  if (command.kind == Kind::kOpen) return Open(command);
  if (command.kind == Kind::kTransfer) return Transfer(command);

  if (command.amount <= 0) return Code::kBadAmount;
  Account* account = accounts.Find(command.account);
  if (account == nullptr) return Code::kUnknownAccount;
  if (command.kind == Kind::kWithdraw) {
    const int64_t unseen = IsPlanted(Planted::kOverdraft) ? 1 : 0;
    if (account->balance < command.amount - unseen) return Code::kInsufficientFunds;
    accounts.Withdraw(account, command.amount);
    return Code::kOk;
  }
  // No balance exceeds the total: one check covers both.
  if (command.amount > std::numeric_limits<int64_t>::max() - accounts.total() &&
      !IsPlanted(Planted::kOverflowWraps)) {
    return Code::kOverflow;
  }
  accounts.Deposit(account, command.amount);
  return Code::kOk;
}

Code Ledger::State::Open(const Command& command) {
  if (command.amount < 0) return Code::kBadAmount;
  if (accounts.Find(command.account) != nullptr) return Code::kAccountExists;
  if (accounts.size() >= limits.accounts_max) return Code::kTooManyAccounts;
  if (command.amount > std::numeric_limits<int64_t>::max() - accounts.total()) {
    return Code::kOverflow;
  }
  accounts.Open(command.account, command.amount);
  return Code::kOk;
}

Code Ledger::State::Transfer(const Command& command) {
  if (!IsAccountName(command.to) || command.to == command.account) return Code::kBadAccount;
  if (command.amount <= 0) return Code::kBadAmount;
  Account* from = accounts.Find(command.account);
  Account* to = accounts.Find(command.to);
  if (from == nullptr || to == nullptr) return Code::kUnknownAccount;
  if (from->balance < command.amount) return Code::kInsufficientFunds;
  accounts.Transfer(from, to, command.amount);  // cannot overflow: the total stays
  return Code::kOk;
}

Outcome Ledger::State::OpenSession() {
  sessions.ShrinkTo(limits.sessions_max - 1);
  Outcome outcome;
  outcome.code = Code::kOk;
  outcome.position = NextPosition();
  sessions.Open(SessionId(outcome.position.value), time_ms);
  return outcome;
}

Outcome Ledger::State::Query(std::string_view name) const {
  if (!IsAccountName(name)) return Answer(Code::kBadAccount, {});
  const Account* account = accounts.Find(name);
  if (account == nullptr) return Outcome{Code::kUnknownAccount, false, position, 0};
  return Outcome{Code::kOk, false, position, account->balance};
}

int64_t Ledger::State::BalanceOf(std::string_view name) const {
  const Account* account = accounts.Find(name);
  return account == nullptr ? 0 : account->balance;
}

// At the present position.
Outcome Ledger::State::Answer(Code code, std::string_view account) const {
  return Outcome{code, false, position, BalanceOf(account)};
}

Outcome Ledger::Query(std::string_view account) const { return state_->Query(account); }
Position Ledger::position() const { return state_->position; }
int64_t Ledger::time_ms() const { return state_->time_ms; }

Summary Ledger::summary() const {
  Summary summary;
  summary.position = state_->position;
  summary.time_ms = state_->time_ms;
  summary.accounts = state_->accounts.size();
  summary.sessions = state_->sessions.size();
  summary.balance_total = state_->accounts.total();
  summary.state_digest = state_->state_digest();
  summary.history_digest = state_->history_digest;
  return summary;
}

std::vector<AccountView> Ledger::TopAccounts(size_t limit) const {
  std::vector<AccountView> top;
  for (const auto& [name, balance] : state_->accounts.Top(limit)) {
    top.push_back({std::string(name), balance});
  }
  return top;
}

std::vector<SessionView> Ledger::IdleSessions(size_t limit) const {
  std::vector<SessionView> idle;
  for (const Session& session : state_->sessions.ByLastUse()) {
    if (idle.size() == limit) break;
    const auto records = session.window.records();
    SessionView view;
    view.id = session.id;
    view.idle_ms = state_->time_ms - session.last_use_ms;
    if (!records.empty()) {
      view.window_used = session.window.SequenceOf(records.back()) - session.window.floor() + 1;
    }
    view.window_max = state_->limits.session_window_max;
    view.remembered = records.size();
    idle.push_back(view);
  }
  return idle;
}

absl::Status Ledger::CheckConservation() const { return state_->CheckConservation(); }

absl::Status Ledger::State::CheckConservation() const {
  const Accounts::Audit audit = accounts.Recompute();
  const Turnover& turnover = accounts.turnover();
  // The sum is compared, not a difference, so that a damaged counter cannot wrap around.
  if (turnover.opened + turnover.deposited != audit.total + turnover.withdrawn) {
    return absl::InternalError(absl::StrCat(
        "money is not conserved: opened ", absl::Uint128Low64(turnover.opened), " + deposited ",
        absl::Uint128Low64(turnover.deposited), " - withdrawn ",
        absl::Uint128Low64(turnover.withdrawn), " (all modulo 2^64) is not the sum of balances ",
        absl::Uint128Low64(audit.total)));
  }
  if (audit.total != absl::uint128(static_cast<uint64_t>(accounts.total()))) {
    return absl::InternalError(absl::StrCat("the running total ", accounts.total(),
                                            " is not the sum of balances ",
                                            absl::Uint128Low64(audit.total)));
  }
  const uint64_t digest = audit.digest + sessions.RecomputeDigest();
  if (digest != state_digest()) {
    return absl::InternalError(absl::StrCat("the running digest ", absl::Hex(state_digest()),
                                            " is not that of the state ", absl::Hex(digest)));
  }
  return absl::OkStatus();
}

}  // namespace bank::ledger
