// RaftOrder: the order by consensus, wired to the disk and to gRPC.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "branch/node/config.h"
#include "branch/node/order.h"
#include "branch/peers/cluster_service.h"
#include "branch/peers/grpc_peers.h"
#include "branch/replication/runtime/raft_replicator.h"
#include "branch/storage/posix_file_system.h"
#include "branch/storage/storage.h"
#include "common/clock.h"

namespace bank::node {

class RaftOrder final : public Order {
 public:
  // Opens the data folder. Errors and `on_fatal` as Branch::Start(). The clock must outlive it.
  static absl::StatusOr<std::unique_ptr<RaftOrder>> Open(const Config& config,
                                                         const peers::PeersOptions& peers,
                                                         const Clock& clock,
                                                         replication::FatalHandler on_fatal);

  replication::Replicator& replicator() override { return *replicator_; }
  replication::ReplicaAdmin& admin() override { return *replicator_; }
  const replication::ReplicationMetrics& metrics() const override { return replicator_->metrics(); }
  void Observe(std::function<void(const replication::ReplicatorStatus&)> observe) override {
    replicator_->Observe(std::move(observe));
  }
  void Ping(int64_t deadline_ns, replication::ReplicaAdmin::Done done) override {
    replicator_->Ping(deadline_ns, std::move(done));
  }
  std::vector<grpc::Service*> services() override { return {cluster_service_.get()}; }
  absl::Status Start() override { return replicator_->Start(std::move(opened_.recovered)); }
  void HandOver() override;
  void Stop() override { replicator_->Stop(); }
  void EndService() override { cluster_service_->Shutdown(); }
  void EndPeers() override { peers_->Shutdown(); }

 private:
  explicit RaftOrder(const Config& config) : driver_options_(config.driver) {}

  const replication::DriverOptions driver_options_;
  storage::PosixFileSystem files_;
  storage::OpenedStorage opened_;
  std::unique_ptr<peers::GrpcPeers> peers_;
  std::unique_ptr<replication::RaftReplicator> replicator_;
  std::unique_ptr<peers::ClusterService> cluster_service_;
};

}  // namespace bank::node
