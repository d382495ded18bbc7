// Between the customer's own types and the messages of proto/bank/v1/customer.proto.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "bank/v1/customer.pb.h"
#include "customer/client/retry_policy.h"
#include "customer/history/event.h"

namespace bank::client {

// STYLE of the bank: codes that gRPC itself never makes mean "certainly not applied"; those that
// it can make by itself mean "unknown".
CallFate FateOf(const grpc::Status& status);
ReplyKind KindOf(v1::ResultCode code);

// "ok", "insufficient_funds", ...: as in histories.
std::string_view ResultName(v1::ResultCode code);

// `identity.session` 0: no key.
void FillRequest(const history::Operation& operation, const history::Identity& identity,
                 uint64_t answered_below, v1::Request* request);

v1::Batch::Kind BatchKind(history::Op op);

// The moment `deadline_ns` of the steady clock as gRPC counts, when the clock shows `now_ns`.
std::chrono::system_clock::time_point GrpcDeadline(int64_t deadline_ns, int64_t now_ns);

// A failed call in a few words: "unavailable: connection refused".
std::string Describe(const grpc::Status& status);

}  // namespace bank::client
