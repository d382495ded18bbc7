#include "tests/sim/model_log.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace bank::sim {
namespace {

using ledger::Code;
using ledger::Kind;

bool IsWrite(Kind kind) {
  return kind == Kind::kOpen || kind == Kind::kDeposit || kind == Kind::kWithdraw ||
         kind == Kind::kTransfer;
}

bool Same(const Operation& a, const Operation& b) {
  return std::tie(a.kind, a.account, a.to, a.amount) == std::tie(b.kind, b.account, b.to, b.amount);
}

std::string Name(const Operation& op) {
  return absl::StrCat("customer ", op.customer, "'s kind ", static_cast<int>(op.kind), " of ",
                      op.amount, " on ", op.account, " with key ", op.session.value, "/",
                      op.sequence);
}

std::string Told(const ledger::Outcome& outcome) {
  return absl::StrCat(std::string(CodeName(outcome.code)), " at position ", outcome.position.value,
                      " balance ", outcome.balance);
}

}  // namespace

std::string ModelLog::Read(const std::string& payload) {
  if (payload.empty()) return "";
  ledger::EntryHeader header;
  std::string_view batch;
  if (absl::Status s = ledger::DecodeEntry(payload, &header, &batch); !s.ok()) return s.ToString();
  time_ms_ = std::max(time_ms_, header.time_ms);
  std::vector<SessionId> idle;
  for (const auto& [id, session] : sessions_) {
    if (time_ms_ - session.last_use_ms > limits_.session_idle_ms_max) idle.push_back(id);
  }
  for (const SessionId id : idle) Expire(id);
  ledger::CommandReader reader(batch);
  ledger::Command command;
  while (reader.Next(&command)) Apply(command, header.rules);
  return reader.status().ok() ? "" : reader.status().ToString();
}

void ModelLog::Apply(const ledger::Command& command, ledger::Rules rules) {
  if (command.kind == Kind::kOpenSession) {
    const bool numbered = rules == ledger::Rules::kFirst || command.session == SessionId(0);
    OpenSession(numbered ? SessionId(position_.value + 1) : command.session,
                SessionOwner(rules == ledger::Rules::kFirst ? 0 : command.sequence));
  } else if (command.kind == Kind::kResolve || command.session != SessionId(0)) {
    ApplyKeyed(command, rules);
  }
}

void ModelLog::OpenSession(SessionId id, SessionOwner owner) {
  if (sessions_.contains(id)) return;
  while (sessions_.size() >= limits_.sessions_max) {
    const SessionId ends = NextToEnd(id, owner);
    if (ends == SessionId(0)) return;
    Expire(ends);
  }
  position_ = position_.Next();
  Session& session = sessions_[id];
  session.owner = owner;
  Use(session);
}

void ModelLog::ApplyKeyed(const ledger::Command& command, ledger::Rules rules) {
  const auto it = sessions_.find(command.session);
  if (it == sessions_.end()) return;  // refused, without a place
  if (rules != ledger::Rules::kFirst && command.answered_below > command.sequence) return;
  Session& session = it->second;
  Use(session);
  session.floor = std::max(session.floor, command.answered_below);
  const auto kept = session.remembered.lower_bound(session.floor);
  remembered_ -= static_cast<uint64_t>(std::distance(session.remembered.begin(), kept));
  session.remembered.erase(session.remembered.begin(), kept);
  if (command.sequence < session.floor || command.sequence == 0 ||
      command.sequence - session.floor >= limits_.session_window_max ||
      !session.remembered.insert(command.sequence).second) {
    return;  // forgotten, too far ahead, or answered before
  }
  Line line;
  line.operation.account = std::string(command.account);
  line.outcome.code = Code::kNotApplied;
  position_ = position_.Next();
  line.outcome.position = position_;
  if (command.kind != Kind::kResolve) {
    line.operation.kind = command.kind;
    line.operation.to = std::string(command.to);
    line.operation.amount = command.amount;
    const Model::Answer answer = model_.Apply(line.operation);
    line.outcome.code = answer.code;
    line.outcome.balance = answer.balance;
  }
  const Key key{command.session, command.sequence};
  if (IsWrite(command.kind) && command.amount >= kKeylessAmountMin) {
    keyless_.emplace(command.amount, key);
  }
  lines_.emplace(key, std::move(line));
  ++remembered_;
  while (remembered_ > limits_.remembered_max) {
    const SessionId ends = NextToForget(command.session);
    if (ends == SessionId(0)) return;
    Expire(ends);
  }
}

std::map<SessionOwner, ModelLog::Share> ModelLog::Shares() const {
  std::map<SessionOwner, Share> shares;
  for (const auto& [id, session] : sessions_) {
    if (ledger::IsBranchSession(id)) continue;
    Share& share = shares[session.owner];
    ++share.sessions;
    share.remembered += session.remembered.size();
    if (share.idlest == SessionId(0) || session.last_use < share.idlest_use) {
      share.idlest = id;
      share.idlest_use = session.last_use;
    }
  }
  return shares;
}

