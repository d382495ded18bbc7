// The calls of one agent's CommandStream: AgentCall, the stream itself, and AgentRelay, its way on
// to the master. Parts of BankCommands (command_calls.h).
#pragma once

#include <grpcpp/client_context.h>

#include <deque>
#include <memory>
#include <string>

#include "branch/remote_command/stream/bank_commands.h"

namespace bank::remote_command {

// gRPC's reactions only post to the task queue. The object lives until gRPC has let go of it and no
// task holds it.
class BankCommands::AgentCall final
    : public grpc::ServerBidiReactor<v1::CommandResponse, v1::CommandRequest>,
      public AgentLine,
      public std::enable_shared_from_this<AgentCall> {
 public:
  // More wait for an agent that does not read: then it is cut off.
  static constexpr size_t kQueuedMax = 1'000;
  // More wait for a leader that does not read: then nothing more is read from the agent.
  static constexpr size_t kRelayedMax = 16;

  AgentCall(BankCommands& commands, grpc::CallbackServerContext* call);
  void Start();

  // AgentLine, on the task queue.
  void Send(v1::CommandRequest request) override;
  void End(const grpc::Status& status) override;

  // The relay has room again, or has ended.
  void OnRelayRoom();
  void OnRelayEnded(const grpc::Status& status);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;

 private:
  void OnResponse();
  grpc::Status Join();
  void ReadNext();
  void WriteNext();

  BankCommands& commands_;
  grpc::CallbackServerContext& call_;
  const bool own_;      // by its metadata
  const bool relayed_;  // comes from a branch that does not lead
  std::shared_ptr<AgentCall> self_;
  std::shared_ptr<AgentRelay> relay_;
  v1::CommandResponse response_;
  std::deque<v1::CommandRequest> queue_;  // the first is being written, if `writing_`
  bool joined_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool ended_ = false;  // finishes with `status_` when the write in flight is done
  grpc::Status status_;
};

class BankCommands::AgentRelay final
    : public grpc::ClientBidiReactor<v1::CommandResponse, v1::CommandRequest>,
      public Relay,
      public std::enable_shared_from_this<AgentRelay> {
 public:
  AgentRelay(BankCommands& commands, std::shared_ptr<AgentCall> agent)
      : commands_(commands), agent_(std::move(agent)) {}

  // On the task queue.
  void Start(v1::Monitor::Stub& stub);
  void Send(v1::CommandResponse response);
  void Cancel() override;
  size_t queued() const { return queue_.size(); }

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  void WriteNext();

  BankCommands& commands_;
  std::shared_ptr<AgentCall> agent_;
  std::shared_ptr<AgentRelay> self_;
  grpc::ClientContext context_;
  v1::CommandRequest request_;
  std::deque<v1::CommandResponse> queue_;
  bool writing_ = false;
  bool ended_ = false;
};

}  // namespace bank::remote_command
