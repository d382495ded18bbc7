// MonitorService: the bank.v1.Monitor service, made of its two halves: streams of metrics and
// events, and commands. gRPC wants one class for each service, and foreign agents know this one by
// its name.
#pragma once

#include "bank/v1/monitor.grpc.pb.h"
#include "branch/remote_command/stream/bank_commands.h"
#include "branch/telemetry/stream/metric_streams.h"

namespace bank::node {

class MonitorService final : public v1::Monitor::CallbackService {
 public:
  // Both must outlive the server.
  MonitorService(telemetry::MetricStreams& metrics, remote_command::BankCommands& commands)
      : metrics_(metrics), commands_(commands) {}

  grpc::ServerReadReactor<v1::MetricPush>* PushMetrics(grpc::CallbackServerContext* call,
                                                       v1::PushMetricsReply*) override {
    return metrics_.PushMetrics(call);
  }
  grpc::ServerWriteReactor<v1::MetricUpdate>* StreamMetrics(
      grpc::CallbackServerContext*, const v1::StreamMetricsRequest* request) override {
    return metrics_.StreamMetrics(*request);
  }
  grpc::ServerWriteReactor<v1::Event>* StreamEvents(
      grpc::CallbackServerContext*, const v1::StreamEventsRequest* request) override {
    return metrics_.StreamEvents(*request);
  }
  grpc::ServerBidiReactor<v1::CommandResponse, v1::CommandRequest>* CommandStream(
      grpc::CallbackServerContext* call) override {
    return commands_.CommandStream(call);
  }
  grpc::ServerWriteReactor<v1::CommandUpdate>* RunCommand(
      grpc::CallbackServerContext* call, const v1::RunCommandRequest* request) override {
    return commands_.RunCommand(call, request);
  }
  grpc::ServerUnaryReactor* CancelCommand(grpc::CallbackServerContext* call,
                                          const v1::CancelCommandRequest* request,
                                          v1::CancelCommandReply* reply) override {
    return commands_.CancelCommand(call, request, reply);
  }
  grpc::ServerWriteReactor<v1::AuditRecord>* ListAudit(
      grpc::CallbackServerContext* call, const v1::ListAuditRequest* request) override {
    return commands_.ListAudit(call, request);
  }

 private:
  telemetry::MetricStreams& metrics_;
  remote_command::BankCommands& commands_;
};

}  // namespace bank::node
