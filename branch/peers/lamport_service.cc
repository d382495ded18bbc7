#include "branch/peers/lamport_service.h"

#include <algorithm>
#include <utility>

#include "branch/peers/hello.h"
#include "branch/peers/lamport_convert.h"

namespace bank::peers {
namespace {

constexpr size_t kEventsInAReply = 10'000;
constexpr uint64_t kTimeoutMs = 10'000;
constexpr uint64_t kTimeoutMsMax = 3'600'000;

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

}  // namespace

grpc::ServerUnaryReactor* LamportService::Exchange(grpc::CallbackServerContext* context,
                                                   const v1::LamportRequest* request,
                                                   v1::LamportReply* reply) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  absl::Status status = CheckHello(request->hello(), options_.bank, options_.self);
  if (status.ok() && !options_.branches.contains(BranchId(request->hello().branch()))) {
    status = absl::FailedPreconditionError("no branch of this bank");
  }
  if (status.ok()) {
    auto taken = FromWire(*request);
    status = taken.status();
    if (taken.ok()) *reply = ToWire(replicator_.OnRequest(*std::move(taken)));
  }
  reactor->Finish(refusals_.Refuse(status));
  return reactor;
}

grpc::ServerUnaryReactor* ClocksService::ListClockEvents(grpc::CallbackServerContext* context,
                                                         const v1::ListClockEventsRequest* request,
                                                         v1::ListClockEventsReply* reply) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const uint64_t timeout_ms =
      std::min(request->timeout_ms() == 0 ? kTimeoutMs : request->timeout_ms(), kTimeoutMsMax);
  // gRPC keeps request and reply until Finish().
  replicator_.WaitApplied(Position(std::max<uint64_t>(request->minimum_position(), 1)),
                          clock_.NowNs() + static_cast<int64_t>(timeout_ms) * kNsPerMs,
                          [this, reactor, request, reply](const absl::Status& status) {
                            if (!status.ok()) return reactor->Finish(ToGrpc(status));
                            const auto events =
                                replicator_.EventsAfter(request->after(), kEventsInAReply);
                            for (const auto& event : events) *reply->add_events() = ToWire(event);
                            reply->set_more(events.size() == kEventsInAReply);
                            reactor->Finish(grpc::Status::OK);
                          });
  return reactor;
}

}  // namespace bank::peers
