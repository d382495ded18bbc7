// MemberChanges: one operator's change of the membership at a time, from its request to its end.
//
//   requested -> [standby in the log -> committed] -> catching up -> in the log -> done
//
// Values in, values out: Next() is given what the leader knows and says what it should do. What
// can never be is refused at once; what cannot be yet is waited for, and waits_for() says why.
// The rules behind it (docs/ENGINE.md, guards 6, 10 and 11):
//   - one server per change, and only when the change before it is committed;
//   - every voter answers and holds the last committed change, except one that loses its vote;
//   - a standby becomes a voter only when it has caught up;
//   - a bank of one voter stays one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "branch/replication/driver/completions.h"
#include "branch/replication/driver/waiters.h"
#include "branch/replication/engine/core.h"
#include "branch/replication/member.h"

namespace bank::replication {

// What a leader knows. Members are those in force.
struct ChangeFacts {
  struct Peer {
    Member member;
    bool answers = false;       // in time, to this leader
    bool holds_change = false;  // the last committed one
    bool in_step = false;       // lacks no more than what is on its way to it
  };
  std::vector<Peer> peers;    // this branch among them
  bool settled = false;       // no change waits to be committed, and this leader's term has begun
  bool transferring = false;  // the leadership
  core_catch_up_state catch_up = CORE_CATCH_UP_NONE;  // of the branch to be changed
};

struct ChangeStep {
  enum class What { kNothing, kCatchUp, kSubmit };
  What what = What::kNothing;
  BranchId branch;              // kCatchUp
  std::vector<Member> members;  // kSubmit: the next membership
};

class MemberChanges {
 public:
  explicit MemberChanges(Completions& due) : due_(due) {}

  // Refused at once if another one runs.
  void Begin(MemberChange change, int64_t deadline_ms, ChangeCallback done);

  // What to do now. After kCatchUp call CatchUpBegun(), after kSubmit Submitted(), with the
  // engine's answer, then Next() again.
  ChangeStep Next(const ChangeFacts& facts);
  void CatchUpBegun(core_status status);
  void Submitted(core_status status, LogIndex index);

  // The change at `index` of this leader's term was committed, and made `members` the members.
  void OnCommitted(LogIndex index, const std::vector<Member>& members);
  void OnLeadershipLost() { GiveUp("this branch does not lead any more"); }
  void Stop(const std::string& reason) { GiveUp(reason); }
  void Expire(int64_t now_ms);

  bool running() const { return running_.has_value(); }
  // Only if running().
  const MemberChange& change() const { return running_->change; }
  const std::string& waits_for() const { return running_->waits_for; }
  int64_t deadline_ms() const { return running() ? running_->deadline_ms : kNever; }

 private:
  enum class CatchUp { kNotBegun, kRunning, kDone };
  struct Running {
    MemberChange change;
    int64_t deadline_ms;
    ChangeCallback done;
    CatchUp catch_up = CatchUp::kNotBegun;
    LogIndex in_log;     // of an entry that is not committed; 0: none is
    LogIndex committed;  // of the last one that is
    std::string waits_for;
  };

  ChangeStep Wait(std::string reason);
  ChangeStep Promote(const ChangeFacts& facts, const ChangeFacts::Peer& standby);
  ChangeStep Submit(const ChangeFacts& facts);
  void GiveUp(const std::string& reason);
  void Finish(ChangeFate fate, std::string reason);

  Completions& due_;
  std::optional<Running> running_;
};

}  // namespace bank::replication
