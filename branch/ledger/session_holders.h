// Holders: who holds how many sessions and remembered outcomes, so that whoever takes most gives
// way first. The sessions of the branches themselves are one holder apart, which gives way last.
//
// Everything follows from the order in which sessions were opened and used, so every branch finds
// the same one. A use costs constant time; finding out who gives way costs the logarithm of the
// number of owners, once for each owner that changed since.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/ids.h"

namespace bank::ledger {

class Holders {
 public:
  struct Holder;
  // One session, as its holder counts it. Stays where it is in memory until Remove().
  struct Stake {
    SessionId id;
    uint64_t used = 0;  // the number of its last use: the lower, the longer idle
    uint64_t remembered = 0;
    Holder* holder = nullptr;
    std::list<Stake*>::iterator place;
  };
  struct Holder {
    SessionOwner owner;
    bool branches = false;
    uint64_t remembered = 0;   // of all its sessions
    std::list<Stake*> by_use;  // the one idle for longest first; never empty for a customer
    bool changed = false;      // its ranks are not what they should be
    uint64_t ranked_used = 0;  // as in the ranks; 0: it is not in them
    uint64_t ranked_count = 0;
    uint64_t ranked_remembered = 0;
  };

  // `stake` has its id and is the one used last.
  void Add(SessionOwner owner, Stake* stake);
  void Remove(Stake* stake);
  // It is the one used last.
  void Use(Stake* stake);
  // It remembers so many outcomes more, or fewer.
  void Count(Stake* stake, int64_t change);

  // Null if `owner` has none. Not for the branches' own.
  const Holder* Find(SessionOwner owner) const;
  // The customer that holds most sessions; of several, the one whose session is idle for longest.
  // Null: there is no session of a customer's.
  const Holder* MostSessions();
  // The session that has to go when too much is remembered: the one idle for longest of the holder
  // whose sessions remember most, but never `in_use`. Null: there is no other.
  const Stake* MostRemembered(const Stake* in_use);
  // The branches' own session that is idle for longest. Null: there is none.
  const Stake* FirstOfBranches() const;

 private:
  struct Rank {
    uint64_t count;
    uint64_t used;  // of the session idle for longest: no two are equal
    const Holder* holder;
    bool operator<(const Rank& other) const {
      return count != other.count ? count > other.count : used < other.used;
    }
  };

  void Touch(Holder* holder);
  void Unrank(Holder* holder);
  void Rerank();  // all that changed

  absl::flat_hash_map<SessionOwner, std::unique_ptr<Holder>> holders_;  // of customers
  std::unique_ptr<Holder> branches_;  // none: no branch has had a session yet
  uint64_t uses_ = 0;
  absl::flat_hash_set<Holder*> changed_;
  std::set<Rank> by_sessions_;
  std::set<Rank> by_remembered_;
};

}  // namespace bank::ledger
