// Operator: changes the members of a simulated bank while everything else goes wrong: adds branches
// as standbys, promotes and demotes them, removes them, the leader too, and lets removed ones come
// back.
#pragma once

#include <string>
#include <vector>

#include "branch/replication/member.h"
#include "tests/sim/branch_process.h"
#include "tests/sim/world.h"

namespace bank::sim {

bool Contains(const std::vector<BranchProcess*>& branches, const BranchProcess* branch);

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
  std::vector<BranchProcess*> Voters() const;
  // The one of the highest term, if there are several; null if there is none.
  BranchProcess* Leader() const;
  // Every branch is up, and no member knows of a change to make or to commit.
  bool Settled() const;
  // Whether, in every membership that may be in force, a majority of the voters has a whole folder
  // and is not `branch`. False while a change is under way.
  bool CanSpare(BranchProcess& branch) const;
  // Has, and knows to have, a whole folder: it votes.
  static bool IsSound(const BranchProcess& branch) {
    return !branch.recovering() && branch.filled();
  }
  // Whether, in every membership that may be in force, a majority of the voters is left without
  // these, and votes.
  bool CanElectWithout(const std::vector<BranchProcess*>& missing) const;

 private:
  void ChangeLater();
  void ChangeSomething();
  void OnChanged(const replication::MemberChange& change, bool led,
                 const replication::ChangeResult& result);
  const replication::Membership* Newest() const;
  size_t CountElectors(const replication::Membership& known,
                       const std::vector<BranchProcess*>& missing, size_t* voters) const;
  // Every membership that may be in force.
  std::vector<const replication::Membership*> InForce() const;

  World& world_;
  Random random_;
  SimTime pause_mean_ = 0;
  bool ended_ = false;
};

}  // namespace bank::sim
