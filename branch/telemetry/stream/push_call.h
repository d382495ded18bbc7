// PushMetrics as a caller that must know at once when the other side ends it: a caller that only
// writes learns that with its next write. On the wire there is no difference.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <memory>

#include "bank/v1/monitor.grpc.pb.h"

namespace bank::telemetry {

// Initial metadata of PushMetrics' answer.
inline constexpr char kLastSequenceKey[] = "bank-last-sequence";

// StartRead() before StartCall(); OnReadDone() tells of the end.
using PushReactor = grpc::ClientBidiReactor<v1::MetricPush, v1::PushMetricsReply>;

// All must live until the reactor's OnDone().
inline void PreparePush(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext* context,
                        PushReactor* reactor) {
  grpc::TemplatedGenericStub<v1::MetricPush, v1::PushMetricsReply>(channel)
      .PrepareBidiStreamingCall(context, "/bank.v1.Monitor/PushMetrics", {}, reactor);
}

}  // namespace bank::telemetry
