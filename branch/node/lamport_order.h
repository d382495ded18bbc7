// LamportOrder: the order by logical clocks (branch/replication/lamport/core.h), wired to gRPC.
#pragma once

#include <memory>
#include <vector>

#include "branch/node/config.h"
#include "branch/node/order.h"
#include "branch/peers/lamport_service.h"
#include "branch/peers/lamport_transport.h"
#include "branch/replication/lamport/runtime/lamport_replicator.h"
#include "common/clock.h"

namespace bank::node {

class LamportOrder final : public Order {
 public:
  // The clock must outlive it. `peers`: the addresses of the others, whose credentials are in
  // order.
  LamportOrder(const Config& config, peers::PeersOptions peers, const Clock& clock);

  replication::Replicator& replicator() override { return replicator_; }
  replication::ReplicaAdmin& admin() override { return replicator_; }
  const replication::ReplicationMetrics& metrics() const override { return replicator_.metrics(); }
  void Observe(std::function<void(const replication::ReplicatorStatus&)> observe) override {
    replicator_.Observe(std::move(observe));
  }
  void Ping(int64_t deadline_ns, replication::ReplicaAdmin::Done done) override {
    replicator_.Ping(deadline_ns, std::move(done));
  }
  std::vector<grpc::Service*> services() override { return {&service_, &clocks_}; }
  absl::Status Start() override {
    replicator_.Start();
    return absl::OkStatus();
  }
  void Stop() override { replicator_.Stop(); }
  void EndPeers() override { transport_.Shutdown(); }

 private:
  peers::LamportTransport transport_;
  replication::lamport::LamportReplicator replicator_;
  peers::LamportService service_;
  peers::ClocksService clocks_;
};

}  // namespace bank::node
