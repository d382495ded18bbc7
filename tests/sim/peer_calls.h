// PeerCalls: the calls of one life of a branch to the branch that leads, over the simulated
// network.
//
// A call that the network swallowed breaks after a while, as a stream does: its fate is unknown,
// and the other side may still be working on it.
#pragma once

#include <cstdint>
#include <map>

#include "branch/replication/route/peers.h"
#include "tests/sim/random.h"
#include "tests/sim/world.h"

namespace bank::sim {

// Where an answer goes: an older life's calls ended with its connections.
struct PeerCaller {
  BranchId branch;
  uint64_t life;
  uint64_t number;
};

class PeerCalls final : public replication::Peers {
 public:
  // The branch outlives it.
  PeerCalls(World& world, BranchProcess& branch, Random random)
      : world_(world), branch_(branch), random_(random) {}

  void Forward(BranchId leader, replication::ForwardRequest request,
               replication::ForwardCallback done) override;
  // The driver sends through its own ports.
  void Send(BranchId to, replication::Message message) override;

  void OnReply(uint64_t number, replication::ForwardResult result);

 private:
  void Break(uint64_t number, replication::Fate fate);

  World& world_;
  BranchProcess& branch_;
  Random random_;
  uint64_t calls_ = 0;
  std::map<uint64_t, replication::ForwardCallback> open_;
};

}  // namespace bank::sim
