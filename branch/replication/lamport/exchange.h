// What two branches say to each other: plain values. One exchange at a time goes from a branch to
// each other one; it carries all that is new, in order, and its answer says what has arrived.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "branch/replication/lamport/stamp.h"
#include "common/ids.h"

namespace bank::replication::lamport {

// A branch numbers the writes it takes from 1, without a gap, over all its lives.
struct Write {
  uint64_t sequence = 0;
  Stamp stamp{};
  std::string entry{};      // ledger::EncodeEntry
  uint64_t sent_clock = 0;  // of the exercise's event "sent to you"; 0: this message is none
};

// The place of a write among all writes, told by the branch that took it: it knows of every write
// with a smaller stamp.
struct Decision {
  uint64_t sequence = 0;
  LogIndex index{};         // from 1, without a gap: the same on all branches
  uint64_t sent_clock = 0;  // as above: a withdrawal is propagated when it has succeeded
};

// One applied write, as long as some branch may not have applied it.
struct Applied {
  LogIndex index{};
  BranchId origin{};
  uint64_t sequence = 0;
};

struct Process {
  BranchId branch;
  uint64_t incarnation = 0;
};

struct Request {
  BranchId from{};
  uint64_t incarnation = 0;  // of the sender's process: higher than of any before it
  bool join = false;         // the sender has just started: it asks for what the receiver holds
  std::vector<Process> processes{};  // with a join: the others' newest that the sender has met
  std::vector<Write> writes{};
  std::vector<Decision> decisions{};
  Stamp clear{};  // every write of the sender up to this stamp is here or was sent before
  LogIndex applied{};
};

// What a branch holds that has joined.
struct State {
  LogIndex applied{};
  std::string ledger{};                                    // FrozenLedger::Encode; "" at index 0
  std::vector<std::pair<BranchId, uint64_t>> delivered{};  // applied writes of each branch
  std::vector<std::pair<BranchId, Write>> pending{};       // received, not applied
  std::vector<Applied> tail{};                             // the last applied ones
  Stamp highest{};                                         // no stamp that it knows is higher
};

struct Reply {
  enum class Result {
    kTaken,
    kJoining,  // the receiver has just started: ask again soon
    kRefused,  // the sender's process was replaced by another, or its message is no such
  };
  Result result = Result::kTaken;
  uint64_t incarnation = 0;  // of the receiver's process
  uint64_t newest = 0;       // of the sender's processes, as far as the receiver knows
  uint64_t received = 0;     // the sender's writes up to this one are here
  uint64_t decided = 0;      // and of these the decisions
  Stamp last_own{};  // of the receiver's newest write: all later ones are above what it received
  LogIndex applied{};
  // To a join:
  bool joined = false;  // `state` is filled
  bool holds = false;   // not joined, and has got another's state already
  State state{};
};

}  // namespace bank::replication::lamport
