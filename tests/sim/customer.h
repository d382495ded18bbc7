// Customer: a simulated client of the bank that has much under way at a time and keeps the rules of
// exactly-once: every write has a key (session, sequence), every retry carries the same key,
// through whatever branch, and what it never learned is unknown until a lookup has decided it. Some
// of its writes leave the key to the branch; these it sends once.
//
// Beside it a second client of its makes trouble: the same request at the same time through another
// branch, the same key with other content, a lookup of what is still under way.
// Its members live in one file per noun:
//   customer.cc           what it asks
//   customer_requests.cc  how its requests reach the bank, again and again
//   customer_answers.cc   what it makes of the answers
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/history.h"
#include "tests/sim/line.h"
#include "tests/sim/world.h"

namespace bank::sim {

struct CustomerOptions {
  uint64_t number = 0;
  uint64_t in_flight_max = 4;  // requests
  uint64_t batch_max = 3;      // commands in a request
  uint64_t window = 1024;      // Limits::session_window_max
  uint64_t accounts = 4;
  uint64_t read_permille = 300;
  uint64_t keyless_permille = 0;  // of the writes
  bool forgets = false;  // tells the bank what answers it has seen, so that these are forgotten
  int64_t timeout_ms = 500;
  uint64_t attempts_max = 6;  // then the outcome is unknown
  SimTime think_min = 2 * kMillisecond;
  SimTime think_max = 60 * kMillisecond;
};

class Customer {
 public:
  Customer(World& world, History& history, const CustomerOptions& options);

  void Begin();
  // No new operations; what is under way is retried until it is answered.
  void Drain();
  bool idle() const { return open_.empty(); }
  // After Drain(), when idle: asks what became of each unknown write.
  void ResolveUnknown();
  // After that: sends every write again, with its key. The answers must be the first ones, or that
  // the session has expired.
  void ReplayAll();
  // Before Probe(): a session with room for some writes.
  void TakeSession();
  // One write and one read through this branch alone.
  void Probe(BranchId branch);

 private:
  enum class Purpose { kSession, kWrite, kRead, kResolve, kReplay, kKeyReuse };
  struct Request {
    uint64_t number = 0;
    Purpose purpose = Purpose::kWrite;
    std::vector<size_t> operations{};  // into the history
    SessionId session{};               // the first one's key
    uint64_t first_sequence = 0;
    BranchId only{};  // 0: any branch
    BranchId last{};  // the one asked last
    uint64_t attempts = 0;
    uint64_t asked = 0;        // how often a branch was asked, twice in one attempt at times
    uint64_t not_applied = 0;  // and how often the answer was: certainly not applied
    bool insists = false;      // never gives up
    bool once = false;         // has no key: must not be sent again
  };

  // customer.cc
  void Think();
  void Issue();
  Operation Invent();
  Operation InventRead();
  // With the next key of the session, if it is a write and `session` is not 0.
  size_t Record(Operation operation, SessionId session);
  Request NewWrite();
  void TryKeyReuse();
  void ContendFor(const Request& request);

  // customer_requests.cc
  void Open(Request request);
  void Attempt(uint64_t number);
  void Ask(Request& request, BranchId branch, Line& line);
  void Retry(uint64_t number, uint64_t attempt);
  void RetrySoon(uint64_t number, uint64_t attempt);
  void GiveUp(const Request& request);
  Call MakeCall(const Request& request);
  BranchId AnyBranch() { return BranchId(random_.Below(world_.branches.size()) + 1); }

  // customer_answers.cc
  void OnReply(const Request& asked, const CallReply& reply);
  void OnSession(const CallReply& reply);
  void CheckPlaces(const Request& asked, const CallReply& reply);
  // `certain`: no other attempt than the answered one can have been applied.
  void OnOutcome(Purpose purpose, bool certain, size_t operation, const ledger::Outcome& outcome);
  void OnAnswerAgain(Purpose purpose, const ledger::Outcome& outcome, Operation* operation);
  void OnExpired(bool certain, Operation* operation);
  void EndUnanswered(Operation* operation, Operation::Fate fate);
  void Complete(Operation* operation, const ledger::Outcome& outcome);

  World& world_;
  History& history_;
  const CustomerOptions options_;
  Line line_;
  Line other_line_;  // of a second client that knows all the keys
  Random random_;
  BranchId home_;
  bool draining_ = false;

  SessionId session_;
  bool opening_session_ = false;
  uint64_t next_sequence_ = 1;
  Position seen_;                                      // the newest in any answer
  std::set<uint64_t> unanswered_;                      // sequences of the present session
  std::map<SessionId, uint64_t> told_answered_below_;  // the highest ever sent
  std::vector<size_t> mine_;                           // operations of this customer
  uint64_t requests_ = 0;
  std::map<uint64_t, Request> open_;
};

}  // namespace bank::sim
