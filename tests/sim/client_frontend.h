// ClientFrontend: where one life of a simulated branch serves customers: the production teller and
// proposal router, with the driver, the other branches and the clock of the simulation around them.
//
// As in a branch's loop, nothing calls the driver from inside another call: what is asked of it
// waits for the next step, and so does what it answers.
#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/any_invocable.h"
#include "branch/replication/replicator.h"
#include "branch/replication/route/proposal_router.h"
#include "branch/teller/teller.h"
#include "common/entropy.h"
#include "tests/sim/call.h"
#include "tests/sim/peer_calls.h"
#include "tests/sim/random.h"
#include "tests/sim/skewed_clock.h"
#include "tests/sim/world.h"

namespace bank::sim {

// What one life of a branch sees of its clock.
class ProcessClock final : public Clock {
 public:
  ProcessClock(const Scheduler& scheduler, const SkewedClock& clock)
      : scheduler_(scheduler), clock_(clock) {}
  int64_t NowNs() const override { return clock_.LocalNs(scheduler_.now()); }

 private:
  const Scheduler& scheduler_;
  const SkewedClock& clock_;
};

class SimEntropy final : public Entropy {
 public:
  explicit SimEntropy(Random random) : random_(random) {}
  uint64_t Draw() override { return random_.Next(); }

 private:
  Random random_;
};

class ClientFrontend final : private replication::Replicator {
 public:
  // The branch outlives it; its driver must be there when the first step is taken.
  ClientFrontend(World& world, BranchProcess& branch, Random random, uint64_t session_window_max);
  // The process is gone: whoever still waits is told nothing.
  ~ClientFrontend() override;

  // `done` is called at most once, and not before this returns.
  void Serve(const Call& call, absl::AnyInvocable<void(CallReply)> done);

  // From, and to, the counters of other branches.
  void OnForward(replication::ForwardRequest request, replication::ForwardCallback reply);
  PeerCalls& peers() { return peers_; }

  // After every step of the driver.
  void OnStatus(const replication::ReplicatorStatus& status) { router_.OnStatus(status); }
  void OnTimer(int64_t now_ns) { router_.OnTimer(now_ns); }
  int64_t NextDeadlineNs() const { return router_.NextDeadlineNs(); }

 private:
  class DriverReplica final : public replication::LocalReplica {
   public:
    explicit DriverReplica(BranchProcess& branch) : branch_(branch) {}
    void Propose(std::string batch, uint64_t count, int64_t deadline_ms,
                 replication::Replicator::ProposeCallback done) override;
    void ReadIndex(int64_t deadline_ms, replication::ReadIndexCallback done) override;
    BranchId leader() const override;
    void WakeBy(int64_t deadline_ns) override;

   private:
    BranchProcess& branch_;
  };

  // replication::Replicator, for the teller.
  void Propose(std::string batch, uint64_t count, int64_t deadline_ns,
               ProposeCallback done) override;
  void ReadBarrier(int64_t deadline_ns, ReadCallback done) override;
  void WaitApplied(Position position, int64_t deadline_ns, ReadCallback done) override;
  ledger::Outcome Query(std::string_view account) const override;
  replication::ReplicatorStatus GetStatus() const override;

  BranchProcess& branch_;
  PeerCalls peers_;
  DriverReplica local_replica_;
  replication::ProposalRouter router_;
  SimEntropy entropy_;
  teller::Teller teller_;
};

}  // namespace bank::sim
