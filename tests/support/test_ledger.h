// A ledger that tests talk to one command at a time, and the streams of commands they feed it.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "branch/ledger/ledger.h"

namespace bank::ledger {

inline std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << CodeName(outcome.code) << " position " << outcome.position.value << " balance "
             << outcome.balance << (outcome.replayed ? " replayed" : "");
}

inline std::string EntryOf(int64_t time_ms, const std::vector<Command>& commands) {
  std::string batch;
  for (const Command& command : commands) AppendCommand(command, &batch);
  return EncodeEntry({time_ms, commands.size()}, batch);
}

inline std::vector<Outcome> Feed(Ledger* ledger, const std::vector<std::string>& entries) {
  std::vector<Outcome> outcomes;
  for (const std::string& entry : entries) EXPECT_TRUE(ledger->Apply(entry, &outcomes).ok());
  return outcomes;
}

class TestLedger {
 public:
  explicit TestLedger(Limits limits = {}) : ledger_(limits) {}

  Outcome Do(const Command& command) {
    std::vector<Outcome> outcomes;
    const absl::Status status = ledger_.Apply(EntryOf(time_ms_, {command}), &outcomes);
    EXPECT_TRUE(status.ok()) << status;
    return outcomes.empty() ? Outcome{} : outcomes[0];
  }
  SessionId OpenSession() { return SessionId(Do({.kind = Kind::kOpenSession}).position.value); }
  Outcome OpenSession(SessionId id, SessionOwner owner) {
    return Do({.kind = Kind::kOpenSession, .session = id, .sequence = owner.value});
  }
  // The bank's time from the next command on.
  void At(int64_t time_ms) { time_ms_ = time_ms; }

  int64_t Balance(std::string_view account) const { return ledger_.Query(account).balance; }
  const Ledger& get() const { return ledger_; }

 private:
  Ledger ledger_;
  int64_t time_ms_ = 0;
};

// Small enough for every limit to be met.
inline Limits SmallLimits() {
  Limits limits;
  limits.accounts_max = 3;
  limits.sessions_max = 8;
  limits.session_window_max = 16;
  limits.session_idle_ms_max = 2'000;
  return limits;
}

// A seeded stream of entries that hits every kind and most refusals: few accounts, few sessions,
// sequences in and out of order, retries, wrong contents, jumps in time. It follows along with a
// ledger of its own to learn the sessions' numbers.
class RandomEntries {
 public:
  explicit RandomEntries(uint64_t seed) : random_(seed), ledger_(SmallLimits()) {}

  std::vector<std::string> Take(int count) {
    std::vector<std::string> entries;
    for (int i = 0; i < count; ++i) entries.push_back(Next());
    return entries;
  }

 private:
  struct Customer {
    SessionId session;
    uint64_t next = 1;
    uint64_t answered_below = 1;
  };

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  std::string Next() {
    time_ms_ += static_cast<int64_t>(Below(50) == 0 ? Below(4'000) : Below(20));
    std::vector<Command> commands;
    const uint64_t count = Below(20);
    for (uint64_t i = 0; i < count; ++i) commands.push_back(NextCommand());
    // Now and then a leader whose clock is behind.
    const int64_t behind_ms = Below(10) == 0 ? static_cast<int64_t>(Below(50)) : 0;
    const std::string entry = EntryOf(time_ms_ - behind_ms, commands);
    std::vector<Outcome> outcomes;
    EXPECT_TRUE(ledger_.Apply(entry, &outcomes).ok());
    for (uint64_t i = 0; i < count; ++i) {
      if (commands[i].kind != Kind::kOpenSession || outcomes[i].code != Code::kOk) continue;
      const SessionId drawn = commands[i].session;
      customers_[Below(std::size(customers_))] = {
          drawn == SessionId() ? SessionId(outcomes[i].position.value) : drawn};
    }
    return entry;
  }

  Command NextCommand() {
    static constexpr Kind kKinds[] = {Kind::kOpen,     Kind::kDeposit,  Kind::kDeposit,
                                      Kind::kDeposit,  Kind::kWithdraw, Kind::kWithdraw,
                                      Kind::kTransfer, Kind::kQuery,    Kind::kResolve};
    static constexpr std::string_view kNames[] = {"shared", "alice", "bob", "carol", ""};
    Command command;
    if (Below(60) == 0) {
      // Numbered by its place as of old, or by an id: one of few owners', of a branch's, or taken.
      command.kind = Kind::kOpenSession;
      const uint64_t form = Below(8);
      if (form > 0) command.session = SessionId(random_() | (form == 1 ? kBranchSessionsBegin : 1));
      if (form == 2) command.session = customers_[0].session;
      if (form > 0) command.sequence = Below(4);
      return command;
    }
    Customer& customer = customers_[Below(std::size(customers_))];
    command.kind = Below(40) == 0 ? static_cast<Kind>(77) : kKinds[Below(std::size(kKinds))];
    command.session = customer.session;
    command.sequence = customer.next;
    switch (Below(8)) {
      case 0:  // ahead of its turn
        command.sequence += Below(6);
        break;
      case 1:  // again
        command.sequence -= std::min(command.sequence, Below(10));
        break;
      default:
        ++customer.next;
    }
    if (Below(3) == 0) {
      customer.answered_below = std::max(customer.answered_below, customer.next - Below(12));
    }
    command.answered_below = std::min(customer.answered_below, customer.next);
    command.account = kNames[Below(std::size(kNames))];
    if (command.kind == Kind::kTransfer) command.to = kNames[Below(std::size(kNames))];
    command.amount = static_cast<int64_t>(Below(200)) - 5;
    return command;
  }

  std::mt19937_64 random_;
  Ledger ledger_;
  int64_t time_ms_ = 0;
  Customer customers_[12];
};

}  // namespace bank::ledger
