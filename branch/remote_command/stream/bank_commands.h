// BankCommands: CommandStream, RunCommand, CancelCommand and ListAudit of a branch.
//
// On the branch that leads, agents join the leader and commands go to them. On any other, both are
// passed on to the branch that leads: a command's call stays open through a change of the leader
// and asks the next one with the same id; an agent's stream ends with UNAVAILABLE then, and the
// agent connects again.
//
// Lifetime: after the server's shutdown, Shutdown(), then the task queue's Stop(), then
// destruction.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "bank/v1/monitor.grpc.pb.h"
#include "branch/remote_command/runner.h"
#include "branch/remote_command/stream/command_dispatcher.h"
#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/stream/leader_tracker.h"
#include "net/task_queue.h"
#include "net/wait_group.h"

namespace bank::remote_command {

// Of calls that a branch passes on: its name. They are not passed on again.
inline constexpr const char* kRelayMetadata = "bank-relay";

class BankCommands {
 public:
  struct Options {
    std::string agent;        // this branch's
    std::string bank_number;  // as in the metadata telemetry::kBankKey
    std::function<int64_t()> unix_now_ns;
  };
  // All must outlive it. Watches `leader tracker`: make it before their first status.
  BankCommands(Options options, CommandDispatcher& leader, Runner& runner,
               const telemetry::MetricStore& store, telemetry::LeaderTracker& leader_tracker,
               net::TaskQueue& task_queue);

  // Ends the calls to other branches and waits for their last reactions.
  void Shutdown();

  grpc::ServerBidiReactor<v1::CommandResponse, v1::CommandRequest>* CommandStream(
      grpc::CallbackServerContext* call);
  grpc::ServerWriteReactor<v1::CommandUpdate>* RunCommand(grpc::CallbackServerContext* call,
                                                          const v1::RunCommandRequest* request);
  grpc::ServerUnaryReactor* CancelCommand(grpc::CallbackServerContext* call,
                                          const v1::CancelCommandRequest* request,
                                          v1::CancelCommandReply* reply);
  grpc::ServerWriteReactor<v1::AuditRecord>* ListAudit(grpc::CallbackServerContext* call,
                                                       const v1::ListAuditRequest* request);

 private:
  class AgentCall;
  class AgentRelay;
  class RunCall;
  class RunRelay;
  class AuditCall;
  // A call to another branch, which ends when the leader changes.
  class Relay {
   public:
    virtual ~Relay() = default;
    virtual void Cancel() = 0;
  };

  void OnLeader(const telemetry::Leader& leader);
  void Begin(Relay* relay);
  void End(Relay* relay);
  // Who asks: the certificate's subject if there is one, else what it says and from where.
  std::string IssuerOf(const grpc::CallbackServerContext& call, const std::string& said) const;
  // A refusal's record, of a request that reaches no agent.
  void RecordRefusal(const v1::RunCommandRequest& request, const std::string& why);

  const Options options_;
  CommandDispatcher& dispatcher_;
  Runner& runner_;
  const telemetry::MetricStore& store_;
  telemetry::LeaderTracker& leader_tracker_;
  net::TaskQueue& task_queue_;

  std::set<Relay*> relays_;  // of the task queue
  bool shutdown_ = false;    // of the task queue
  net::WaitGroup wait_group_;
};

}  // namespace bank::remote_command
