// Line: a customer's way to the branches and back.
#pragma once

#include <utility>

#include "absl/functional/any_invocable.h"
#include "tests/sim/branch_process.h"
#include "tests/sim/call.h"
#include "tests/sim/world.h"

namespace bank::sim {

class Line {
 public:
  Line(World& world, NodeId node) : world_(world), node_(node) {}

  // `done` runs at most once: a request or a reply may get lost.
  void Ask(BranchId to, Call call, absl::AnyInvocable<void(CallReply)> done) {
    BranchProcess* const branch = world_.branches[to.value - 1];
    auto reply = [this, branch, done = std::move(done)](CallReply result) mutable {
      world_.network.Send(branch->node(), node_, Lane::kCustomer, 0,
                          [done = std::move(done), result = std::move(result)]() mutable {
                            done(std::move(result));
                          });
    };
    world_.network.Send(node_, branch->node(), Lane::kCustomer, 0,
                        [branch, call = std::move(call), reply = std::move(reply)]() mutable {
                          if (!branch->up()) return reply({.fate = teller::Fate::kUnknown});
                          branch->Serve(call, std::move(reply));
                        });
  }

 private:
  World& world_;
  const NodeId node_;
};

}  // namespace bank::sim
