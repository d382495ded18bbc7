// Commands: everything of a branch that has to do with commands, wired: the log of what ran here,
// the runner, this branch's streams to the leader and to a foreign server, and the leader's part
// for when this branch leads.
//
// Order of the end: Stop(), after the server's shutdown and while the task queue still runs; then
// the worker's Stop(); then destruction.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "branch/remote_command/branch_commands.h"
#include "branch/remote_command/command_log.h"
#include "branch/remote_command/runner.h"
#include "branch/remote_command/stream/bank_commands.h"
#include "branch/remote_command/stream/command_dispatcher.h"
#include "branch/remote_command/stream/command_link.h"
#include "branch/storage/file_system.h"
#include "branch/telemetry/journal.h"
#include "branch/telemetry/metric_store.h"
#include "branch/telemetry/stream/leader_tracker.h"
#include "net/security.h"
#include "net/task_queue.h"

namespace bank::node {

struct CommandsOptions {
  std::string folder;   // of the command log
  std::string monitor;  // host:port of a foreign server of monitor.proto; "": none
  net::TlsFiles tls;
  uint64_t bank = 0;
  std::function<std::vector<BranchId>()> members;
  std::function<int64_t()> unix_now_ns;
  remote_command::BranchActions actions;
  remote_command::ProgramTable diagnostics;  // instead of the host's own, by name
};

class Commands {
 public:
  // All references must outlive it. Make it before the leader tracker' first status.
  Commands(CommandsOptions options, storage::FileSystem& files, const Clock& clock,
           telemetry::MetricStore& store, telemetry::Journal& journal,
           telemetry::LeaderTracker& leader_tracker, net::TaskQueue& task_queue);

  // Dials; needs the server to listen at `address`: when this branch leads, it is its own agent
  // there. InvalidArgument, PermissionDenied: an address that must not be dialled.
  absl::Status Start(const std::string& address);
  void Stop();

  // Outlives the server.
  remote_command::BankCommands& calls() { return *calls_; }

 private:
  void Audit(const telemetry::AuditRecord& record);
  // What ran here before the restart, into the audit of all, unless they know it.
  void ShowPast();

  const CommandsOptions options_;
  telemetry::MetricStore& store_;
  telemetry::Journal& journal_;
  telemetry::LeaderTracker& leader_tracker_;
  net::TaskQueue& task_queue_;
  std::unique_ptr<remote_command::CommandLog> log_;
  std::vector<telemetry::AuditRecord> past_;  // of the log, when the branch started
  std::unique_ptr<remote_command::Runner> runner_;
  std::unique_ptr<remote_command::CommandDispatcher> dispatcher_;
  std::unique_ptr<remote_command::BankCommands> calls_;
  std::shared_ptr<v1::Monitor::Stub> self_stub_;
  std::unique_ptr<remote_command::CommandLink> to_leader_;
  std::unique_ptr<remote_command::CommandLink> to_foreign_;  // if there is one
};

}  // namespace bank::node
