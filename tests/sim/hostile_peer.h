// HostilePeer: whoever reaches the branches' port and speaks there in any branch's name. It knows
// all that a branch knows of itself, and says what is well-formed, could be true, and is not.
//
// What it says must do no lasting harm: no branch gives up, nobody takes itself for removed, a
// wiped branch for a new one, or a new one for a wiped one; and no read is older than it may be.
// What costs an election at worst it says until it is told to be quiet; the rest to the end.
//
// It makes up no entries, snapshots or votes: only a certificate keeps those out.
#pragma once

#include "tests/sim/branch_process.h"
#include "tests/sim/world.h"

namespace bank::sim {

class HostilePeer {
 public:
  explicit HostilePeer(World& world);

  void Begin() { Think(); }
  void EndDisruption() { disrupts_ = false; }

 private:
  void Think();
  void Act();
  void Lie(BranchProcess& told, BranchId from);
  void Disrupt(BranchProcess& told, BranchId from);
  void Tell(BranchProcess& told, BranchId from, replication::Message message, uint64_t* counter);
  LogIndex Above(LogIndex index) { return index.Plus(1 + random_.Below(1000)); }

  World& world_;
  Random random_;
  bool disrupts_ = true;
};

}  // namespace bank::sim
