// CommandDispatcher: the leader's part of the commands: which agents are connected, which command
// was sent to whom, and who waits for its end.
//
// A branch's own agent remembers every id it was given, also across restarts; so whatever is not
// known to have ended is simply sent to it again when it is connected again, and it answers with
// what became of it. A foreign agent promises nothing: the leader writes its commands into its own
// log before they are sent, sends them once, and never again, whatever breaks.
//
// It knows nothing of gRPC's calls: lines and watchers are theirs
// (command_agent_call.h, command_run_call.h).
// Threads: all of it on the task queue.
#pragma once

#include <grpcpp/support/status.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bank/v1/monitor.pb.h"
#include "branch/remote_command/command_log.h"
#include "branch/telemetry/sample_batch.h"
#include "net/task_queue.h"

namespace bank::remote_command {

// One connected agent. Owned by its call; told with Leave() when it is gone.
class AgentLine {
 public:
  virtual ~AgentLine() = default;
  virtual void Send(v1::CommandRequest request) = 0;
  virtual void End(const grpc::Status& status) = 0;
};

// Whoever asked for a command to be run.
class CommandWatcher {
 public:
  virtual ~CommandWatcher() = default;
  virtual void OnUpdate(v1::CommandUpdate update) = 0;
  // Last. OK: every agent has a result.
  //   UNAVAILABLE          the branch leads no longer: ask the next leader with the same id
  //   FAILED_PRECONDITION  a branch is not connected, and was not sent the command by this call
  //   NOT_FOUND            no agent of that name
  virtual void OnDone(const grpc::Status& status) = 0;
};

class CommandDispatcher {
 public:
  // A new leader waits so long for agents to connect to it before it calls them missing.
  static constexpr int64_t kSettleNs = 3'000'000'000;
  // A branch that is not connected may be back within:
  static constexpr int64_t kConnectNs = 2'000'000'000;
  // Beyond a command's own deadline, for its result to arrive.
  static constexpr int64_t kGraceNs = 2'000'000'000;
  static constexpr size_t kAgentsMax = 1'000;
  static constexpr size_t kFinishedMax = 64;  // of foreign agents, whose output is remembered

  struct Options {
    // Names of the agents that the bank's branches are, now.
    std::function<std::vector<std::string>()> branches;
    std::function<int64_t()> unix_now_ns;
    // Runs what waits for the disk somewhere else.
    std::function<void(std::function<void()>)> background;
    std::function<void(const telemetry::AuditRecord&)> audit;
    // What the bank knows of an id and an agent, from whichever branch.
    std::function<std::optional<telemetry::AuditRecord>(const std::string& id,
                                                        const std::string& agent)>
        find_record;
  };
  // Log and worker must outlive it.
  CommandDispatcher(Options options, CommandLog& log, net::TaskQueue& task_queue);

  // False: every line ends with UNAVAILABLE, and so do all watchers.
  void SetLeading(bool leading);

  // `own`: it is one of the bank's branches. An older line of the same name ends.
  // InvalidArgument: not a name, or a branch's. FailedPrecondition: a newer incarnation is
  // connected. Unavailable: this branch does not lead. ResourceExhausted: too many agents.
  grpc::Status Join(const v1::Agent& agent, bool own, AgentLine* line);
  void Leave(AgentLine* line);
  void OnResponse(AgentLine* line, const v1::CommandResponse& response);

  // The request was checked; its issuer is who it really is.
  void Run(const v1::RunCommandRequest& request, std::shared_ptr<CommandWatcher> watcher);
  // On how many agents it was still running.
  uint32_t Cancel(const std::string& id, const std::string& issuer);

 private:
  struct Connected {
    AgentLine* line = nullptr;
    uint64_t incarnation = 0;
    bool own = false;
    std::set<std::string> running;
  };
  // One call of Run().
  struct Watch {
    std::shared_ptr<CommandWatcher> watcher;
    size_t open = 0;  // agents without a result
    grpc::Status status;
  };
  using WatchPtr = std::shared_ptr<Watch>;
  using Key = std::pair<std::string, std::string>;  // id, agent
  // One id on one agent.
  struct Dispatch {
    uint64_t number = 0;  // tells it from an earlier one with the same key, for timers
    v1::CommandRequest request;
    std::string text;
    bool own = false;
    bool recording = false;  // a foreign agent's: it is being written into the log
    bool recorded = false;   // it is there
    bool sent = false;
    std::optional<v1::CommandStarted> started;
    std::string output;
    size_t arriving = 0;  // bytes of output that came over the present connection
    bool truncated = false;
    std::optional<v1::CommandResult> result;  // kept for foreign agents only
    std::vector<WatchPtr> watches;
  };

  bool IsSettled() const;
  bool MayConnect(const std::string& agent) const;
  void Resolve(const v1::RunCommandRequest& request, const WatchPtr& watch);
  void Begin(const v1::RunCommandRequest& request, const std::string& agent, const WatchPtr& watch);
  void Attach(Dispatch& dispatch, const std::string& agent, const WatchPtr& watch);
  void Advance(const Key& key, Dispatch& dispatch);
  void Send(Dispatch& dispatch, Connected& connected);
  void Record(const Key& key, const Dispatch& dispatch);
  void OnRecorded(const Key& key, uint64_t number, const absl::Status& begun,
                  const std::optional<telemetry::AuditRecord>& known);
  void After(int64_t ns, const Key& key, uint64_t number,
             void (CommandDispatcher::*then)(const Key&, Dispatch&));
  void GiveUpConnecting(const Key& key, Dispatch& dispatch);
  void GiveUp(const Key& key, Dispatch& dispatch);
  void Finish(const Key& key, v1::CommandResult result);
  void Abandon(const Key& key, const grpc::Status& status);
  telemetry::AuditRecord RecordOf(const Key& key, const Dispatch& dispatch) const;
  static void Close(const WatchPtr& watch, const grpc::Status& status);
  template <class Fill>
  static void TellAll(const std::string& agent, Dispatch& dispatch, Fill fill);

  const Options options_;
  CommandLog& log_;
  net::TaskQueue& task_queue_;

  bool leading_ = false;
  int64_t leading_since_ns_ = 0;
  uint64_t next_number_ = 1;
  std::map<std::string, Connected> agents_;
  std::map<Key, Dispatch> dispatches_;
  std::deque<Key> finished_;
};

}  // namespace bank::remote_command
