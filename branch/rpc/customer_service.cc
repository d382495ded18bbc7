#include "branch/rpc/customer_service.h"

#include <optional>

#include "branch/rpc/batch_stream.h"
#include "branch/rpc/convert.h"
#include "branch/rpc/deadline.h"

namespace bank::rpc {
namespace {

// One call in the bank: inside the gate until it finishes.
struct Call {
  const ServiceContext& service;
  grpc::ServerUnaryReactor* reactor;
  LatencyHistogram& latency;
  int64_t begin_ns;
  int64_t deadline_ns;

  // `applied`: how the call ends if the operation was applied.
  void Finish(const teller::TellerReply& result,
              const grpc::Status& applied = grpc::Status::OK) const {
    const int64_t now_ns = service.clock.NowNs();
    latency.Record(now_ns - begin_ns);
    reactor->Finish(result.fate == teller::Fate::kApplied
                        ? applied
                        : StatusOfFate(result.fate, result.reason, now_ns >= deadline_ns));
    service.inflight_limit.Leave();
  }
};

// Empty: the gate is closed or busy, and the call is finished.
std::optional<Call> Begin(const ServiceContext& service, grpc::CallbackServerContext* context,
                          grpc::ServerUnaryReactor* reactor, LatencyHistogram& latency,
                          int64_t deadline_ms) {
  if (const InflightLimit::Entry entry = service.inflight_limit.Enter();
      entry != InflightLimit::Entry::kEntered) {
    reactor->Finish(StatusOfEntry(entry));
    return std::nullopt;
  }
  return Call{service, reactor, latency, service.clock.NowNs(),
              DeadlineNs(service.clock, *context, deadline_ms)};
}

// What the caller's `money` can hold.
enum class MoneyField { kInt64, kPerhapsInt32 };

grpc::ServerUnaryReactor* Deliver(const ServiceContext& service,
                                  grpc::CallbackServerContext* context, const v1::Request& request,
                                  v1::Reply* reply, MoneyField money) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (service.connection_tracker != nullptr) service.connection_tracker->Called(*context);
  const std::optional<ledger::Kind> kind = KindOfInterface(request.request());
  if (!kind) {
    FillBadRequest(request.request(), service.branch, reply);
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  LatencyHistogram& latency =
      *kind == ledger::Kind::kQuery ? service.metrics.reads : service.metrics.writes;
  const std::optional<Call> call = Begin(service, context, reactor, latency, request.deadline_ms());
  if (!call) return reactor;
  service.teller.Execute(
      OperationOf(*kind, request), call->deadline_ns,
      [call = *call, reply, money, kind = *kind](const teller::TellerReply& result) {
        grpc::Status applied = grpc::Status::OK;
        if (result.fate == teller::Fate::kApplied) {
          FillReply(result.outcome, call.service.branch, reply);
          reply->set_clock(result.clock);
          if (money == MoneyField::kPerhapsInt32) applied = FitInt32(kind, reply);
        }
        call.Finish(result, applied);
      });
  return reactor;
}

}  // namespace

grpc::Status StatusOfEntry(InflightLimit::Entry entry) {
  return {grpc::StatusCode::ABORTED, entry == InflightLimit::Entry::kBusy
                                         ? "not applied: the branch is busy"
                                         : "not applied: the branch is starting or stopping"};
}

grpc::ServerUnaryReactor* CustomerService::MsgDelivery(grpc::CallbackServerContext* context,
                                                       const v1::Request* request,
                                                       v1::Reply* reply) {
  return Deliver(service_, context, *request, reply, MoneyField::kInt64);
}

grpc::ServerUnaryReactor* ExerciseService::MsgDelivery(grpc::CallbackServerContext* context,
                                                       const v1::Request* request,
                                                       v1::Reply* reply) {
  return Deliver(service_, context, *request, reply, MoneyField::kPerhapsInt32);
}

grpc::ServerBidiReactor<v1::Batch, v1::BatchReply>* CustomerService::Stream(
    grpc::CallbackServerContext* context) {
  return new BatchStream(service_, context);  // deletes itself
}

grpc::ServerUnaryReactor* CustomerService::OpenSession(grpc::CallbackServerContext* context,
                                                       const v1::OpenSessionRequest*,
                                                       v1::OpenSessionReply* reply) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const Openings::Opener opener = service_.openings.OpenerOf(*context);
  if (!service_.openings.Admit(opener)) {
    reactor->Finish(StatusOfTooManyOpenings(opener.sessions_max));
    return reactor;
  }
  const std::optional<Call> call =
      Begin(service_, context, reactor, service_.metrics.writes, /*deadline_ms=*/0);
  if (!call) return reactor;
  service_.teller.OpenSession(opener.owner, call->deadline_ns,
                              [call = *call, reply](const teller::TellerReply& result) {
                                if (result.fate == teller::Fate::kApplied) {
                                  reply->set_session(result.session.value);
                                  reply->set_position(result.outcome.position.value);
                                  reply->set_window(call.service.teller.session_window());
                                }
                                call.Finish(result);
                              });
  return reactor;
}

grpc::ServerUnaryReactor* CustomerService::Lookup(grpc::CallbackServerContext* context,
                                                  const v1::LookupRequest* request,
                                                  v1::Reply* reply) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const std::optional<Call> call =
      Begin(service_, context, reactor, service_.metrics.writes, /*deadline_ms=*/0);
  if (!call) return reactor;
  service_.teller.Lookup(SessionId(request->session()), request->sequence(), call->deadline_ns,
                         [call = *call, reply](const teller::TellerReply& result) {
                           if (result.fate == teller::Fate::kApplied) {
                             FillReply(result.outcome, call.service.branch, reply);
                           }
                           call.Finish(result);
                         });
  return reactor;
}

}  // namespace bank::rpc
