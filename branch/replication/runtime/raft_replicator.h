// RaftReplicator: the bank's order by consensus, behind the replicator's seam, on any branch.
//
//   ProposalRouter = the way of operations and reads to whoever leads
//   Loop       = the driver (engine, log, ledger) with a thread and a disk
//
// Construction, Start(), use, Stop(), destruction. Peers may call the PeerHandler half from
// construction on. Stop() completes, in this order: customers' proposals and reads (of any
// branch's role), then, when the driver's thread and the disk have ended, what other branches
// forwarded here. The peers must be shut down after Stop() and before destruction: their late
// answers come back to this object.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "branch/replication/driver/driver.h"
#include "branch/replication/metrics.h"
#include "branch/replication/replica_admin.h"
#include "branch/replication/replicator.h"
#include "branch/replication/route/forwarder.h"
#include "branch/replication/route/peers.h"
#include "branch/replication/route/proposal_router.h"
#include "branch/replication/runtime/replica.h"
#include "branch/storage/storage.h"
#include "common/clock.h"

namespace bank::replication {

struct RaftOptions {
  DriverOptions driver;
  ForwarderOptions forwarder;
};

class RaftReplicator final : public Replicator, public ReplicaAdmin, public PeerHandler {
 public:
  // All references must outlive it. `on_fatal` is called once when the disk fails; the process is
  // expected to end soon.
  RaftReplicator(const RaftOptions& options, storage::Storage& storage, const Clock& clock,
                 Peers& peers, FatalHandler on_fatal);
  ~RaftReplicator() override;

  // Before Start(): as Loop::Observe().
  void Observe(StatusObserver observe) { replica_.Observe(std::move(observe)); }

  // `recovered`: what the storage held. A initial member that has never taken part first writes the
  // bootstrap configuration. Errors as Driver::Start() and of the storage.
  absl::Status Start(storage::Recovered recovered);
  // Idempotent; not from a callback. Query() and GetStatus() go on working.
  void Stop();

  // Replicator.
  void Propose(std::string batch, uint64_t count, int64_t deadline_ns,
               ProposeCallback done) override;
  void ReadBarrier(int64_t deadline_ns, ReadCallback done) override;
  void WaitApplied(Position position, int64_t deadline_ns, ReadCallback done) override;
  ledger::Outcome Query(std::string_view account) const override;
  ReplicatorStatus GetStatus() const override;

  // Thread-safe.
  const ReplicationMetrics& metrics() const { return replica_.metrics(); }

  // ReplicaAdmin.
  void TakeSnapshot(int64_t deadline_ns, Done done) override;
  void TransferLeadership(BranchId to, Done done) override;
  std::string_view replicator_name() const override { return "raft"; }
  void ReadLedger(absl::FunctionRef<void(const ledger::Ledger&)> read) const override;

  // Completes with OK when the driver's thread has come round: nothing holds it up.
  void Ping(int64_t deadline_ns, ReadCallback done);

  // PeerHandler.
  void OnMessage(BranchId from, Message message) override;
  void OnConnectionLost(BranchId from) override;
  void OnForward(BranchId from, ForwardRequest request, ForwardCallback reply) override;

 private:
  const DriverOptions driver_options_;
  storage::Storage& storage_;
  ProposalRouter router_;
  Replica replica_;
};

}  // namespace bank::replication
