// ReadIndexRounds: a leader's proof that it still leads (raft thesis, section 6.4).
//
// A round asks every other voter whether the leader's term is still its own. Once a majority,
// counting the leader, has said so after the round began, no other leader can have committed
// anything before the round began: the commit index of that moment is good to read at. One round
// is in flight at a time; reads that come meanwhile share the next one.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "branch/replication/driver/completions.h"
#include "branch/replication/driver/driver.h"
#include "branch/replication/driver/waiters.h"
#include "common/ids.h"

namespace bank::replication {

class ReadIndexRounds {
 public:
  explicit ReadIndexRounds(Completions& due) : due_(due) {}

  void Add(int64_t deadline_ms, ReadIndexCallback done) {
    waiting_.push_back({deadline_ms, std::move(done)});
    if (deadline_ms < deadline_ms_) deadline_ms_ = deadline_ms;
  }

  bool WantsRound() const { return !in_flight_ && !waiting_.empty(); }

  // The caller leads and has committed an entry of its term. `round` is a number that nobody can
  // guess: else a stranger's answers would count. `others` are the other voters; `self_votes`
  // whether it is one. May complete at once.
  void Begin(uint64_t round, LogIndex commit_index, const std::vector<BranchId>& others,
             bool self_votes);
  void Confirm(BranchId from, uint64_t round);

  bool in_flight() const { return in_flight_; }
  uint64_t round() const { return round_; }
  // Those asked that have not answered this round.
  const std::set<BranchId>& unanswered() const { return unanswered_; }

  // Leadership is lost, or the branch stops: nothing may be read.
  void Fail(const std::string& reason);
  void Expire(int64_t now_ms);
  int64_t deadline_ms() const { return deadline_ms_; }

 private:
  struct Waiter {
    int64_t deadline_ms;
    ReadIndexCallback done;
  };

  void CompleteIfConfirmed();
  void Expire(int64_t now_ms, std::vector<Waiter>& waiters);

  Completions& due_;
  std::vector<Waiter> waiting_;  // for the next round
  std::vector<Waiter> asking_;   // of the round in flight
  bool in_flight_ = false;
  uint64_t round_ = 0;
  LogIndex commit_index_;
  size_t confirmations_missing_ = 0;
  std::set<BranchId> unanswered_;
  int64_t deadline_ms_ = kNever;
};

}  // namespace bank::replication
