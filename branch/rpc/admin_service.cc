#include "branch/rpc/admin_service.h"

#include <utility>

#include "branch/rpc/convert.h"
#include "branch/rpc/deadline.h"
#include "branch/telemetry/stream/convert.h"
#include "common/version.h"

namespace bank::rpc {

AdminService::AdminService(BranchId self, std::vector<replication::Member> members,
                           replication::Replicator& replicator, replication::ReplicaAdmin& admin,
                           const Clock& clock)
    : self_(self),
      members_(std::move(members)),
      replicator_(replicator),
      admin_(admin),
      clock_(clock) {}

void AdminService::FillStatus(v1::BranchStatus* reply) const {
  telemetry::ToWire(replicator_.GetStatus(), self_, reply);
  reply->set_replicator(std::string(admin_.replicator_name()));
  reply->set_version(std::string(Version()));
  for (const replication::Member& member : members_) {
    v1::Member* shown = reply->add_members();
    shown->set_branch(static_cast<uint32_t>(member.id.value));
    shown->set_address(member.address);
    shown->set_voter(member.voter);
  }
}

grpc::ServerUnaryReactor* AdminService::Status(grpc::CallbackServerContext* call,
                                               const v1::StatusRequest* request,
                                               v1::BranchStatus* reply) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  if (request->minimum_position() == 0) {
    FillStatus(reply);
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  replicator_.WaitApplied(Position(request->minimum_position()),
                          DeadlineNs(clock_, *call, /*deadline_ms=*/0),
                          [this, reactor, reply](const absl::Status& status) {
                            if (status.ok()) FillStatus(reply);
                            reactor->Finish(status.ok() ? grpc::Status::OK : StatusOfRead(status));
                          });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::TakeSnapshot(grpc::CallbackServerContext* call,
                                                     const v1::TakeSnapshotRequest*,
                                                     v1::TakeSnapshotReply* reply) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  admin_.TakeSnapshot(DeadlineNs(clock_, *call, /*deadline_ms=*/0),
                      [this, reactor, reply](const absl::Status& status) {
                        reply->set_snapshot_index(replicator_.GetStatus().snapshot_index.value);
                        if (status.code() == absl::StatusCode::kFailedPrecondition) {
                          reactor->Finish(grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                                                       std::string(status.message())));
                        } else {
                          reactor->Finish(status.ok() ? grpc::Status::OK : StatusOfRead(status));
                        }
                      });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::TransferLeadership(
    grpc::CallbackServerContext* call, const v1::TransferLeadershipRequest* request,
    v1::TransferLeadershipReply*) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  admin_.TransferLeadership(BranchId(request->branch()), [reactor](const absl::Status& status) {
    // The two libraries number their codes alike.
    reactor->Finish({static_cast<grpc::StatusCode>(status.code()), std::string(status.message())});
  });
  return reactor;
}

}  // namespace bank::rpc
