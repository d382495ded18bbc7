// Hostile: a customer that wants others' writes to be lost. It knows every number that there is:
// small positions, and the very sessions in which branches key plain writes. It deposits under keys
// that others will want, seals them, calls answers seen that were never given, and opens sessions
// by the dozen over several connections.
//
// What it must be told is that there is no such session; what it does in its own session is judged
// as any customer's. That nobody else loses anything by it, the others' judges see.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/sim/history.h"
#include "tests/sim/line.h"
#include "tests/sim/world.h"

namespace bank::sim {

class Hostile {
 public:
  Hostile(World& world, History& history);

  void Begin() { Think(); }
  void Drain() { draining_ = true; }
  // No write of its own is under way.
  bool idle() const { return writing_ == 0; }

 private:
  void Think();
  void Act();
  void UseStrangeKey();
  void CallAnswersSeen();
  void Flood();
  void WriteInOwnSession();
  // A write without a key: its answer tells the session in which the branch keyed it.
  void LearnBranchSession();
  // Asks a branch; what is not answered in time is answered "unknown".
  void Ask(Call call, absl::AnyInvocable<void(const CallReply&)> done);
  size_t Record(Operation operation);
  void Settle(size_t operation, const CallReply& reply);
  static Operation Deposit(int64_t amount);

  World& world_;
  History& history_;
  Line line_;
  Random random_;
  bool draining_ = false;
  uint64_t writing_ = 0;
  std::vector<SessionId> branch_sessions_;
  SessionId own_;
  uint64_t next_sequence_ = 1;
};

}  // namespace bank::sim
