// Core: one branch's part in the exercise's own replication, by logical clocks. No thread, clock,
// socket or random source of its own; it is told what happens, and asked what to say.
//
// How a write takes effect (Lamport 1978, with one coordinator for each write instead of a
// broadcast of acknowledgements):
//   1. The branch that takes it stamps it and sends it to every other branch. Who receives it
//      gives no smaller stamp to a write of its own any more.
//   2. When all have answered, and everything of theirs with a smaller stamp has arrived and is
//      applied here, the write is next: it is applied here and answered to the customer.
//   3. Its place (an index) is sent to every other branch, which applies it there.
// So all branches apply the same writes in the order of their stamps, and decide each withdrawal
// alike. No branch waits for another's customers. While one does not answer nothing new takes
// effect anywhere, and nothing diverges.
//
// Nothing is on disk. A process that starts asks all others what they hold (join), and each refuses
// whatever comes from the process before it from then on. The bank is new if all say twice that
// they hold nothing. Else it takes over the longest order and every write that any of them holds,
// so a write that was answered survives as long as one branch does.
//
// A read needs no message: an answered write was received by every branch, so a branch that has
// applied all it has received has applied all that was answered.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "branch/ledger/ledger.h"
#include "branch/replication/lamport/clock_events.h"
#include "branch/replication/lamport/exchange.h"
#include "branch/replication/lamport/stamp.h"
#include "common/ids.h"

namespace bank::replication::lamport {

struct CoreOptions {
  BranchId self;
  std::vector<BranchId> members;  // with self; the same on all branches
  uint64_t incarnation = 1;  // higher than of any process before it: the time of its start will do
  ledger::Limits ledger_limits;
  size_t open_writes_max = 50'000;             // of this branch, not applied everywhere
  size_t request_bytes_max = size_t{1} << 20;  // about
};

// Not thread-safe.
class Core {
 public:
  explicit Core(CoreOptions options);

  // --- Customers ---------------------------------------------------------------------------------
  // Whether all others have answered since the start. Before that no write is taken.
  bool joined() const { return joined_; }

  // Takes a write of `count` well-formed commands from a customer whose clock was `sent_clock` when
  // he sent it (0: he has none). Returns its number. Unavailable or ResourceExhausted: certain, it
  // was not taken. `now_ms` is a steady time.
  absl::StatusOr<uint64_t> Take(std::string_view batch, uint64_t count, uint64_t sent_clock,
                                int64_t now_ms);

  struct Answer {
    uint64_t write = 0;  // what Take() returned
    Stamp stamp;
    uint64_t clock = 0;  // the branch's, when it took the write; 0: no event of the exercise
    std::vector<ledger::Outcome> outcomes;
  };
  // The writes of this process that were applied since the last call.
  std::vector<Answer> TakeAnswers();

  // For a read: when `HasApplied` what was the highest stamp received, everything answered anywhere
  // before is in the ledger.
  Stamp highest_received() const { return pending_.empty() ? Stamp() : pending_.rbegin()->first; }
  bool HasApplied(const Stamp& stamp) const {
    return pending_.empty() || pending_.begin()->first > stamp;
  }

  // --- The other branches ------------------------------------------------------------------------
  // What there is to say to this branch now. Nothing while an exchange with it is open; it ends
  // with OnReply or OnFailure.
  std::optional<Request> Next(BranchId to);
  void OnReply(BranchId from, Reply reply);
  void OnFailure(BranchId to);
  // Any branch's, at any time, perhaps twice.
  Reply OnRequest(Request request);

  // --- What it holds -----------------------------------------------------------------------------
  const ledger::Ledger& ledger() const { return ledger_; }
  const ClockEvents& events() const { return events_; }
  LogIndex applied() const { return applied_; }
  LogIndex known_decided() const;
  size_t pending() const { return pending_.size(); }
  // Who has not answered since the start; only before joined().
  std::vector<BranchId> Unheard() const;

 private:
  struct Pending {
    uint64_t sequence = 0;
    std::string entry;
  };
  struct OwnWrite {
    Stamp stamp;
    uint64_t clock = 0;
    std::string entry;  // "": all others have it
    LogIndex index;     // 0: not decided
    // For each peer, as `peers_` has them:
    std::vector<uint64_t> sent_clocks;      // of the write's own message; empty: no event
    std::vector<uint64_t> decision_clocks;  // of the decision's; empty: no event
    std::vector<std::optional<Stamp>>
        needs;  // set: it has the write; up to where its own are needed
  };
  // Of every member, also of this one.
  struct Member {
    uint64_t received = 0;   // its writes up to this one are here
    Stamp received_stamp;    // of that one
    uint64_t decided = 0;    // and their decisions
    uint64_t delivered = 0;  // and are applied
    std::map<uint64_t, Stamp> undelivered;
  };
  struct Peer {
    BranchId id;
    uint64_t incarnation = 0;  // 0: not known yet
    bool exchanging = false;
    Stamp telling_clear;          // what the open exchange tells
    uint64_t found_new = 0;       // the process that had not joined when all were asked last
    std::optional<Reply> answer;  // to this process's join; until joined
    Stamp clear;                  // of its writes all up to here were received
    Stamp told_clear;             // what it knows of ours
    uint64_t acked_received = 0;  // of our writes
    uint64_t acked_decided = 0;
    LogIndex applied;  // as far as is known
  };

  size_t IndexOf(BranchId id) const;  // in peers_; its size: none
  Stamp NextMinorStamp() const;
  bool Acceptable(const Request& request) const;
  void Receive(BranchId from, Write write);
  void ReceiveDecision(BranchId from, const Decision& decision);
  void MergeClock(uint64_t sent_clock, BranchId from, const Movement& movement);
  void NoteAnswer(BranchId from, const OwnWrite& write);
  void Tick(std::vector<uint64_t>* clocks, const Movement& movement);
  // Applies and decides all that can be.
  void Advance();
  bool IsOrdered(const OwnWrite& write) const;
  void Apply(std::map<Stamp, Pending>::iterator next);
  void Trim();

  // Joining (core_join.cc).
  void OnJoinRequest(size_t peer, const Request& request, Reply* reply);
  State MakeState() const;
  void OnJoinReply(size_t peer, Reply reply);
  void OnRefusal(const Reply& reply);
  bool IsState(const State& state) const;
  bool IsNewBank();
  void SetIncarnation(Peer& peer, uint64_t incarnation);
  void JoinIfAllAnswered();
  void Adopt(const State& state);
  void AdoptPending(const State& state);

  const CoreOptions options_;
  uint64_t incarnation_;
  bool joined_ = false;
  std::vector<Peer> peers_;  // by id
  std::map<BranchId, Member> members_;

  uint64_t clock_ = 0;          // the exercise's
  Stamp floor_;                 // every new stamp of this branch is above
  Stamp last_own_;              // of the newest write taken here
  int64_t joined_ms_ = -1;      // steady time of the first write since joining
  int64_t joined_bank_ms_ = 0;  // and the bank's time then

  std::map<Stamp, Pending> pending_;   // received, not applied
  std::map<LogIndex, Stamp> decided_;  // of these, whose place is known
  std::map<uint64_t, OwnWrite> own_;   // not known to be decided everywhere
  std::deque<Applied> tail_;           // not known to be applied everywhere
  uint64_t first_of_process_ = 0;      // the first own write taken by this process
  LogIndex applied_;
  ledger::Ledger ledger_;
  ClockEvents events_;
  std::vector<Answer> answers_;
};

// Whether these bytes are what Ledger::Apply() takes.
bool IsEntry(std::string_view entry);

}  // namespace bank::replication::lamport
