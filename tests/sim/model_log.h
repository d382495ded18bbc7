// ModelLog: the bank's own record, read by somebody who does not trust it.
//
// Replays all that was committed on a model of accounts and sessions that shares nothing with the
// ledger but the bytes of commands. It knows what the customers cannot: what became of a write
// whose session expired before its answer was heard, and of one that had no key. And it holds the
// bank to its word: no key takes effect twice, a session that expired does nothing any more, and
// what was called certainly not applied is nowhere in the log.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "branch/ledger/command.h"
#include "branch/ledger/ledger.h"
#include "tests/sim/history.h"
#include "tests/sim/model.h"

namespace bank::sim {

class ModelLog {
 public:
  explicit ModelLog(const ledger::Limits& limits) : limits_(limits) {}

  // The next committed entry; empty if it was no command. An empty string, or why it cannot be
  // read.
  std::string Read(const std::string& payload);

  // Completes what the customers could not learn, and compares what they did learn. An empty
  // string, or what is wrong.
  std::string Settle(History* history) const;
  // An empty string, or how the ledger differs.
  std::string Compare(const ledger::Ledger& ledger) const;

  uint64_t sessions_expired() const { return expired_.size(); }

 private:
  struct Session {
    SessionOwner owner;
    int64_t last_use_ms = 0;
    uint64_t last_use = 0;  // a number that rises with each use
    uint64_t floor = 1;
    std::set<uint64_t> remembered;
  };
  using Key = std::pair<SessionId, uint64_t>;
  // A key's first command, and what became of it.
  struct Line {
    Operation operation;  // kind kQuery: it was sealed
    ledger::Outcome outcome;
  };

  void Apply(const ledger::Command& command, ledger::Rules rules);
  void ApplyKeyed(const ledger::Command& command, ledger::Rules rules);
  void OpenSession(SessionId id, SessionOwner owner);
  void Use(Session& session) {
    session.last_use_ms = time_ms_;
    session.last_use = ++uses_;
  }
  // What one owner has; the branches' own sessions belong to nobody.
  struct Share {
    uint64_t sessions = 0;
    uint64_t remembered = 0;
    SessionId idlest{};
    uint64_t idlest_use = 0;
  };
  std::map<SessionOwner, Share> Shares() const;
  // Of the sessions whose ids a branch drew for itself, or of all others; 0: none.
  SessionId LeastUsed(bool branches) const;
  SessionId NextToEnd(SessionId id, SessionOwner owner) const;  // 0: the newcomer is refused
  SessionId NextToForget(SessionId in_use) const;               // 0: none
  void Expire(SessionId id);
  // Where `op` took effect; null: nowhere.
  const Line* Find(const Operation& op) const;

  const ledger::Limits limits_;
  Model model_;
  Position position_;
  int64_t time_ms_ = 0;
  uint64_t uses_ = 0;
  std::map<SessionId, Session> sessions_;
  uint64_t remembered_ = 0;  // in all of them
  std::set<SessionId> expired_;
  std::map<Key, Line> lines_;
  std::multimap<int64_t, Key> keyless_;  // by amount
};

}  // namespace bank::sim
