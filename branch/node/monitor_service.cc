#include "branch/node/monitor_service.h"

namespace bank::node {

grpc::ServerReadReactor<v1::MetricPush>* MonitorService::PushMetrics(
    grpc::CallbackServerContext* call, v1::PushMetricsReply* reply) {
  return metrics_ ? metrics_->PushMetrics(call, reply) : Base::PushMetrics(call, reply);
}

grpc::ServerWriteReactor<v1::MetricUpdate>* MonitorService::StreamMetrics(
    grpc::CallbackServerContext* call, const v1::StreamMetricsRequest* request) {
  return metrics_ ? metrics_->StreamMetrics(call, request) : Base::StreamMetrics(call, request);
}

grpc::ServerWriteReactor<v1::Event>* MonitorService::StreamEvents(
    grpc::CallbackServerContext* call, const v1::StreamEventsRequest* request) {
  return metrics_ ? metrics_->StreamEvents(call, request) : Base::StreamEvents(call, request);
}

grpc::ServerBidiReactor<v1::CommandResponse, v1::CommandRequest>* MonitorService::CommandStream(
    grpc::CallbackServerContext* call) {
  return commands_ ? commands_->CommandStream(call) : Base::CommandStream(call);
}

grpc::ServerWriteReactor<v1::CommandUpdate>* MonitorService::RunCommand(
    grpc::CallbackServerContext* call, const v1::RunCommandRequest* request) {
  return commands_ ? commands_->RunCommand(call, request) : Base::RunCommand(call, request);
}

grpc::ServerUnaryReactor* MonitorService::CancelCommand(grpc::CallbackServerContext* call,
                                                        const v1::CancelCommandRequest* request,
                                                        v1::CancelCommandReply* reply) {
  return commands_ ? commands_->CancelCommand(call, request, reply)
                   : Base::CancelCommand(call, request, reply);
}

grpc::ServerWriteReactor<v1::AuditRecord>* MonitorService::ListAudit(
    grpc::CallbackServerContext* call, const v1::ListAuditRequest* request) {
  return commands_ ? commands_->ListAudit(call, request) : Base::ListAudit(call, request);
}

}  // namespace bank::node
