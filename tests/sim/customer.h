// Customer: a simulated client of the bank that keeps the rules of exactly-once: every write has a
// key (session, sequence), every retry carries the same key, through whatever branch, and what it
// never learned is unknown until kResolve has decided it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "branch/replication/replicator.h"
#include "tests/sim/branch_process.h"
#include "tests/sim/history.h"
#include "tests/sim/world.h"

namespace bank::sim {

struct CustomerOptions {
  uint64_t number = 0;
  uint64_t in_flight_max = 4;  // requests
  uint64_t batch_max = 3;      // commands in a request
  uint64_t window = 1024;      // Limits::session_window_max
  uint64_t accounts = 4;
  uint64_t read_permille = 300;
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
  // After that: sends every write again, with its key. The answers must be the first ones.
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
    BranchId only{};                   // 0: any branch
    uint64_t attempts = 0;
    uint64_t asked = 0;        // how often a branch was asked, twice in one attempt at times
    uint64_t not_applied = 0;  // and how often the answer was: certainly not applied
    bool insists = false;      // never gives up
  };

  void Think();
  void Issue();
  Operation Invent();
  size_t Record(Operation operation);  // with the next key, if it is a write
  void TryKeyReuse();
  void ReadOwnWrites();
  void Open(Request request);
  void Attempt(uint64_t number);
  void Ask(Request& request, BranchId branch);
  void Retry(uint64_t number, uint64_t attempt);
  void GiveUp(const Request& request);
  std::string Encode(const Request& request);

  void OnWritten(uint64_t number, Purpose purpose, const std::vector<size_t>& operations,
                 uint64_t attempt, const replication::ProposeResult& result);
  void OnRead(uint64_t number, size_t operation, uint64_t attempt, const ReadResult& result);
  void OnOutcome(Purpose purpose, size_t operation, const ledger::Outcome& outcome);
  void Complete(Operation* operation, const ledger::Outcome& outcome);
  void Close(uint64_t number) { open_.erase(number); }
  BranchId AnyBranch() { return BranchId(random_.Below(world_.branches.size()) + 1); }

  World& world_;
  History& history_;
  const CustomerOptions options_;
  const NodeId node_;
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
