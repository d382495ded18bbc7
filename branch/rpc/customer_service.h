// CustomerService: what customers ask, on gRPC's callback API; ExerciseService: the same under the
// exercise's name, for clients whose money may be an int32 (FitInt32 in convert.h).
//
// Nothing blocks: a reaction turns the message into an operation, hands it to the teller and
// returns; the teller's completion finishes the call from the thread that knows the outcome.
#pragma once

#include <cstdint>

#include "bank/v1/customer.grpc.pb.h"
#include "bank/v1/exercise.grpc.pb.h"
#include "branch/rpc/connection_tracker.h"
#include "branch/rpc/inflight_limit.h"
#include "branch/rpc/openings.h"
#include "branch/telemetry/process_metrics.h"
#include "branch/teller/teller.h"
#include "common/clock.h"
#include "common/ids.h"

namespace bank::rpc {

// What both services and the streams share. All must outlive the server.
struct ServiceContext {
  teller::Teller& teller;
  InflightLimit& inflight_limit;
  const Clock& clock;
  BranchId branch;
  telemetry::OperationMetrics& metrics;
  Openings& openings;
  ConnectionTracker* connection_tracker = nullptr;  // nullptr: nobody wants to know
};

// "busy" or "stopping" as ABORTED: certainly not applied.
grpc::Status StatusOfEntry(InflightLimit::Entry entry);

class CustomerService final : public v1::Customer::CallbackService {
 public:
  explicit CustomerService(const ServiceContext& service) : service_(service) {}

  grpc::ServerUnaryReactor* MsgDelivery(grpc::CallbackServerContext* call,
                                        const v1::Request* request, v1::Reply* reply) override;
  grpc::ServerBidiReactor<v1::Batch, v1::BatchReply>* Stream(
      grpc::CallbackServerContext* call) override;
  grpc::ServerUnaryReactor* OpenSession(grpc::CallbackServerContext* call,
                                        const v1::OpenSessionRequest* request,
                                        v1::OpenSessionReply* reply) override;
  grpc::ServerUnaryReactor* Lookup(grpc::CallbackServerContext* call,
                                   const v1::LookupRequest* request, v1::Reply* reply) override;

 private:
  ServiceContext service_;
};

class ExerciseService final : public RPCServicer::CallbackService {
 public:
  explicit ExerciseService(const ServiceContext& service) : service_(service) {}

  grpc::ServerUnaryReactor* MsgDelivery(grpc::CallbackServerContext* call,
                                        const v1::Request* request, v1::Reply* reply) override;

 private:
  ServiceContext service_;
};

}  // namespace bank::rpc
