// A bank of real raft branches in one process: drivers, threads, gRPC on loopback ports; the disks
// in memory, so that a stopped branch can be started again from what was durable.
#pragma once

#include <grpcpp/server.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "branch/peers/cluster_service.h"
#include "branch/peers/grpc_peers.h"
#include "branch/replication/runtime/raft_replicator.h"
#include "common/clock.h"
#include "tests/support/memory_storage.h"

namespace bank::replication {

struct RaftClusterOptions {
  size_t branches = 3;
  int64_t initial_balance = 1000;
  uint32_t election_timeout_ms = 300;
  uint32_t heartbeat_ms = 50;
  uint64_t snapshot_every_entries = 50'000;
  uint64_t trailing_entries = 10'000;
};

class RaftCluster {
 public:
  // Starts all branches and founds the shared account; returns when every branch is ready.
  explicit RaftCluster(RaftClusterOptions options = {});
  ~RaftCluster();

  size_t size() const { return branches_.size(); }
  RaftReplicator& branch(size_t i) { return *branches_[i]->replicator; }
  // Its way to the others, over gRPC.
  Peers& peers(size_t i) { return *branches_[i]->cut_peers; }
  storage::MemoryDisk& disk(size_t i) { return branches_[i]->disk; }
  bool running(size_t i) const { return branches_[i]->replicator != nullptr; }
  bool failed(size_t i) const { return branches_[i]->failed.load(); }

  void Stop(size_t i);
  void Start(size_t i);
  // Everything this branch says or hears between branches is lost.
  void Cut(size_t i, bool cut) { branches_[i]->cut.store(cut); }

  // Waits until one running, uncut branch leads and the others of these agree; its number. Ends the
  // test if none is found in a long time.
  size_t AwaitLeader();
  // Waits until `condition` holds, looked at whenever time has passed for a heartbeat.
  static bool Await(const std::function<bool()>& condition);

 private:
  struct Branch;
  // Between a branch and its network: loses everything while the branch is cut off.
  class CutPeers;
  class CutHandler;
  struct Branch {
    BranchId id;
    storage::MemoryDisk disk;
    std::atomic<bool> cut{false};
    std::atomic<bool> failed{false};
    int port = 0;
    std::unique_ptr<storage::MemoryStorage> storage;
    std::unique_ptr<peers::GrpcPeers> peers;
    std::unique_ptr<Peers> cut_peers;
    std::unique_ptr<RaftReplicator> replicator;
    std::unique_ptr<PeerHandler> cut_handler;
    std::unique_ptr<peers::ClusterService> service;
    std::unique_ptr<grpc::Server> server;
  };

  const RaftClusterOptions options_;
  SteadyClock clock_;
  std::vector<Member> initial_members_;
  std::vector<std::unique_ptr<Branch>> branches_;
};

}  // namespace bank::replication
