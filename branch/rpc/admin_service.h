// AdminService: what operators ask. Answers at any time, also while the branch is not ready.
#pragma once

#include <vector>

#include "bank/v1/admin.grpc.pb.h"
#include "branch/replication/member.h"
#include "branch/replication/replica_admin.h"
#include "branch/replication/replicator.h"
#include "common/clock.h"
#include "common/ids.h"

namespace bank::rpc {

class AdminService final : public v1::Admin::CallbackService {
 public:
  // All must outlive the server.
  AdminService(BranchId self, std::vector<replication::Member> members,
               replication::Replicator& replicator, replication::ReplicaAdmin& admin,
               const Clock& clock);

  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext* call,
                                   const v1::StatusRequest* request,
                                   v1::BranchStatus* reply) override;
  grpc::ServerUnaryReactor* TakeSnapshot(grpc::CallbackServerContext* call,
                                         const v1::TakeSnapshotRequest* request,
                                         v1::TakeSnapshotReply* reply) override;
  grpc::ServerUnaryReactor* TransferLeadership(grpc::CallbackServerContext* call,
                                               const v1::TransferLeadershipRequest* request,
                                               v1::TransferLeadershipReply* reply) override;

 private:
  void FillStatus(v1::BranchStatus* reply) const;

  const BranchId self_;
  const std::vector<replication::Member> members_;
  replication::Replicator& replicator_;
  replication::ReplicaAdmin& admin_;
  const Clock& clock_;
};

}  // namespace bank::rpc
