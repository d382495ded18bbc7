// ProposalRouter: the way of customers' operations and reads to the branch that decides.
//
//   customer -> Forwarder -> (this branch leads: Orders | else: Peers -> the leader's proposal
//   router) reads    -> ReadIndexClient  -> the same way, for an index; then the local ledger
//
// Has no thread, clock or socket of its own, so that the simulation runs the same code. Threads:
// all members from any thread, but OnStatus() and OnTimer() from one; callbacks as in forwarder.h
// and read_index_client.h.
#pragma once

#include <cstdint>
#include <string>

#include "branch/replication/replicator.h"
#include "branch/replication/route/forwarder.h"
#include "branch/replication/route/leader_transport.h"
#include "branch/replication/route/peers.h"
#include "branch/replication/route/read_index_client.h"
#include "branch/replication/types.h"
#include "common/clock.h"
#include "common/ids.h"

namespace bank::replication {

// This branch's driver, reached from any thread. Meaning as in driver.h.
class LocalReplica {
 public:
  virtual ~LocalReplica() = default;
  virtual void Propose(std::string batch, uint64_t count, int64_t deadline_ms,
                       Replicator::ProposeCallback done) = 0;
  virtual void ReadIndex(int64_t deadline_ms, ReadIndexCallback done) = 0;
  virtual BranchId leader() const = 0;  // 0: unknown
  // Makes sure that OnTimer() is called at or soon after that time.
  virtual void WakeBy(int64_t deadline_ns) = 0;
};

class ProposalRouter final : private LeaderTransport {
 public:
  // All references must outlive it.
  ProposalRouter(BranchId self, const ForwarderOptions& options, const Clock& clock, Peers& peers,
                 LocalReplica& local_replica);

  // As Replicator.
  void Propose(std::string batch, uint64_t count, int64_t deadline_ns,
               Replicator::ProposeCallback done) {
    forwarder_.Propose(std::move(batch), count, deadline_ns, std::move(done));
  }
  void ReadBarrier(int64_t deadline_ns, Replicator::ReadCallback done) {
    read_index_client_.Enter(deadline_ns, std::move(done));
  }

  // Another branch's customers; as PeerHandler. What came over the network is checked before it can
  // reach the log.
  void OnForward(ForwardRequest request, ForwardCallback reply);

  void OnStatus(const ReplicatorStatus& status);
  void OnTimer(int64_t now_ns);
  int64_t NextDeadlineNs() const;

  // Completes what this branch's customers wait for; refuses what comes later. Idempotent.
  void Stop();

 private:
  // Route.
  void Submit(BranchId leader, ForwardRequest request, ForwardCallback done) override;
  void WakeBy(int64_t deadline_ns) override { local_replica_.WakeBy(deadline_ns); }

  // Lets this branch's driver decide, as leader or not.
  void Decide(ForwardRequest request, ForwardCallback reply);

  const BranchId self_;
  const Clock& clock_;
  Peers& peers_;
  LocalReplica& local_replica_;
  Forwarder forwarder_;
  ReadIndexClient read_index_client_;
  BranchId leader_;  // as last told to the forwarder; OnStatus()'s thread only
};

}  // namespace bank::replication
