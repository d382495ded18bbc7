// ClusterService: the way in from the other branches (proto/bank/v1/cluster.proto).
//
// Refuses other banks, other receivers, unknown branches and fields out of their range, with at
// most one log line a second. The caller is not told what he does not know (hello.h). Lifetime:
// after Shutdown() new calls are refused and none is left, so the server's own shutdown has nothing
// of this service to wait for. The handler must outlive Shutdown().
#pragma once

#include <grpcpp/server_context.h>

#include <cstdint>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "bank/v1/cluster.grpc.pb.h"
#include "branch/peers/grpc_peers.h"
#include "branch/peers/link.h"
#include "branch/peers/refusals.h"
#include "branch/peers/sender_table.h"
#include "branch/replication/route/peers.h"
#include "common/ids.h"

namespace bank::peers {

struct ClusterOptions {
  uint64_t bank = 0;
  BranchId self;
  std::set<BranchId> branches;  // who may call
  uint64_t snapshot_bytes_max = 8ull << 30;
};

// Of the branch that reaches its peers so: they are who may call.
ClusterOptions ClusterOptionsOf(const PeersOptions& peers);

class ClusterService final : public v1::Cluster::CallbackService {
 public:
  ClusterService(ClusterOptions options, replication::PeerHandler& handler);
  ~ClusterService() override;

  // Ends all calls and waits for the last reactor. Idempotent; not from a reaction.
  void Shutdown();

  grpc::ServerBidiReactor<v1::PeerMessage, v1::MessagesReply>* Messages(
      grpc::CallbackServerContext* context) override;
  grpc::ServerReadReactor<v1::SnapshotPiece>* InstallSnapshot(
      grpc::CallbackServerContext* context, v1::InstallSnapshotReply* reply) override;
  grpc::ServerBidiReactor<v1::ForwardRequest, v1::ForwardReply>* Forward(
      grpc::CallbackServerContext* context) override;

 private:
  class MessagesCall;
  class SnapshotCall;
  class ForwardCall;

  // Registers a call for its whole life; false if the service is shut down (then it is counted
  // all the same, and has to end itself).
  bool Begin(grpc::CallbackServerContext* context);
  void End(grpc::CallbackServerContext* context);

  absl::Status CheckCaller(const v1::Hello& hello) const;

  const ClusterOptions options_;
  replication::PeerHandler& handler_;
  SenderTable senders_;
  Refusals refusals_;
  WaitGroup wait_group_;

  absl::Mutex mutex_;
  bool shutdown_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<grpc::CallbackServerContext*> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace bank::peers
