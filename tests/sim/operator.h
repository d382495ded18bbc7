// Operator: changes the members of a simulated bank while everything else goes wrong: adds branches
// as standbys, promotes and demotes them, removes them, the leader too, and lets removed ones come
// back.
#pragma once

#include <string>
#include <vector>

#include "branch/replication/raft/member.h"
#include "tests/sim/branch_process.h"
#include "tests/sim/world.h"

namespace bank::sim {

class Operator {
 public:
  explicit Operator(World& world) : world_(world), random_(world.random.Fork()) {}

  static std::string AddressOf(BranchId id);

  // Asks for one change after the other, from now on.
  void Begin(SimTime pause_mean);
  // No new ones.
  void End() { ended_ = true; }

  // As of the newest change that any branch knows to be committed.
  std::vector<BranchProcess*> Members() const;
  // Every branch is up, and no member knows of a change to make or to commit.
  bool Settled() const;
  // Whether, in every membership that may be in force, a majority of the voters has a whole folder
  // and is not `branch`. False while a change is under way.
  bool CanSpare(const BranchProcess& branch) const;

 private:
  void ChangeLater();
  void ChangeSomething();
  void OnChanged(const replication::MemberChange& change, bool led,
                 const replication::ChangeResult& result);
  BranchProcess* Leader() const;
  const replication::Membership* Newest() const;

  World& world_;
  Random random_;
  SimTime pause_mean_ = 0;
  bool ended_ = false;
};

}  // namespace bank::sim
