// CommandCalls: this half of the bank.v1.Monitor service, as its one class hands calls on to it.
#pragma once

#include "bank/v1/monitor.grpc.pb.h"

namespace bank::remote_command {

// CommandStream, RunCommand, CancelCommand, ListAudit.
class CommandCalls {
 public:
  virtual ~CommandCalls() = default;
  virtual grpc::ServerBidiReactor<v1::CommandResponse, v1::CommandRequest>* CommandStream(
      grpc::CallbackServerContext* call) = 0;
  virtual grpc::ServerWriteReactor<v1::CommandUpdate>* RunCommand(
      grpc::CallbackServerContext* call, const v1::RunCommandRequest* request) = 0;
  virtual grpc::ServerUnaryReactor* CancelCommand(grpc::CallbackServerContext* call,
                                                  const v1::CancelCommandRequest* request,
                                                  v1::CancelCommandReply* reply) = 0;
  virtual grpc::ServerWriteReactor<v1::AuditRecord>* ListAudit(
      grpc::CallbackServerContext* call, const v1::ListAuditRequest* request) = 0;
};

}  // namespace bank::remote_command
