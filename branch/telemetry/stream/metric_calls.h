// MetricCalls: this half of the bank.v1.Monitor service, as its one class hands calls on to it.
#pragma once

#include "bank/v1/monitor.grpc.pb.h"

namespace bank::telemetry {

// PushMetrics, StreamMetrics, StreamEvents.
class MetricCalls {
 public:
  virtual ~MetricCalls() = default;
  virtual grpc::ServerReadReactor<v1::MetricPush>* PushMetrics(grpc::CallbackServerContext* call,
                                                               v1::PushMetricsReply* reply) = 0;
  virtual grpc::ServerWriteReactor<v1::MetricUpdate>* StreamMetrics(
      grpc::CallbackServerContext* call, const v1::StreamMetricsRequest* request) = 0;
  virtual grpc::ServerWriteReactor<v1::Event>* StreamEvents(
      grpc::CallbackServerContext* call, const v1::StreamEventsRequest* request) = 0;
};

}  // namespace bank::telemetry
