// Order: what gives a branch the bank's order: a replicator, its ways to the other branches and
// from them, and what it keeps. There are two: RaftOrder (raft_order.h) and LamportOrder
// (lamport_order.h).
//
// Made; services() join the branch's server; Start() when its ports are bound; Stop(),
// EndService(), EndPeers() in this order, the server's own end before the last one.
#pragma once

#include <grpcpp/impl/service_type.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "branch/replication/metrics.h"
#include "branch/replication/replica_admin.h"
#include "branch/replication/replicator.h"

namespace bank::node {

class Order {
 public:
  virtual ~Order() = default;

  virtual replication::Replicator& replicator() = 0;
  virtual replication::ReplicaAdmin& admin() = 0;
  virtual const replication::ReplicationMetrics& metrics() const = 0;
  // Before Start(): `observe` gets the status whenever something has changed. From any thread.
  virtual void Observe(std::function<void(const replication::ReplicatorStatus&)> observe) = 0;

  // Completes with OK when the order's own thread has come round: nothing holds it up.
  virtual void Ping(int64_t deadline_ns, replication::ReplicaAdmin::Done done) = 0;

  virtual std::vector<grpc::Service*> services() = 0;

  virtual absl::Status Start() = 0;
  // Gives the lead to another branch, if there is one, and waits for it, a little.
  virtual void HandOver() {}
  // Completes all that customers and other branches wait for. Idempotent.
  virtual void Stop() = 0;
  // Ends the calls of the other branches.
  virtual void EndService() {}
  // Ends this branch's own calls to the others.
  virtual void EndPeers() = 0;
};

}  // namespace bank::node
