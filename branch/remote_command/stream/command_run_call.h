// The calls of one RunCommand: RunCall, the caller's, and RunRelay, its way on to the master. Parts
// of BankCommands (command_calls.h).
//
// A RunCall asks whoever leads, and when that breaks off, whoever leads then, with the same id,
// until all agents have a result or the command's time is long over. What comes twice by that is
// told once.
#pragma once

#include <grpcpp/client_context.h>

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "branch/remote_command/stream/bank_commands.h"

namespace bank::remote_command {

class BankCommands::RunCall final : public grpc::ServerWriteReactor<v1::CommandUpdate>,
                                    public CommandWatcher,
                                    public std::enable_shared_from_this<RunCall> {
 public:
  // `request` has its issuer and its deadline; it was checked.
  RunCall(BankCommands& commands, v1::RunCommandRequest request, bool relayed);
  void Start();

  // CommandWatcher, on the task queue; also for the relay.
  void OnUpdate(v1::CommandUpdate update) override;
  void OnDone(const grpc::Status& status) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // What the caller was told of one agent.
  struct Told {
    bool started = false;
    bool result = false;
    size_t output = 0;    // bytes
    size_t arriving = 0;  // bytes of output in the present attempt
  };

  void Ask();
  void WriteNext();

  BankCommands& commands_;
  const v1::RunCommandRequest request_;
  const bool relayed_;
  const int64_t give_up_ns_;
  std::shared_ptr<RunCall> self_;
  std::map<std::string, Told> told_;
  std::deque<v1::CommandUpdate> queue_;  // the first is being written, if `writing_`
  bool writing_ = false;
  bool ended_ = false;     // nothing more comes; `status_` when the queue is written
  bool finished_ = false;  // Finish() was called
  grpc::Status status_;
};

class BankCommands::RunRelay final : public grpc::ClientReadReactor<v1::CommandUpdate>,
                                     public Relay,
                                     public std::enable_shared_from_this<RunRelay> {
 public:
  RunRelay(BankCommands& commands, std::shared_ptr<RunCall> call)
      : commands_(commands), call_(std::move(call)) {}

  void Start(v1::Monitor::Stub& stub, const v1::RunCommandRequest& request);
  void Cancel() override { context_.TryCancel(); }

  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

 private:
  BankCommands& commands_;
  std::shared_ptr<RunCall> call_;
  std::shared_ptr<RunRelay> self_;
  grpc::ClientContext context_;
  v1::RunCommandRequest request_;
  v1::CommandUpdate update_;
};

}  // namespace bank::remote_command
