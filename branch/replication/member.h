// Members of a bank, and what an operator can change about them. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "common/ids.h"

namespace bank::replication {

struct Member {
  BranchId id;
  std::string address;  // host:port; empty: not known here
  bool voter = true;
  bool operator==(const Member&) const = default;
};

// What a branch is to become. A standby receives the log and does not vote.
enum class MemberTarget { kVoter, kStandby, kGone };

// Says what is wanted, not what is to be done: asked for again it does what is still missing. A
// branch that is no member becomes a standby, is brought up to date and then becomes a voter.
//
// An id belongs to one branch for all time. One that was removed may come back, with its own
// folder or an empty one, but two processes must never bear one id.
struct MemberChange {
  BranchId branch;
  MemberTarget target = MemberTarget::kVoter;
  std::string address;  // of a branch that is no member yet; else empty, or what it is already
};

enum class ChangeFate {
  kDone,     // committed, or it was so already
  kRefused,  // certain: not so, and nothing of it is on its way. What was to become a voter may
             // have become a standby; `reason` says so
  kUnknown,  // in the log, and this branch cannot tell what becomes of it. Ask for it again
};

struct ChangeResult {
  ChangeFate fate = ChangeFate::kUnknown;
  std::string reason;  // one line, if not kDone
  LogIndex index;      // kDone: of the last entry it took; 0: nothing had to be done
};
using ChangeCallback = absl::AnyInvocable<void(ChangeResult)>;

// The membership as a branch knows it.
struct Membership {
  LogIndex index;          // of the entry that made it; 0: none is known here
  bool committed = false;  // as far as this branch knows
  std::vector<Member> members;
  // The change that this leader is working at, and what it waits for at the moment.
  std::optional<MemberChange> change;
  std::string waits_for;
};

}  // namespace bank::replication
