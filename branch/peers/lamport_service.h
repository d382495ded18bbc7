// LamportService and ClocksService: the way in to a branch that orders by logical clocks
// (proto/bank/v1/lamport.proto). The replicator must outlive the server.
#pragma once

#include "bank/v1/lamport.grpc.pb.h"
#include "branch/peers/cluster_service.h"
#include "branch/peers/refusals.h"
#include "branch/replication/lamport/runtime/lamport_replicator.h"
#include "common/clock.h"

namespace bank::peers {

// Refuses other banks, other receivers, unknown branches and fields out of their range
// (refusals.h).
class LamportService final : public v1::Lamport::CallbackService {
 public:
  LamportService(ClusterOptions options, replication::lamport::LamportReplicator& replicator)
      : options_(std::move(options)), replicator_(replicator) {}

  grpc::ServerUnaryReactor* Exchange(grpc::CallbackServerContext* context,
                                     const v1::LamportRequest* request,
                                     v1::LamportReply* reply) override;

 private:
  const ClusterOptions options_;
  replication::lamport::LamportReplicator& replicator_;
  Refusals refusals_;
};

class ClocksService final : public v1::Clocks::CallbackService {
 public:
  ClocksService(replication::lamport::LamportReplicator& replicator, const Clock& clock)
      : replicator_(replicator), clock_(clock) {}

  grpc::ServerUnaryReactor* ListClockEvents(grpc::CallbackServerContext* context,
                                            const v1::ListClockEventsRequest* request,
                                            v1::ListClockEventsReply* reply) override;

 private:
  replication::lamport::LamportReplicator& replicator_;
  const Clock& clock_;
};

}  // namespace bank::peers
