// MonitorService: the bank.v1.Monitor service, made of two halves: streams of metrics and events,
// and commands. It only hands calls on; gRPC wants one class per service.
#pragma once

#include "bank/v1/monitor.grpc.pb.h"
#include "branch/remote_command/stream/command_calls.h"
#include "branch/telemetry/stream/metric_calls.h"

namespace bank::node {

class MonitorService final : public v1::Monitor::CallbackService {
 public:
  // Both must outlive the server. Without one of them its calls are UNIMPLEMENTED.
  MonitorService(telemetry::MetricCalls* metrics, remote_command::CommandCalls* commands)
      : metrics_(metrics), commands_(commands) {}

  grpc::ServerReadReactor<v1::MetricPush>* PushMetrics(grpc::CallbackServerContext* call,
                                                       v1::PushMetricsReply* reply) override;
  grpc::ServerWriteReactor<v1::MetricUpdate>* StreamMetrics(
      grpc::CallbackServerContext* call, const v1::StreamMetricsRequest* request) override;
  grpc::ServerWriteReactor<v1::Event>* StreamEvents(
      grpc::CallbackServerContext* call, const v1::StreamEventsRequest* request) override;
  grpc::ServerBidiReactor<v1::CommandResponse, v1::CommandRequest>* CommandStream(
      grpc::CallbackServerContext* call) override;
  grpc::ServerWriteReactor<v1::CommandUpdate>* RunCommand(
      grpc::CallbackServerContext* call, const v1::RunCommandRequest* request) override;
  grpc::ServerUnaryReactor* CancelCommand(grpc::CallbackServerContext* call,
                                          const v1::CancelCommandRequest* request,
                                          v1::CancelCommandReply* reply) override;
  grpc::ServerWriteReactor<v1::AuditRecord>* ListAudit(
      grpc::CallbackServerContext* call, const v1::ListAuditRequest* request) override;

 private:
  using Base = v1::Monitor::CallbackService;

  telemetry::MetricCalls* const metrics_;
  remote_command::CommandCalls* const commands_;
};

}  // namespace bank::node
