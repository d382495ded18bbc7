// AdminService: what operators ask. Answers at any time, also while the branch is not ready.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "bank/v1/admin.grpc.pb.h"
#include "branch/replication/member.h"
#include "branch/replication/replicator.h"
#include "common/clock.h"
#include "common/ids.h"

namespace bank::rpc {

// What an operator may ask of the replicator beyond replicator.h. Thread-safe, never block.
struct AdminActions {
  // OK: a snapshot of all that was applied before is durable.
  std::function<void(int64_t deadline_ns, std::function<void(absl::Status)> done)> take_snapshot;
  std::function<void(BranchId to, std::function<void(absl::Status)> done)> transfer_leadership;
};

class AdminService final : public v1::Admin::CallbackService {
 public:
  // All must outlive the server.
  AdminService(BranchId self, std::vector<replication::Member> members,
               replication::Replicator& replicator, AdminActions actions, const Clock& clock);

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
  const AdminActions actions_;
  const Clock& clock_;
};

}  // namespace bank::rpc
