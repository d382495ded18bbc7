// Scenarios: what must work in a bank in which nothing goes wrong any more, or nothing but what it
// has to survive. Each asks for one thing and waits until it is so; that it never is, is a
// violation.
#pragma once

#include <functional>
#include <vector>

#include "tests/sim/branch_process.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/operator.h"
#include "tests/sim/world.h"

namespace bank::sim {

class Scenarios {
 public:
  // Runs the world until the condition holds; the text says what is waited for.
  using Await = std::function<void(const char*, const std::function<bool()>&)>;

  Scenarios(World& world, Operator& members, Await await)
      : world_(world), operator_(members), await_(std::move(await)), random_(world.random.Fork()) {}

  // Ends all faults but one: some voters are gone, the leader more often than not. The others are
  // a majority, and elect.
  void ElectWithoutSome(Nemesis& nemesis);
  // Hands the leadership to a branch that is in step, while customers write.
  void HandOver();
  // In an idle bank whose branches hold all there is: makes a standby a voter.
  void PromoteStandby();

 private:
  std::vector<BranchProcess*> ChooseMissing();

  World& world_;
  Operator& operator_;
  const Await await_;
  Random random_;
};

}  // namespace bank::sim
