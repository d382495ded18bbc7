#include "branch/ledger/ledger.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "branch/ledger/state.h"
#include "common/check.h"
#include "common/planted.h"

namespace bank::ledger {
namespace {

// Fewer are in the processor's caches.
constexpr uint64_t kPrefetchAccountsMin = 10'000;

bool IsAccountName(std::string_view name) {
  return !name.empty() && name.size() <= kAccountNameBytesMax;
}

bool HasEffect(Kind kind) {
  return kind == Kind::kOpen || kind == Kind::kDeposit || kind == Kind::kWithdraw ||
         kind == Kind::kTransfer;
}

// Six hexadecimal digits of a hash: the other 40 bits of an id remain unknown.
std::string TagOf(SessionId id) {
  constexpr uint64_t kTagMask = 0xffffff;
  return absl::StrCat(absl::Hex(DigestWords(Domain::kTag, id.value) & kTagMask, absl::kZeroPad6));
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
  if (limits.session_idle_ms_max < 0 || limits.only_session_idle_ms_min < 0) {
    return absl::InvalidArgumentError("an idle time of sessions is negative");
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
  // A few rows at a time, so that memory is asked for their accounts all at once.
  std::array<Row, 16> rows;
  for (size_t taken = 1; taken > 0;) {
    taken = 0;
    while (taken < rows.size() && TakeRow(&batch, &rows[taken])) ++taken;
    state.Prefetch(absl::MakeConstSpan(rows.data(), taken));
    for (size_t i = 0; i < taken; ++i) {
      const Row& row = rows[i];
      if (IsPlanted(Planted::kBatchInPart) && batch.empty() && i + 1 == taken && header.count > 1) {
        outcomes->push_back({Code::kOk, false, state.position, 0});
        break;
      }
      const Outcome outcome = state.ApplyRow(row, header.rules);
      state.history_digest = ChainHistory(state.history_digest, row, outcome);
      outcomes->push_back(outcome);
    }
  }
  return absl::OkStatus();
}

void Ledger::State::Prefetch(absl::Span<const Row> rows) const {
  if (accounts.size() < kPrefetchAccountsMin) return;
  for (const Row& row : rows) accounts.PrefetchNumber(row.command.account);
  for (const Row& row : rows) accounts.PrefetchBalance(row.command.account);
}

Outcome Ledger::State::ApplyRow(const Row& row, Rules rules) {
  const Command& command = row.command;
  if (command.kind == Kind::kQuery) return Query(command.account);
  if (command.kind == Kind::kOpenSession) {
    if (rules == Rules::kFirst) return OpenSession(SessionId{}, SessionOwner{});
    return OpenSession(command.session, SessionOwner(command.sequence));
  }
  if (command.session != SessionId{} || command.kind == Kind::kResolve) {
    return ApplyKeyed(row, rules);
  }

  if (command.kind == Kind::kOpen) {
    const Code code = Execute(command);
    if (code == Code::kOk) NextPosition();
    return Answer(code, command.account);
  }
  return Answer(HasEffect(command.kind) ? Code::kUnknownSession : Code::kBadCommand,
                command.account);
}

Outcome Ledger::State::ApplyKeyed(const Row& row, Rules rules) {
  const Command& command = row.command;
  if (command.answered_below > command.sequence && rules != Rules::kFirst &&
      !IsPlanted(Planted::kAnsweredBelowUnchecked)) {
    // It says that answers were seen which cannot have been: nothing may be forgotten for it.
    const bool known = sessions.Has(command.session);
    return Answer(known ? Code::kBadCommand : Code::kUnknownSession, command.account);
  }
  Session* session = sessions.Use(command.session, time_ms, command.answered_below);
  if (session == nullptr) return Answer(Code::kUnknownSession, command.account);
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
  const std::optional<AccountNumber> account = accounts.Find(command.account);
  if (!account.has_value()) return Code::kUnknownAccount;
  if (command.kind == Kind::kWithdraw) {
    const int64_t unseen = IsPlanted(Planted::kOverdraft) ? 1 : 0;
    if (accounts.balance(*account) < command.amount - unseen) return Code::kInsufficientFunds;
    accounts.Withdraw(*account, command.amount);
    return Code::kOk;
  }
  // No balance exceeds the total: one check covers both.
  if (command.amount > std::numeric_limits<int64_t>::max() - accounts.total() &&
      !IsPlanted(Planted::kOverflowWraps)) {
    return Code::kOverflow;
  }
  accounts.Deposit(*account, command.amount);
  return Code::kOk;
}

Code Ledger::State::Open(const Command& command) {
  if (command.amount < 0) return Code::kBadAmount;
  if (accounts.Find(command.account).has_value()) return Code::kAccountExists;
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
  const std::optional<AccountNumber> from = accounts.Find(command.account);
  const std::optional<AccountNumber> to = accounts.Find(command.to);
  if (!from.has_value() || !to.has_value()) return Code::kUnknownAccount;
  if (accounts.balance(*from) < command.amount) return Code::kInsufficientFunds;
  accounts.Transfer(*from, *to, command.amount);  // cannot overflow: the total stays
  return Code::kOk;
}

// An `id` of 0 stands for the position at which the session is opened.
Outcome Ledger::State::OpenSession(SessionId id, SessionOwner owner) {
  if (id == SessionId{}) id = SessionId(position.Next().value);
  if (sessions.Has(id)) return Outcome{Code::kKeyReused, false, position, 0};
  if (!sessions.MakeRoom(id, owner, time_ms, limits)) {
    return Outcome{Code::kTooManySessions, false, position, 0};
  }
  sessions.Open(id, owner, time_ms);
  return Outcome{Code::kOk, false, NextPosition(), 0};
}

Outcome Ledger::State::Query(std::string_view name) const {
  if (!IsAccountName(name)) return Answer(Code::kBadAccount, {});
  const std::optional<AccountNumber> account = accounts.Find(name);
  if (!account.has_value()) return Outcome{Code::kUnknownAccount, false, position, 0};
  return Outcome{Code::kOk, false, position, accounts.balance(*account)};
}

int64_t Ledger::State::BalanceOf(std::string_view name) const {
  const std::optional<AccountNumber> account = accounts.Find(name);
  return account.has_value() ? accounts.balance(*account) : 0;
}

// At the present position.
Outcome Ledger::State::Answer(Code code, std::string_view account) const {
  return Outcome{code, false, position, BalanceOf(account)};
}

Outcome Ledger::Query(std::string_view account) const { return state_->Query(account); }
Position Ledger::position() const { return state_->position; }
int64_t Ledger::time_ms() const { return state_->time_ms; }

Summary Ledger::summary() const { return state_->summary(); }

Summary Ledger::State::summary() const {
  Summary summary;
  summary.position = position;
  summary.time_ms = time_ms;
  summary.accounts = accounts.size();
  summary.sessions = sessions.size();
  summary.balance_total = accounts.total();
  summary.state_digest = state_digest();
  summary.history_digest = history_digest;
  return summary;
}

std::vector<SessionView> Ledger::IdleSessions(size_t limit) const {
  std::vector<SessionView> idle;
  state_->sessions.ByLastUse([&](const Session& session) {
    if (idle.size() == limit) return false;
    const auto records = session.window.records();
    SessionView view;
    view.tag = TagOf(session.id);
    view.idle_ms = state_->time_ms - session.last_use_ms;
    if (!records.empty()) {
      view.window_used = session.window.SequenceOf(records.back()) - session.window.floor() + 1;
    }
    view.window_max = state_->limits.session_window_max;
    view.remembered = records.size();
    idle.push_back(view);
    return true;
  });
  return idle;
}

FrozenLedger Ledger::Freeze() const { return state_->Freeze(); }

FrozenLedger Ledger::State::Freeze() const {
  return FrozenLedger(std::make_shared<const FrozenLedger::State>(
      FrozenLedger::State{.limits = limits,
                          .summary = summary(),
                          .turnover = accounts.turnover(),
                          .remembered = sessions.remembered(),
                          .accounts = accounts.Freeze(),
                          .sessions = sessions.Freeze()}));
}

}  // namespace bank::ledger