SessionId ModelLog::LeastUsed(bool branches) const {
  SessionId least;
  for (const auto& [id, session] : sessions_) {
    if (ledger::IsBranchSession(id) != branches) continue;
    if (least == SessionId(0) || session.last_use < sessions_.at(least).last_use) least = id;
  }
  return least;
}

// Whoever holds most, the newcomer counted in, gives way; of several, the one idle for longest.
SessionId ModelLog::NextToEnd(SessionId id, SessionOwner owner) const {
  const bool customer = !ledger::IsBranchSession(id);
  std::map<SessionOwner, Share> shares = Shares();
  const bool is_new = !shares.contains(owner);
  const Share* most = nullptr;
  for (auto& [other, share] : shares) {
    if (customer && other == owner) ++share.sessions;
    if (most == nullptr || share.sessions > most->sessions ||
        (share.sessions == most->sessions && share.idlest_use < most->idlest_use)) {
      most = &share;
    }
  }
  if (most == nullptr) return LeastUsed(/*branches=*/true);
  const int64_t idle_ms = time_ms_ - sessions_.at(most->idlest).last_use_ms;
  const bool refused =
      customer && is_new && most->sessions == 1 && idle_ms < limits_.only_session_idle_ms_min;
  return refused ? SessionId(0) : most->idlest;
}

SessionId ModelLog::NextToForget(SessionId in_use) const {
  const Share* most = nullptr;
  const std::map<SessionOwner, Share> shares = Shares();
  for (const auto& [owner, share] : shares) {
    if (share.idlest == in_use) continue;  // the only one of its owner
    if (most == nullptr || share.remembered > most->remembered ||
        (share.remembered == most->remembered && share.idlest_use < most->idlest_use)) {
      most = &share;
    }
  }
  if (most != nullptr) return most->idlest;
  const SessionId least = LeastUsed(/*branches=*/true);
  return least == in_use ? SessionId(0) : least;
}

void ModelLog::Expire(SessionId id) {
  remembered_ -= sessions_.at(id).remembered.size();
  sessions_.erase(id);
  expired_.insert(id);
}

const ModelLog::Line* ModelLog::Find(const Operation& op) const {
  if (op.keyless()) {
    const auto it = keyless_.find(op.amount);
    return it == keyless_.end() ? nullptr : &lines_.at(it->second);
  }
  const auto it = lines_.find({op.session, op.sequence});
  if (it == lines_.end()) return nullptr;
  const Line& line = it->second;
  // A seal answers whatever comes with its key; else the first content of the key is the one.
  const bool seal = line.outcome.code == Code::kNotApplied;
  return seal || Same(line.operation, op) ? &line : nullptr;
}

std::string ModelLog::Settle(History* history) const {
  for (Operation& op : *history) {
    if (op.told_expired && !expired_.contains(op.session)) {
      return absl::StrCat(Name(op), " was told that its session has expired; it has not");
    }
    if (op.read()) continue;
    if (op.keyless() && keyless_.count(op.amount) > 1) {
      return absl::StrCat(Name(op), " was applied more than once");
    }
    const Line* const line = Find(op);
    const bool applied = line != nullptr && line->outcome.code != Code::kNotApplied;
    if (op.never_applied && applied) {
      return absl::StrCat(Name(op), " was told that it is certainly not applied, and is ",
                          Told(line->outcome));
    }
    switch (op.fate) {
      case Operation::Fate::kDone:
        if (line == nullptr || line->outcome.code != op.outcome.code ||
            line->outcome.position != op.outcome.position ||
            line->outcome.balance != op.outcome.balance) {
          return absl::StrCat(Name(op), " was answered ", Told(op.outcome), "; the log says ",
                              line == nullptr ? "nothing" : Told(line->outcome));
        }
        break;
      case Operation::Fate::kLost:
        op.fate = applied ? Operation::Fate::kDone : Operation::Fate::kNothing;
        if (!applied) break;
        op.outcome = line->outcome;
        op.completed_at = kNobodyKnows;
        break;
      default:
        break;
    }
  }
  return "";
}

std::string ModelLog::Compare(const ledger::Ledger& ledger) const {
  const ledger::Summary summary = ledger.summary();
  if (summary.position != position_ || summary.sessions != sessions_.size()) {
    return absl::StrCat("the log makes ", position_.value, " positions and ", sessions_.size(),
                        " sessions, the ledger has ", summary.position.value, " and ",
                        summary.sessions);
  }
  for (const auto& [account, balance] : model_.balances()) {
    const ledger::Outcome told = ledger.Query(account);
    if (told.code != Code::kOk || told.balance != balance) {
      return absl::StrCat("the log makes ", balance, " on ", account, ", the ledger says ",
                          Told(told));
    }
  }
  return "";
}

}  // namespace bank::sim
